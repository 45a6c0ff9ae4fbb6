"""The files of pairs, and which of two folders belong together by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..conditions.cityscapes import Numbering
from ..conditions.metadata import Facts
from ..files import images as pictures
from ..files.landmarks import Points

Direction = Literal["AtoB", "BtoA"]
SPLITS = ("train", "val", "test")
Box = tuple[int, int, int, int]  # left, top, right, bottom; the last two are outside


@dataclass(frozen=True)
class Item:
    """The files of one pair; the condition is in, or made from, the same file if it has none of its own."""

    image: Path
    condition: Path | None = None
    instances: Path | None = None
    points: Points | None = field(default=None, compare=False)  # landmarks, in pixels of the picture as it is
    box: Box | None = None  # the part of the picture that counts
    facts: Facts = field(default=Facts(), compare=False)


@dataclass
class Folder:
    """What a folder was recognised as, before any picture is decoded."""

    root: Path
    kind: Literal["halves", "pictures", "labels", "derived", "landmarks", "normals"]
    splits: dict[str, list[Item]]
    structure: str  # in words
    problems: list[str] = field(default_factory=list)
    instances: bool = False  # label maps have instance maps
    unpaired: bool = False  # condition and image of an item do not belong together
    numbering: Numbering | None = None  # of the label maps of a published set of street scenes
    classes: tuple[str, ...] = ()  # names of the classes that the items' facts number
    length: int | None = None  # D of the items' vectors


def match(first: Path, second: Path, problems: list[str], suffixes: frozenset[str] = pictures.SUFFIXES) -> list[Item]:
    """Pairs with equal stems; what has no partner, or more than one, is added to `problems`.

    Args:
        first: has the conditions, in files with `suffixes`.
    """
    found = pictures.images_in(first, suffixes=suffixes), pictures.images_in(second)
    conditions, images = ({f.stem: f for f in reversed(files)} for files in found)
    for folder, files, all_files in ((first, conditions, found[0]), (second, images, found[1])):
        if len(files) < len(all_files):
            problems.append(f"{folder}: some pictures differ only in their suffix; keep one of each name")
    shared = [stem for stem in reversed(images) if stem in conditions]
    if conditions and images and 2 * len(shared) < min(len(conditions), len(images)):
        problems.append(
            f"{first}: these look unpaired: only {len(shared)} of {len(conditions)} names also occur in {second}; "
            "give both pictures of a pair the same name, or use munit, a method for unpaired data"
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
