"""The files of each pair, and what a folder was recognised as."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, overload

from ...core.errors import DataError
from ..conditions.cityscapes import Numbering
from ..conditions.labels import Labels
from ..conditions.metadata import Metadata
from ..files.blobs import File
from ..files.boxes import Box
from ..files.landmarks import Points

Direction = Literal["AtoB", "BtoA"]
SPLITS = ("train", "val", "test")
STEP = 2147483579  # prime p with (p - 1) / 2 also prime, so that it is a step of 1 only for 1 or 2 images
T = TypeVar("T")
Splits = dict[str, Sequence["Item"]]


@dataclass(frozen=True)
class Item:
    """The files of one pair; a condition without its own file is part of, or derived from, the image file."""

    image: File
    condition: File | None = None
    instances: File | None = None
    points: Points | None = field(default=None, compare=False)  # landmarks, in pixels of the image as it is
    box: Box | None = None  # the part of the image that is used, and of each other file that is as large
    halves: bool = False  # condition and image are side by side in one file
    metadata: Metadata = field(default=Metadata(), compare=False)
    normals: File | None = None  # surface normals beside a label map; alone, they are the condition

    @property
    def path(self) -> Path:
        """The file of an image on disk."""
        assert isinstance(self.image, Path)
        return self.image

    @property
    def files(self) -> list[File]:
        """All files that the pair has."""
        return [file for file in (self.image, self.condition, self.instances, self.normals) if file is not None]


class Rows(Sequence[T]):
    """What a function makes of each row, when it is asked for: a folder of a million files is opened in seconds."""

    def __init__(self, rows: Sequence[Any], make: Callable[[Any], T]) -> None:
        self.rows, self.make = rows, make

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> Rows[T]: ...

    def __getitem__(self, index: int | slice) -> T | Rows[T]:
        return Rows(self.rows[index], self.make) if isinstance(index, slice) else self.make(self.rows[index])

    def __iter__(self) -> Iterator[T]:
        return map(self.make, self.rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


class Seen(NamedTuple):
    """A way to read a folder, and the state of all its files, by which results are cached."""

    key: str
    stamp: str


@dataclass
class Folder:
    """What a folder was recognised as, before any image is decoded."""

    root: Path
    kind: Literal["halves", "images", "labels", "derived", "landmarks", "normals"]
    splits: Splits
    structure: str  # in words
    problems: list[str] = field(default_factory=list)
    instances: bool = False  # label maps have instance maps
    sides: tuple[str, str] = ("A", "B")  # names of the two sides, if either may be the condition
    direction: Direction | None = None  # AtoB: the first side is the condition; None if names do not say
    also: str = ""  # what else the folder may be, and how to ask for that
    notes: list[str] = field(default_factory=list)  # decisions that need no action
    unpaired: bool = False  # condition and image of an item do not belong together
    numbering: Numbering | None = None  # of the label maps of a published street data set
    classes: tuple[str, ...] = ()  # class names, indexed by the labels in the items' metadata
    length: int | None = None  # D of the items' vectors
    name: str = ""  # of the data; default: that of the root
    labels: Labels | None = None  # the condition, if its label maps were opened before
    seen: Seen | None = None  # of a folder of many files


def mixed_index(index: int, count: int) -> int:
    """Which of `count` images item `index` gets when images come from other items."""
    return index * STEP % count


def mix(conditions: Sequence[File], images: Sequence[File]) -> list[Item]:
    """Combine unpaired files into as many items as the longer side has; images are visited in steps of STEP."""
    count = max(len(conditions), len(images))
    return [Item(images[mixed_index(i, len(images))], conditions[i % len(conditions)]) for i in range(count)]


def unpair(folder: Folder) -> None:
    """Combine each condition with another image. Raises DataError for conditions that belong to their image."""
    if folder.classes:
        raise DataError(f"{folder.root}: classes belong to their images; omit --unpaired")
    for split, items in folder.splits.items():
        images = [item.image for item in items]
        folder.splits[split] = mix([item.condition or item.image for item in items], images)
    folder.structure, folder.unpaired = f"unpaired: {folder.structure}", True


def hold_out(splits: Mapping[str, Sequence[T]]) -> dict[str, Sequence[T]]:
    """Move the last 10 % of train (1 to 100 items) to val, if there is none and train has two items or more.

    So nothing is chosen during training by the images of test, on which the result is measured.
    """
    train = splits.get("train", [])
    if "val" in splits or len(train) < 2:
        return dict(splits)
    held = max(1, min(100, len(train) // 10))
    found = {"train": train[:-held], "val": train[-held:]} | {k: v for k, v in splits.items() if k != "train"}
    return {split: found[split] for split in SPLITS if split in found}
