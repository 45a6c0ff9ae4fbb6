"""Folders of images with landmarks or surface normals next to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from ...core.errors import DataError
from ..conditions.normals import Normals
from ..files import images as image_files
from ..files.landmarks import TABLES, Points, read_pts, read_table
from .items import SPLITS, Folder, Item
from .matching import match
from .sides import Side, sides_of, split_folders

Geometry = Literal["landmarks", "normals"]


def find_geometry(root: Path, kind: Geometry, asked: bool = False) -> Folder | None:
    """The folder with its pairs, and what is wrong with them among its problems; None if it has nothing of the kind.

    Args:
        asked: the kind is wanted, so that normals are no class of that name.

    Raises:
        DataError: landmarks cannot be read, or normals or their images are missing.
    """
    return _landmarks(root) if kind == "landmarks" else _normals(root, asked)


def _landmarks(root: Path) -> Folder | None:
    splits = {split: place for split, place in split_folders(root).items() if image_files.images_in(place)}
    places = splits if any(_has_landmarks(place) for place in splits.values()) else {"train": root}
    if not any(_has_landmarks(place) for place in places.values()):
        return None
    folder, files = Folder(root, "landmarks", {}, ""), set()
    found: dict[str, list[Item]] = {}
    for split, place in places.items():
        if not _has_landmarks(place):
            folder.problems.append(f"{place}: has no landmarks, unlike the other splits; add {place / TABLES[0]}")
            continue
        name, table = _points_in(place)
        files.add(name)
        below = any("/" in image for image in table)
        images = {file.relative_to(place).as_posix(): file for file in image_files.images_in(place, deep=below)}
        source = place / name if name in TABLES else place
        absent = [image for image in table if image not in images]
        bare = [image for image in images if image not in table]
        folder.problems += problem_with_names(absent, source, "has landmarks for missing images: {}; add the images")
        folder.problems += problem_with_names(bare, source, "has no landmarks for {}; add some, or move images away")
        own = splits_of(root) if place == root else {}
        for image, file in images.items():
            if image in table:
                item = Item(file, points=table[image])
                found.setdefault(own.get(file, split), []).append(item)
    folder.splits = {split: found[split] for split in SPLITS if split in found}
    folder.problems += other_numbers(folder.splits.values())
    folder.structure = f"images with {count_of(folder.splits.values())} landmarks each in {' and '.join(sorted(files))}"
    return folder


def splits_of(root: Path) -> dict[Path, str]:
    """The split of each image below a folder, by the folders it lies in."""
    return {file: split for side in sides_of(root) for split in side.files for file in side.images(split)}


def add_normals(folder: Folder) -> None:
    """Give items of label maps the normals of their images. Raises DataError if the folder has none."""
    found = find_geometry(folder.root, "normals", asked=True)
    if found is None:
        raise DataError(f"{folder.root}: has label maps but no normals; add normals/, with a map named like each image")
    maps = {item.image: item.condition for items in found.splits.values() for item in items}
    folder.problems += found.problems
    for split, items in folder.splits.items():
        given = [replace(item, normals=maps.get(item.image)) for item in items]
        bare = [item.path.relative_to(folder.root).as_posix() for item in given if item.normals is None]
        folder.problems += problem_with_names(bare, folder.root, "has no normals for {}; add some to normals/")
        folder.splits[split] = given


def add_points(folder: Folder) -> None:
    """Give items of label maps or normals the landmarks that are stored next to their images."""
    tables: dict[Path, dict[str, Points]] = {}
    for split, items in folder.splits.items():
        given = [replace(item, points=_points_of(item, folder.root, tables)) for item in items]
        bare = [item.path.relative_to(folder.root).as_posix() for item in given if item.points is None]
        folder.problems += problem_with_names(bare, folder.root, "has no landmarks for {}; add some to landmarks.json")
        folder.splits[split] = given
    folder.problems += other_numbers(folder.splits.values())


def _points_of(item: Item, root: Path, tables: dict[Path, dict[str, Points]]) -> Points | None:
    """The landmarks of an image in the nearest folder that has some, in pixels of its used part; None if none has."""
    for place in item.path.parents:
        if place not in tables:
            tables[place] = _points_in(place)[1] if _has_landmarks(place) else {}
        found = tables[place].get(item.path.relative_to(place).as_posix())
        if found is not None or place == root:
            return found if found is None or item.box is None else found - np.array(item.box[:2], dtype=found.dtype)
    return None


def _has_landmarks(place: Path) -> bool:
    return any((place / name).is_file() for name in TABLES) or next(place.glob("*.pts"), None) is not None


def _points_in(place: Path) -> tuple[str, dict[str, Points]]:
    """What a folder stores its landmarks in, and the landmarks of each image by file name."""
    for name in TABLES:
        if (place / name).is_file():
            return name, read_table(place / name)
    names = {file.stem: file.name for file in image_files.images_in(place)}
    return ".pts files", {names.get(f.stem, f"{f.stem}.jpg"): read_pts(f) for f in sorted(place.glob("*.pts"))}


def problem_with_names(names: Sequence[str], source: Path, words: str) -> list[str]:
    """One sentence about some images, in `words` with {} for their names; none if there are none."""
    if not names:
        return []
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return [f"{source}: {words.format(', '.join(names[:3]) + more)}"]


def count_of(splits: Iterable[Sequence[Item]]) -> int:
    """How many landmarks most images have."""
    counts = Counter(len(item.points) for items in splits for item in items if item.points is not None)
    return max(counts, key=lambda number: counts[number], default=0)


def other_numbers(splits: Iterable[Sequence[Item]]) -> list[str]:
    """One sentence for each image whose number of landmarks differs from that of most images."""
    splits = list(splits)
    usual = count_of(splits)
    return [
        f"{item.image}: has {len(item.points)} landmarks, but most images have {usual}; each needs the same number"
        for items in splits
        for item in items
        if item.points is not None and len(item.points) != usual
    ]


def _normals(root: Path, asked: bool) -> Folder | None:
    maps = next((side for side in sides_of(root, Normals.suffixes) if side.role == "normals"), None)
    if maps is None:
        empty = next((name for name in ("normals", "train_normals") if (root / name).is_dir()), None)
        if empty is not None:
            raise DataError(f"{root}: {empty}/ contains no normals; add .npy, .exr or .png files named like the images")
        return None
    sides = [side for side in sides_of(root) if side.role in ("image", None)]
    images = next((side for side in sides if side.role == "image"), None)
    images = images or next((side for side in sides if not side.name), None)
    name = _below(root, maps)
    if images is None and not asked and any(side.role is None for side in sides):
        return None  # NORMAL + PNEUMONIA
    if images is None:
        wanted = "images" if name == "normals" else name.replace("normals", "img")
        raise DataError(f"{root}: has {name}/ but not {wanted}/; put the corresponding images there")
    folder = Folder(root, "normals", {}, f"{name}/ + {_below(root, images)}/ paired by name, surface normals")
    for split, files in maps.files.items():
        places = maps.places[split], images.place(split)
        items, problems = match(files, images.files.get(split, {}), places)
        folder.problems += problems
        if items:
            folder.splits[split] = items
    return folder


def _below(root: Path, side: Side) -> str:
    return side.where.relative_to(root).as_posix()
