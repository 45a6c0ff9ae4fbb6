"""What bulk sampling draws, and how it is divided: a shard is a fixed range of images, whoever draws it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from ..core.chunks import CHUNK
from ..core.errors import ConfigError
from ..core.interfaces import Size
from ..model.generator import Precision

LONGEST = 180  # bytes of a condition's name, so that tar readers can unpack it as a folder


@dataclass(frozen=True)
class Given:
    """A condition: its name in shards, and where it is: a file, words, or item `item` of a split of the run's data."""

    name: str
    source: str
    item: int | None = None


class Part(NamedTuple):
    """Images `first` .. `last - 1` of a condition."""

    condition: int
    first: int
    last: int


@dataclass(frozen=True)
class Division:
    """`conditions` times `n` images in shards of at most `per_shard`: whole conditions, or else a part of one.

    A part begins at a multiple of CHUNK, so that its images are decoded in the same chunks as in one go.

    Raises:
        ConfigError: there is nothing to draw.
    """

    conditions: int
    n: int
    per_shard: int

    def __post_init__(self) -> None:
        for name, value in {"n": self.n, "images per shard": self.per_shard, "conditions": self.conditions}.items():
            if value < 1:
                raise ConfigError(f"{name} must be at least 1, got {value}")

    @property
    def length(self) -> int:
        """Images of one condition that a shard has."""
        return self.n if self.n <= self.per_shard else min(self.n, max(CHUNK, self.per_shard // CHUNK * CHUNK))

    @property
    def together(self) -> int:
        """Conditions that share a shard."""
        return max(1, self.per_shard // self.n)

    @property
    def pieces(self) -> int:
        """Shards that share a condition."""
        return -(-self.n // self.length)

    @property
    def shards(self) -> int:
        return -(-self.conditions // self.together) * self.pieces

    def parts(self, shard: int) -> list[Part]:
        """What is in a shard."""
        group, piece = divmod(shard, self.pieces)
        first = piece * self.length
        whose = range(group * self.together, min(self.conditions, (group + 1) * self.together))
        return [Part(condition, first, min(self.n, first + self.length)) for condition in whose]

    def images(self, shard: int) -> int:
        """How many images a shard has."""
        return sum(last - first for _, first, last in self.parts(shard))


@dataclass(frozen=True)
class Bulk:
    """Everything that decides the images of a folder of shards; it can be sent to another process.

    Attributes:
        run: a run directory or the name of a bundled model.
        out: the folder of shards; on several machines one that all of them see.
        n: images of each condition.
        size: (H, W) that conditions are resized to; None: their own.
        codes: a file of codes that all conditions get instead of those of the seed.
        fixed_codes: all conditions get the fixed codes of training.
        per_shard: the most images of a shard, in whole chunks.
        device: `cuda` is the one of the process's rank.
        sampler: as in `Model.load`.

    Raises:
        ConfigError: there is nothing to draw, or the seed is negative.
    """

    run: Path
    out: Path
    conditions: tuple[Given, ...]
    n: int
    seed: int = 0
    size: Size | None = None
    codes: Path | None = None
    fixed_codes: bool = False
    per_shard: int = 1000
    device: str = "cpu"
    precision: Precision = "32-true"
    channels_last: bool = False
    compile: bool = False
    sampler: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ConfigError(f"seed must be 0 or more, got {self.seed}")
        _ = self.division

    @property
    def division(self) -> Division:
        return Division(len(self.conditions), self.n, self.per_shard)

    def file(self, shard: int) -> Path:
        return self.out / f"shard-{shard:06}.tar"


def different(names: Iterable[str]) -> list[str]:
    """Names that are short enough for a folder, without `/`, and numbered from 2 where one repeats."""
    shown = [name.replace("/", "-").encode()[:LONGEST].decode(errors="ignore") or "-" for name in names]
    taken, numbers, found = set(shown), dict.fromkeys(shown, 1), []
    seen: set[str] = set()
    for name in shown:
        given = name
        if name in seen:
            given = next(one for i in count(numbers[name] + 1) if (one := f"{name}-{i}") not in taken)
            numbers[name] = int(given.rpartition("-")[2])
            taken.add(given)
        seen.add(name)
        found.append(given)
    return found
