"""The files of pairs, and which of two folders belong together by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from ..conditions.cityscapes import Numbering
from ..conditions.metadata import Metadata
from ..files.landmarks import Points

Direction = Literal["AtoB", "BtoA"]
SPLITS = ("train", "val", "test")
STEP = 2147483579  # a prime p whose (p - 1) / 2 is prime too: for no number of images but 2 and 1 is it a step of one
T = TypeVar("T")
Box = tuple[int, int, int, int]  # left, top, right, bottom; the last two are outside


@dataclass(frozen=True)
class Item:
    """The files of one pair; the condition is in, or made from, the same file if it has none of its own."""

    image: Path
    condition: Path | None = None
    instances: Path | None = None
    points: Points | None = field(default=None, compare=False)  # landmarks, in pixels of the image as it is
    box: Box | None = None  # the part of the image that counts
    halves: bool = False  # condition and image are side by side in one file
    metadata: Metadata = field(default=Metadata(), compare=False)

    @property
    def files(self) -> list[Path]:
        """All that there are."""
        return [file for file in (self.image, self.condition, self.instances) if file is not None]


@dataclass
class Folder:
    """What a folder was recognised as, before any image is decoded."""

    root: Path
    kind: Literal["halves", "images", "labels", "derived", "landmarks", "normals"]
    splits: dict[str, list[Item]]
    structure: str  # in words
    problems: list[str] = field(default_factory=list)
    instances: bool = False  # label maps have instance maps
    sides: tuple[str, str] = ("A", "B")  # what the conditions and the images are called, where either may be which
    direction: Direction | None = None  # AtoB: the first is the condition, where their names say so
    also: str = ""  # what else the folder may be, and how to ask for that
    notes: list[str] = field(default_factory=list)  # decisions that need no action
    unpaired: bool = False  # condition and image of an item do not belong together
    numbering: Numbering | None = None  # of the label maps of a published set of street scenes
    classes: tuple[str, ...] = ()  # names of the classes that the items' metadata number
    length: int | None = None  # D of the items' vectors


def mixed_index(index: int, count: int) -> int:
    """Which of `count` images item `index` has where images are taken from other items."""
    return index * STEP % count


def mix(conditions: Sequence[Path], images: Sequence[Path]) -> list[Item]:
    """As many items as the longer side has; each side is gone through evenly, the images in steps of STEP."""
    count = max(len(conditions), len(images))
    return [Item(images[mixed_index(i, len(images))], conditions[i % len(conditions)]) for i in range(count)]


def hold_out(splits: Mapping[str, list[T]]) -> dict[str, list[T]]:
    """Train alone gives its last 10 % (1 to 100 of them) to val; a single one stays with train."""
    train = splits.get("train", [])
    if len(splits) > 1 or len(train) < 2:
        return dict(splits)
    held = max(1, min(100, len(train) // 10))
    return {"train": train[:-held], "val": train[-held:]}
