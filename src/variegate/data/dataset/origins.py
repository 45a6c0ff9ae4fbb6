"""Where pairs come from: picture files, or the procedure that draws streets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...core.errors import DataError
from ...core.interfaces import Size
from ..conditions.labels import AnyCondition, Labels, Landmarks, Normals, Picture
from ..conditions.metadata import Facts, is_known, part_of, stated
from ..files import images as pictures
from ..files.sources import Source
from ..readers.folders import STEP
from ..readers.items import SPLITS, Direction, Item


class Origin(Protocol):
    """Where the pairs of one split come from."""

    @property
    def names(self) -> Sequence[str]:
        """One for each pair: its file, or what it is called."""

    def load(self, index: int, size: Size) -> tuple[Tensor, Tensor]:
        """Raw condition (c, H, W) and image uint8 (3 or 1, H, W), both resized to exactly `size`.

        In place of a condition that is, or has a part, derived: the picture (3, H, W) that it is derived from.
        """

    def facts(self, index: int) -> Facts:
        """What is known of an image beside its pixels."""

    def layout(self, index: int, size: Size) -> Tensor | None:
        """The class map uint8 (1, H, W) from which a street was drawn, whatever its condition is; None for files."""


def item_number(split: str, index: int) -> int:
    """One number for each item of a data set; splits never share one, however long they are."""
    return SPLITS.index(split) * 2**40 + index


@dataclass(frozen=True)
class Files:
    """Pairs from picture files."""

    items: Sequence[Item]
    kind: str
    condition: AnyCondition
    direction: Direction
    channels: Literal[1, 3] = 3  # of images

    @property
    def names(self) -> Sequence[str]:
        return [str(item.image) for item in self.items]

    def load(self, index: int, size: Size) -> tuple[Tensor, Tensor]:
        item, rgb = self.items[index], Picture(channels=self.channels)
        if isinstance(self.condition, Landmarks):
            return landmarks_of(item, self.condition, size), rgb.read(shown(item), size)
        if isinstance(self.condition, Normals):
            return self.condition.tensor(normals_of(item, self.condition), size), rgb.read(shown(item), size)
        if is_known(self.condition):
            return stated(self.condition, item.facts, size), rgb.read(shown(item), size)
        if self.kind == "labels" and item.condition is not None:
            return self.condition.read(self._labels(item), size), rgb.read(item.image, size)
        given = part_of(self.condition, Picture)
        if given is not None and given.derived is not None:
            image = rgb.read(shown(item), size)
            source = image if item.condition is None else rgb.read(item.condition, size)
            return source.expand(3, -1, -1), image
        sides: list[Source] = [*halves(item.image)] if item.condition is None else [item.condition, item.image]
        first, second = sides if self.direction == "AtoB" else sides[::-1]
        return self.condition.read(first, size), rgb.read(second, size)

    def facts(self, index: int) -> Facts:
        return self.items[index].facts

    def _labels(self, item: Item) -> Source:
        """The label map, with its instance map if the condition wants that and there is one."""
        assert item.condition is not None
        wanted = isinstance(self.condition, Labels) and self.condition.boundaries
        return (item.condition, item.instances) if wanted and item.instances is not None else item.condition

    def layout(self, index: int, size: Size) -> Tensor | None:
        return None


def renumbered(items: Sequence[Item], numbers: NDArray[Any]) -> Sequence[Item]:
    """Items with other numbers of their classes: `numbers` (K,) has that of each class of the data."""
    if np.array_equal(numbers, np.arange(len(numbers))):
        return items
    facts = [Facts(int(numbers[item.facts.label or 0]), item.facts.vector) for item in items]
    return [replace(item, facts=known) for item, known in zip(items, facts)]


def native_size(items: Sequence[Item], kind: str) -> Size:
    """(H, W) of the first image, rounded down to multiples of 8 (at least 8)."""
    height, width = size_of(items[0])
    width = width // 2 if kind == "halves" else width
    return max(8, height // 8 * 8), max(8, width // 8 * 8)


def size_of(item: Item) -> Size:
    """(H, W) of the part of a picture that counts."""
    size = pictures.size_of(item.image) if item.box is None else None
    if size is not None:
        return size
    height, width = cut_out(item).shape[:2]
    return height, width


def cut_out(item: Item) -> pictures.Pixels:
    """The part of a picture that counts: (H, W, 3)."""
    pixels = pictures.read_picture(item.image)
    return pixels if item.box is None else _within(pixels, item)


def _within(values: NDArray[Any], item: Item) -> NDArray[Any]:
    """What of (H, W, c) is inside the item's box."""
    assert item.box is not None
    left, top, right, bottom = item.box
    part = values[top:bottom, left:right]
    if 0 in part.shape:
        raise DataError(f"{item.image}: is {values.shape[1]}x{values.shape[0]}, and its box {item.box} lies outside")
    return part


def shown(item: Item) -> Source:
    """The picture of an item, as a condition can read it."""
    return item.image if item.box is None else cut_out(item)


def landmarks_of(item: Item, condition: Landmarks, size: Size) -> Tensor:
    """Raw planes at `size`."""
    assert item.points is not None
    return condition.place(item.points, size_of(item), size, str(item.image))


def normals_of(item: Item, condition: Normals) -> NDArray[Any]:
    """Unit vectors (H, W, 3); those of a whole picture are cut out like the picture."""
    assert item.condition is not None
    vectors = condition.pixels(item.condition, str(item.condition))
    whole = item.box is not None and vectors.shape[:2] == pictures.size_of(item.image)
    return _within(vectors, item) if whole else vectors


def halves(file: Path) -> tuple[pictures.Pixels, pictures.Pixels]:
    """Left and right half (H, W, 3) of a picture exactly twice as wide as high."""
    both = pictures.read_picture(file)
    height, width = both.shape[:2]
    if width != 2 * height:
        raise DataError(f"{file}: is {width}x{height}, but A|B side by side must be exactly twice as wide as high")
    return both[:, :height], both[:, height:]


class Procedural:
    """Pairs from the streets set, drawn at `size`; the condition is the layout or made from the image.

    Unpaired, the image of an item is that of another one.
    """

    def __init__(self, size: Size, count: int, split: str, condition: AnyCondition, unpaired: bool = False) -> None:
        from ..streets.streets import Streets

        self.size, self.split, self.condition, self.unpaired = size, split, condition, unpaired
        self.streets: Any = Streets(size=size, count=count, split=split)

    @property
    def names(self) -> Sequence[str]:
        return [f"streets/{self.split}/{i}" for i in range(len(self.streets))]

    def load(self, index: int, size: Size) -> tuple[Tensor, Tensor]:
        image = self.image(index * STEP % len(self.streets) if self.unpaired else index, size)
        if isinstance(self.condition, Landmarks):
            return self.condition.place(self.streets.landmarks(index), self.size, size), image
        if isinstance(self.condition, Normals):
            return self.condition.tensor(self.streets.normals(index), size), image
        if is_known(self.condition):
            return stated(self.condition, self.facts(index), size), image
        if isinstance(self.condition, Picture) and self.condition.derived is not None:
            return self.image(index, size), image
        return self.layout(index, size), image

    def facts(self, index: int) -> Facts:
        return Facts()

    def layout(self, index: int, size: Size) -> Tensor:
        layout: Tensor = self.streets.layout(index)
        return layout if size == self.size else Picture().tensor(pictures.resize(layout[0].numpy(), size, nearest=True))

    def image(self, index: int, size: Size) -> Tensor:
        image: Tensor = self.streets.image(index)
        if size == self.size:
            return image
        return Picture().tensor(image.permute(1, 2, 0).numpy(), size)
