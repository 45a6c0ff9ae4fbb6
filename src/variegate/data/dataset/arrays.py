"""Arrays of images opened as data: which condition, which rows are in which split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.errors import DataError
from ...core.interfaces import Size
from ..conditions.asked import asked, condition_of
from ..conditions.labels import AnyCondition, Picture
from ..conditions.metadata import Facts, evenly, is_known, part_of, stated, translated
from ..files.arrays import Pack, Stored
from ..files.vectors import matched, read_vectors
from ..readers.arrays import find_arrays
from ..readers.folders import hold_out
from .choice import same_length
from .origins import Origin

__all__ = ["Opened", "Rows", "find_arrays", "open_arrays"]


@dataclass(frozen=True)
class Rows:
    """Pairs from the rows of arrays."""

    packs: Sequence[Pack]
    rows: NDArray[np.int64]  # counted through all packs
    labels: NDArray[np.int64] | None  # (N,) of all packs, as the condition counts them
    vectors: NDArray[np.float32] | None  # (N, D)
    condition: AnyCondition
    channels: Literal[1, 3]

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Row of the first image of each pack."""
        return np.cumsum([0, *(pack.count for pack in self.packs[:-1])])

    @property
    def names(self) -> Sequence[str]:
        places = (self._place(int(row)) for row in self.rows)
        return [f"{pack.file}:{row}" for pack, row in places]

    def _place(self, row: int) -> tuple[Pack, int]:
        number = int(np.searchsorted(self.starts, row, side="right")) - 1
        return self.packs[number], row - int(self.starts[number])

    def load(self, index: int, size: Size) -> tuple[Tensor, Tensor]:
        pack, row = self._place(int(self.rows[index]))
        pixels = torch.from_numpy(np.array(pack.image(row)))
        planes = pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)
        image = Picture(channels=self.channels).read(planes, size)
        if is_known(self.condition):
            return stated(self.condition, self.facts(index), size), image
        return image.expand(3, -1, -1), image

    def facts(self, index: int) -> Facts:
        row = int(self.rows[index])
        label = None if self.labels is None else int(self.labels[row])
        return Facts(label, None if self.vectors is None else self.vectors[row])

    def layout(self, index: int, size: Size) -> Tensor | None:
        return None


class Opened(NamedTuple):
    """What `Pairs` is made of."""

    origins: dict[str, Origin]
    condition: AnyCondition
    size: Size
    description: str
    image_channels: Literal[1, 3]


def open_arrays(
    stored: Stored, words: str | None, given: AnyCondition | None, size: Size | None, grey: bool | None
) -> Opened:
    """
    Args:
        words: the condition as typed; class if there are labels unless given.
        given: the condition of a trained model.
        grey: as the arrays are unless given.

    Raises:
        DataError: what is wrong with the arrays, or with the condition for them.
    """
    if stored.problems:
        more = len(stored.problems) - 1
        raise DataError(stored.problems[0] + (f" (and {more} more problems: variegate data check)" if more else ""))
    shape = size or stored.size
    spec, vectors = array_condition(stored, words, given, shape)
    channels: Literal[1, 3] = 1 if (stored.grey if grey is None else grey) else 3
    splits = rows_of(stored)
    numbers = translated(spec, stored.classes, str(stored.root))
    origins: dict[str, Origin] = {}
    for split, rows in splits.items():
        packs = stored.splits.get(split, stored.splits.get("train", []))
        source = split if split in stored.splits else "train"
        labels = stored.labels_of(source)
        labels = numbers[labels] if labels is not None and stored.classes else None
        own = None if vectors is None else vectors[source]
        origins[split] = Rows(packs, rows, labels, own, spec, channels)
    counts = ", ".join(f"{len(rows)} {split}" for split, rows in splits.items())
    return Opened(origins, spec, shape, f"{described(stored)}: {counts}", channels)


def described(stored: Stored) -> str:
    """In words."""
    (height, width), colour = stored.size, "grey" if stored.grey else "colour"
    classes = f", {len(stored.classes)} classes" if stored.classes else ""
    return f"{stored.structure}, {colour} images of {width}x{height}{classes}"


def rows_of(stored: Stored) -> dict[str, NDArray[np.int64]]:
    """The rows of each split. Of train alone the end is held out, with its share of every class."""
    counts = {split: sum(pack.count for pack in packs) for split, packs in stored.splits.items()}
    if len(counts) > 1:
        return {split: np.arange(count) for split, count in counts.items()}
    [(split, count)] = counts.items()
    labels = stored.labels_of(split)
    order = np.arange(count) if labels is None else evenly(labels)
    return {name: np.array(rows) for name, rows in hold_out({split: list(order)}).items()}


def array_condition(
    stored: Stored, words: str | None, given: AnyCondition | None, size: Size
) -> tuple[AnyCondition, dict[str, NDArray[np.float32]] | None]:
    """The condition, and the vectors (N, D) of each split if it wants some; a file without names has them in the order
    of the splits' rows."""
    if words is None and given is not None:
        raise DataError(
            f"{stored.root}: has arrays of images, but the model reads a {given.noun}; give data like its own"
        )
    if words is None and not stored.classes:
        raise DataError(
            f"{stored.root}: has no labels; give --condition none for a model of images alone, or derive a condition: "
            "edges, grey, self, superres:4 or inpaint"
        )
    wanted = asked(words or "class")
    if wanted.derived is not None and wanted.derived.partition(":")[0] in ("landmarks", "normals"):
        raise DataError(f"{stored.root}: has no {wanted.derived} beside its images; give another condition")
    vectors, length = None, None
    if wanted.vectors is not None:
        names = [
            f"{pack.file.name}:{row}"
            for packs in stored.splits.values() for pack in packs for row in range(pack.count)
        ]  # fmt: skip
        rows = matched(read_vectors(wanted.vectors), names, str(stored.root))
        ends = np.cumsum([sum(pack.count for pack in packs) for packs in stored.splits.values()])
        vectors, length = dict(zip(stored.splits, np.split(rows, ends[:-1]))), rows.shape[1]
    spec = given or condition_of(wanted, stored.classes, length, size, str(stored.root))
    same_length(spec, length, str(stored.root))
    assert is_known(spec) or part_of(spec, Picture) is not None
    return spec, vectors
