"""Pairs of condition and image, all at one size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from torch import Tensor
from torch.utils.data import Dataset

from ...core.errors import ConfigError, DataError, did_you_mean
from ...core.interfaces import Shapes, Size
from ..conditions import CompositeCondition, Condition, ImageCondition
from ..derived.derived import Derived, Self
from ..files import cache
from ..files.blobs import size_in_bytes
from ..readers.items import SPLITS, Direction, Seen
from .origins import Origin

CACHE_BYTES = 1 << 30
VISITS = 1 << 63  # items' numbers are smaller, and what else is drawn by a visit's key has no such bit


@dataclass(frozen=True)
class DataSource:
    """An opened folder, file or procedure: everything that its splits share.

    Attributes:
        condition: how conditions are read; saved with the model.
        size: (H, W) of every pair.
        description: one sentence about what was recognised.
        unpaired: whether condition and image of an item are unrelated.
        image_channels: 3 for colour images, 1 for grey ones.
        direction: which of A and B is the condition; None where nothing was to be chosen.
        seen: the state of a folder of many files.
    """

    name: str
    origins: Mapping[str, Origin]
    condition: Condition
    size: Size
    description: str
    unpaired: bool = False
    image_channels: Literal[1, 3] = 3
    cache_bytes: int = CACHE_BYTES
    direction: Direction | None = None
    seen: Seen | None = None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the names and sizes of all files, wherever they are; empty for procedural data."""
        if self.seen is None:
            return self._fingerprint()
        # what is held out of train, and whether instance maps are read, depends on what the data are opened for
        key = cache.digest(
            [
                self.seen.key,
                str(self.condition.planes),
                *(f"{split}:{len(one.names)}" for split, one in self.origins.items()),
            ]
        )
        known = cache.load_json("fingerprints", key, self.seen.stamp)
        if not isinstance(known, str):
            known = self._fingerprint()
            cache.save_json("fingerprints", key, self.seen.stamp, known)
        return known

    def _fingerprint(self) -> str:
        lines = [
            f"{split}/{path.name}:{size_in_bytes(path)}"
            for split, origin in self.origins.items()
            for path in origin.paths
        ]
        return cache.digest(lines) if lines else ""


class Pairs(Dataset[tuple[Tensor, Tensor]]):
    """One split as a map-style data set of raw integer pairs. Loaded pairs are cached in memory.

    Attributes:
        splits: names of all splits.
        files: one name for each pair of this split.
        derived: how conditions, or a part of them, are derived from the images.
    """

    def __init__(self, source: DataSource, split: str) -> None:
        if split not in source.origins:
            raise DataError(f"{source.name}: has no split {split!r}; {did_you_mean(split, source.origins)}")
        self.source, self.split, self.splits = source, split, tuple(source.origins)
        self._origin = source.origins[split]
        self.files = self._origin.names
        self._made = source.condition.part(ImageCondition)
        self.derived: Derived | None = self._made.derived if self._made is not None else None
        if self.derived is not None:
            self.derived.check(source.size, source.name)
        self._cache: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def condition(self) -> Condition:
        return self.source.condition

    @property
    def size(self) -> Size:
        return self.source.size

    @property
    def description(self) -> str:
        return self.source.description

    @property
    def unpaired(self) -> bool:
        return self.source.unpaired

    @property
    def image_channels(self) -> int:
        return self.source.image_channels

    @property
    def shapes(self) -> Shapes:
        """The shapes that networks for these pairs are built for."""
        return Shapes(self.condition.channels, self.image_channels, self.size)

    @property
    def fits_in_memory(self) -> bool:
        """Whether all pairs stay cached, judged by the first."""
        return len(self) * sum(map(bytes_held, self.raw(0))) <= self.source.cache_bytes

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.raw(index)

    def raw(self, index: int) -> tuple[Tensor, Tensor]:
        """Condition (c, H, W), as returned by `condition.read`, and image uint8 (3 or 1, H, W).

        Both are cached, up to 1 GB; do not modify them.

        Raises:
            DataError: a file cannot be read or its labels are out of range.
        """
        self._must_have(index)
        if index in self._cache:
            return self._cache[index]
        condition, image = self._origin.load(index, self.size)
        pair = (self.make(condition, index) if self.derived else condition), image
        if (len(self._cache) + 1) * sum(map(bytes_held, pair)) <= self.source.cache_bytes:
            self._cache[index] = pair
        return pair

    def make(self, image: Tensor, index: int, visit: int | None = None) -> Tensor:
        """Derive the condition (c, H, W) of pair `index` from an image (3, H, W) of any size.

        Args:
            visit: key of a visit, which decides on the hole in the place of the item.
        """
        assert self._made is not None
        made = self._made.make(image, item_number(self.split, index) if visit is None else VISITS + visit)
        if isinstance(self.condition, CompositeCondition):
            return self.condition.with_image(made, self._origin.parts(index))
        return made

    def layout(self, index: int) -> Tensor | None:
        """The label map uint8 (1, H, W) of a street at the pairs' size, whatever the condition; None for other data."""
        self._must_have(index)
        return self._origin.layout(index, self.size)

    def check_fresh_holes(self) -> None:
        """Raise ConfigError if these conditions cannot have another hole at every visit."""
        if self.derived is None or not self.derived.cuts_hole:
            raise ConfigError(
                f"training.fresh_holes is for --condition inpaint, but {self.condition.spelling} cuts no holes; "
                "leave it out"
            )
        if not self.derived.varies:
            raise ConfigError(
                f"training.fresh_holes does nothing with --condition {self.condition.spelling}, whose hole is always "
                "the same; leave it out, or give --condition inpaint"
            )

    def hole(self, index: int) -> Tensor | None:
        """The pixels (H, W), bool, that the condition of a pair leaves open; None: all."""
        found = self.condition.hole(self.raw(index)[0][None])
        return None if found is None else found[0, 0]

    def _must_have(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise IndexError(f"{self.name} has no pair {index}; {self.split} has {len(self)} pairs, counted from 0")

    def __getstate__(self) -> dict[str, Any]:
        """Drop the cache: spawned workers would copy it."""
        return {**self.__dict__, "_cache": {}}

    def validation(self) -> Pairs:
        """The pairs of "val" (which may have been held out from train), else of "test", else these pairs."""
        return self.of_split(next((name for name in ("val", "test") if name in self.splits), self.split))

    def of_split(self, split: str) -> Pairs:
        """The pairs of another split."""
        return self if split == self.split else Pairs(self.source, split)

    def resized(self, size: Size) -> Pairs:
        """The same pairs at another size."""
        return self if size == self.size else Pairs(replace(self.source, size=size), self.split)

    def underived(self) -> Pairs:
        """The same pairs, with derived conditions replaced by the image (3, H, W) that they are derived from."""
        if self.derived is None:
            return self
        return Pairs(replace(self.source, condition=ImageCondition(derived=Self())), self.split)


def item_number(split: str, index: int) -> int:
    """A number for each item of a data set, unique across splits."""
    return SPLITS.index(split) * 2**40 + index


def bytes_held(tensor: Tensor) -> int:
    """Memory of a tensor in bytes; a view of constant planes takes almost none."""
    size = tensor.element_size()
    for length, stride in zip(tensor.shape, tensor.stride()):
        size *= length if stride else 1
    return size
