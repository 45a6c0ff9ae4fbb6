"""The origins of pairs: image files, or the procedure that draws streets; for arrays see `arrays`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...core.interfaces import Size
from ..conditions import Condition, ImageCondition, Labels, Normals
from ..conditions.condition import PairParts
from ..conditions.metadata import Metadata
from ..files import images as image_files
from ..files.blobs import File
from ..files.landmarks import Points
from ..files.sources import Source
from ..readers.direction import spread
from ..readers.items import Direction, Item, Rows, mixed_index
from ..streets.streets import Streets
from .cropping import halves, labels_of, normals_of, other_of, size_of, source_of

MEASURED = 200  # images whose size is read to estimate the typical size


class Parts(PairParts, Protocol):
    """One pair of a data set."""

    def image(self, size: Size) -> Tensor:
        """The image, uint8 (3 or 1, H, W), resized to exactly `size`."""


class Origin(ABC):
    """The origin of the pairs of one split."""

    condition: Condition

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """One name for each pair: its file, or another identifier."""

    @abstractmethod
    def parts(self, index: int) -> Parts:
        """The parts of one pair."""

    @property
    def paths(self) -> Sequence[File]:
        """The files that the pairs are read from; empty for procedural data."""
        return ()

    def layout(self, index: int, size: Size) -> Tensor | None:
        """The label map uint8 (1, H, W) from which a street was drawn, whatever its condition; None for files."""
        return None

    def load(self, index: int, size: Size) -> tuple[Tensor, Tensor]:
        """Load raw condition (c, H, W) and image uint8 (3 or 1, H, W), both resized to exactly `size`.

        A condition that is derived, or has a derived part, is replaced by the image (3, H, W) that it is derived from.
        """
        parts = self.parts(index)
        return self.condition.of_pair(parts, size), parts.image(size)


@dataclass(frozen=True)
class Files(Origin):
    """Pairs from image files."""

    items: Sequence[Item]
    condition: Condition
    direction: Direction
    reader: ImageCondition = field(default_factory=ImageCondition)  # how images are read

    @property
    def names(self) -> Sequence[str]:
        return Rows(self.items, name_of)

    @property
    def paths(self) -> Sequence[File]:
        labels = self.condition.part(Labels)
        bounded = labels is not None and labels.boundaries  # else instance maps are not read
        return [file for item in self.items for file in item.files if bounded or file is not item.instances]

    def parts(self, index: int) -> Parts:
        return FilePair(self.items[index], self.condition, self.direction, self.reader)


def name_of(item: Item) -> str:
    return str(item.image)


@dataclass(frozen=True)
class FilePair:
    """The files of one pair, each read on access."""

    item: Item
    condition: Condition
    direction: Direction
    reader: ImageCondition
    read: dict[Size, Tensor] = field(default_factory=dict, compare=False)  # the image at the sizes read so far

    @property
    def name(self) -> str:
        return name_of(self.item)

    def image(self, size: Size) -> Tensor:
        if size not in self.read:
            self.read[size] = self._colours(self._side(first=self.direction == "BtoA"), size)
        return self.read[size]

    def original(self, size: Size) -> Tensor:
        item = self.item
        bare = item.condition is None
        image = self.image(size) if bare else self._colours(other_of(item, self.reader.white_level), size)
        return image.expand(3, -1, -1)

    def other(self) -> Source:
        return self._side(first=self.direction == "AtoB")

    def labels(self, instances: bool) -> Source:
        condition = self.condition.part(Labels)
        if self.item.condition is None or condition is None:
            return self.other()
        return labels_of(self.item, condition, instances)

    def landmarks(self) -> tuple[Points, Size]:
        assert self.item.points is not None
        return self.item.points, size_of(self.item)

    def normals(self) -> NDArray[Any]:
        condition = self.condition.part(Normals)
        assert condition is not None
        return normals_of(self.item, condition)

    def metadata(self) -> Metadata:
        return self.item.metadata

    def _colours(self, source: Source, size: Size) -> Tensor:
        return self.reader.read(source, size)

    def _side(self, first: bool) -> Source:
        """The first or second of condition and image, as stored; the image if the condition has no file of its own."""
        item, white = self.item, self.reader.white_level
        if item.halves:
            return self._halves[not first]
        return source_of(item, white) if item.condition is None or not first else other_of(item, white)

    @cached_property
    def _halves(self) -> tuple[Source, Source]:
        return halves(self.item.image, self.reader.white_level)


def renumbered(items: Sequence[Item], numbers: NDArray[Any]) -> Sequence[Item]:
    """Renumber the classes of items: `numbers` (K,) has the new number of each class of the data."""
    if np.array_equal(numbers, np.arange(len(numbers))):
        return items
    known = [Metadata(int(numbers[item.metadata.label or 0]), item.metadata.vector) for item in items]
    return [replace(item, metadata=one) for item, one in zip(items, known)]


def native_size(items: Sequence[Item]) -> Size:
    """(H, W) of the image of median area among up to MEASURED, rounded down to multiples of 8 (at least 8).

    Unlike the minimum, the median does not depend on a stray thumbnail.
    """
    sizes = sorted((size_of(item) for item in spread(items, MEASURED)), key=lambda size: size[0] * size[1])
    height, width = sizes[len(sizes) // 2]
    width = width // 2 if items[0].halves else width
    return max(8, height // 8 * 8), max(8, width // 8 * 8)


class Procedural(Origin):
    """Pairs from the streets set, drawn at `size`; the condition is the layout or derived from the image.

    If unpaired, each item has the image of another item.
    """

    def __init__(self, streets: Streets, condition: Condition, unpaired: bool = False) -> None:
        self.size, self.split, self.condition, self.unpaired = streets.size, streets.split, condition, unpaired
        self.streets = streets

    @property
    def names(self) -> Sequence[str]:
        return [f"streets/{self.split}/{i}" for i in range(len(self.streets))]

    def parts(self, index: int) -> Parts:
        return StreetPair(self, index)

    def layout(self, index: int, size: Size) -> Tensor:
        layout: Tensor = self.streets.layout(index)
        if size == self.size:
            return layout
        return ImageCondition().tensor(image_files.resize(layout[0].numpy(), size, nearest=True))

    def image(self, index: int, size: Size) -> Tensor:
        image: Tensor = self.streets.image(index)
        if size == self.size:
            return image
        return ImageCondition().tensor(image.permute(1, 2, 0).numpy(), size)


@dataclass(frozen=True)
class StreetPair:
    """One street, drawn on access."""

    origin: Procedural
    index: int

    @property
    def name(self) -> str:
        return f"streets/{self.origin.split}/{self.index}"

    def image(self, size: Size) -> Tensor:
        origin, index = self.origin, self.index
        return origin.image(mixed_index(index, len(origin.streets)) if origin.unpaired else index, size)

    def original(self, size: Size) -> Tensor:
        return self.origin.image(self.index, size)

    def other(self) -> Source:
        layout: Tensor = self.origin.streets.layout(self.index)
        return layout

    def labels(self, instances: bool) -> Source:
        return self.other()

    def landmarks(self) -> tuple[Points, Size]:
        return self.origin.streets.landmarks(self.index), self.origin.size

    def normals(self) -> NDArray[Any]:
        normals: NDArray[Any] = self.origin.streets.normals(self.index)
        return normals

    def metadata(self) -> Metadata:
        return Metadata()
