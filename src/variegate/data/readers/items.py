"""The files of pairs, and which of two folders belong together by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from ..conditions.cityscapes import Numbering
from ..conditions.metadata import Metadata
from ..files import images as image_files
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


@dataclass
class Folder:
    """What a folder was recognised as, before any image is decoded."""

    root: Path
    kind: Literal["halves", "images", "labels", "derived", "landmarks", "normals"]
    splits: dict[str, list[Item]]
    structure: str  # in words
    problems: list[str] = field(default_factory=list)
    instances: bool = False  # label maps have instance maps
    unpaired: bool = False  # condition and image of an item do not belong together
    numbering: Numbering | None = None  # of the label maps of a published set of street scenes
    classes: tuple[str, ...] = ()  # names of the classes that the items' metadata number
    length: int | None = None  # D of the items' vectors


def match(
    first: Path, second: Path, problems: list[str], suffixes: frozenset[str] = image_files.SUFFIXES
) -> list[Item]:
    """Pairs with equal stems; what has no partner, or more than one, is added to `problems`.

    Args:
        first: has the conditions, in files with `suffixes`.
    """
    found = image_files.images_in(first, suffixes=suffixes), image_files.images_in(second)
    conditions, images = ({f.stem: f for f in reversed(files)} for files in found)
    for folder, files, all_files in ((first, conditions, found[0]), (second, images, found[1])):
        if len(files) < len(all_files):
            problems.append(f"{folder}: some images differ only in their suffix; keep one of each name")
    shared = [stem for stem in reversed(images) if stem in conditions]
    if conditions and images and 2 * len(shared) < min(len(conditions), len(images)):
        problems.append(
            f"{first}: these look unpaired: only {len(shared)} of {len(conditions)} names also occur in {second}; "
            "give both images of a pair the same name, or use munit, a method for unpaired data"
        )
        return [Item(images[stem], conditions[stem]) for stem in shared]
    for files, other, partners in ((images, first, conditions), (conditions, second, images)):
        problems += missing_partners(files, other, partners)
    return [Item(images[stem], conditions[stem]) for stem in shared]


def missing_partners(files: Mapping[str, Path], other: Path, partners: Mapping[str, Path]) -> list[str]:
    """One sentence about the `files` that have no partner in the folder `other`, if there are any."""
    lonely = [stem for stem in reversed(list(files)) if stem not in partners]
    if not lonely:
        return []
    suffix = next((f.suffix for f in partners.values()), ".png")
    shown = ", ".join(f"{files[stem]} (expected {other / (stem + suffix)})" for stem in lonely[:3])
    rest = f" and {len(lonely) - 3} more" if len(lonely) > 3 else ""
    return [f"{shown}{rest}: no partner; add the missing file or delete the lonely one"]


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
