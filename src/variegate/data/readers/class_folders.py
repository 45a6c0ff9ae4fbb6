"""Folders of images whose names are classes: cat/1.png, dog/1.png, or train/cat/1.png."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..conditions.metadata import Metadata, evenly
from ..files import images as image_files
from ..files.walk import is_hidden
from .items import Folder, Item
from .names import Role
from .sides import Side, split_folders

NO_CLASS: tuple[Role, ...] = ("labels", "image", "a", "b", "normals", "instances", "view")  # only if asked for


def find_classes(root: Path, sides: Sequence[Side], asked: bool = False) -> Folder | None:
    """Group images by class folder; None unless at least two folders contain images.

    A class that occurs only in a later split, and a folder without images, become problems.

    Args:
        asked: the user asked for classes, so folders of any name count.
    """
    classes = [side for side in sides if side.name and "/" not in side.name and (asked or side.role not in NO_CLASS)]
    splits = [split for split in _splits(classes) if sum(split in side.files for side in classes) > 1]
    if not splits:
        return None
    names = tuple(side.name for side in classes if splits[0] in side.files)
    folder = Folder(root, "derived", {}, f"{len(names)} class folders", classes=names)
    for split in _splits(classes):
        items = []
        for side in classes:
            files = side.files.get(split, {}).values()
            if files and side.name not in names:
                folder.problems.append(f"{side.places[split]}: is a class that {splits[0]} lacks; move it elsewhere")
            elif files:
                items += [Item(file, metadata=Metadata(names.index(side.name))) for file in files]
        alone = len(_splits(classes)) == 1
        order = evenly([item.metadata.label or 0 for item in items]) if alone else range(len(items))
        folder.splits[split] = [items[i] for i in order]
    folder.problems += [f"{place}: contains no images; add some, or delete the folder" for place in _empty(root)]
    return folder


def _splits(sides: Sequence[Side]) -> list[str]:
    return [split for split in ("train", "val", "test") if any(split in side.files for side in sides)]


def _empty(root: Path) -> list[Path]:
    """Class folders that contain no images."""
    places = list(split_folders(root).values()) or [root]
    inside = [one for place in places for one in sorted(place.iterdir()) if one.is_dir() and not is_hidden(one.name)]
    return [one for one in inside if not image_files.images_in(one, deep=True)]
