"""Folders of images whose names are classes: cat/1.png, dog/1.png, or train/cat/1.png."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..conditions.metadata import Metadata, evenly
from ..conditions.spec import with_classes
from ..files import images as image_files
from ..files.walk import is_hidden
from .items import Folder, Item
from .matching import HALF
from .names import Role
from .pairing import share_of
from .sides import Side, split_folders

NO_CLASS: tuple[Role, ...] = ("labels", "image", "a", "b", "instances", "view")  # unless two others are, or asked for
BESIDE_CLASSES: tuple[Role, ...] = ("instances", "view")


def find_classes(root: Path, sides: Sequence[Side], asked: bool = False) -> Folder | None:
    """Group images by class folder; None unless at least two folders contain images.

    A class that occurs only in a later split, and a folder without images, become problems.

    Args:
        asked: the user asked for classes, so folders of any name count.
    """
    classes = [side for side in sides if side.name and "/" not in side.name and side.role not in BESIDE_CLASSES]
    sure = [side for side in classes if side.role not in NO_CLASS]
    if asked:
        classes = [side for side in sides if side.name and "/" not in side.name]
    elif len(sure) < 2 and not any(side.role == "normals" for side in classes):  # NORMAL + PNEUMONIA are classes
        classes = sure
    splits = [split for split in _splits(classes) if sum(split in side.files for side in classes) > 1]
    if not splits:
        return None
    names = tuple(side.name for side in classes if splits[0] in side.files)
    folder = Folder(root, "derived", {}, f"{len(names)} class folders", classes=names)
    for split in _splits(classes):
        items = []
        for side in classes:
            files = side.images(split)
            if files and side.name not in names:
                folder.problems.append(f"{side.places[split]}: is a class that {splits[0]} lacks; move it elsewhere")
            elif files:
                items += [Item(file, metadata=Metadata(names.index(side.name))) for file in files]
        folder.splits[split] = [items[i] for i in evenly([item.metadata.label or 0 for item in items])]
    if len(names) == 2:
        folder.also = _as_pairs(*(side for side in classes if side.name in names))
    folder.problems += [f"{place}: contains no images; add some, or delete the folder" for place in _empty(root)]
    return folder


def add_classes(folder: Folder, classes: Folder | None) -> None:
    """Give each item of other conditions the class whose folder its image lies in.

    Raises:
        DataError: the images do not lie in the folders of two classes or more.
    """
    known = {item.image: item.metadata.label for items in classes.splits.values() for item in items} if classes else {}
    labels = {known.get(item.image) for items in folder.splits.values() for item in items}
    names = classes.classes if classes is not None and None not in labels and len(labels) > 1 else ()
    folder.classes = with_classes(names, str(folder.root))
    for split, items in folder.splits.items():
        given = [Metadata(known[item.image], item.metadata.vector) for item in items]
        order = evenly([one.label or 0 for one in given])
        folder.splits[split] = [replace(items[i], metadata=given[i]) for i in order]


def _as_pairs(first: Side, second: Side) -> str:
    """How to have two classes as pairs, if that is what they may be."""
    fits = share_of(first, second) >= HALF
    return f'pairs: --data "condition={first.where},image={second.where}"' if fits else ""


def _splits(sides: Sequence[Side]) -> list[str]:
    return [split for split in ("train", "val", "test") if any(split in side.files for side in sides)]


def _empty(root: Path) -> list[Path]:
    """Class folders that contain no images."""
    places = list(split_folders(root).values()) or [root]
    inside = [one for place in places for one in sorted(place.iterdir()) if one.is_dir() and not is_hidden(one.name)]
    return [one for one in inside if not image_files.images_in(one, deep=True)]
