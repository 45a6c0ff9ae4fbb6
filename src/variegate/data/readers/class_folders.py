"""Folders of images whose names are classes: cat/1.png, dog/1.png, or train/cat/1.png."""

from __future__ import annotations

from pathlib import Path

from ..conditions.metadata import Metadata, evenly
from ..files import images as image_files
from .items import SPLITS, Folder, Item

PARTS = ("images", "image", "imgs", "img", "labels", "label", "masks", "mask", "normals", "A", "B")  # of pairs


def find_classes(root: Path) -> Folder | None:
    """Images by class; None unless at least two folders hold some.

    A class of a later split that the first does not have, and a folder without images, become problems.
    """
    places = {split: _inside(root / split) for split in SPLITS}
    many = any(sum(map(bool, folders.values())) > 1 for folders in places.values())
    places = {split: folders for split, folders in places.items() if many and any(folders.values())}
    if not places:
        loose = _inside(root)
        places = {"train": {place: loose[place] for place in loose if place.name not in (*SPLITS, *PARTS)}}
    first = next(iter(places))
    names = tuple(place.name for place, files in places[first].items() if files)
    if len(names) < 2:
        return None
    folder = Folder(root, "derived", {}, f"{len(names)} class folders", classes=names)
    for split, folders in places.items():
        items = []
        for place, files in folders.items():
            if not files:
                folder.problems.append(f"{place}: holds no images; add some, or delete the folder")
            elif place.name not in names:
                folder.problems.append(f"{place}: is a class that {root / first} does not have; move it away")
            else:
                items += [Item(file, metadata=Metadata(names.index(place.name))) for file in files]
        order = evenly([item.metadata.label or 0 for item in items]) if len(places) == 1 else range(len(items))
        folder.splits[split] = [items[i] for i in order]
    return folder


def _inside(place: Path) -> dict[Path, list[Path]]:
    """Folders in a folder, 2 before 10, hidden ones left out, and the images of each."""
    found = [p for p in place.iterdir() if p.is_dir() and not p.name.startswith(".")] if place.is_dir() else []
    return {folder: image_files.images_in(folder) for folder in sorted(found, key=image_files.natural)}
