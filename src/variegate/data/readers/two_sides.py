"""Folders with conditions in one place and images in another."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from ...core.errors import DataError
from ..conditions.spec import ConditionSpec
from ..files.blobs import File
from .items import SPLITS, Folder, Splits, hold_out, mix
from .matching import match, missing_partners, same_names
from .pairing import Pair, find_pair, looks_like_labels
from .sides import Side, sides_of

EXPLICIT = re.compile(r"(condition|image)=(.+?),\s*(condition|image)=(.+)")
ACCEPTED = (
    "accepted: A|B side by side in one image (twice as wide as high), two folders with matching names or files "
    "(trainA + trainB, labels + images), any two as condition=DIR,image=DIR, class folders, images with "
    "landmarks.json, landmarks.csv or .pts files, normals + images, published data sets (Cityscapes, BDD100K, GTA-5, "
    "oxford-iiit-pet, lfw-py), .npz files, or plain images with --condition"
)


def two_sides(root: Path, sides: Sequence[Side], unpaired: bool) -> Folder | None:
    """Read conditions from one folder and images from another, matched by name unless they are unpaired.

    Raises:
        DataError: one of the two is missing, or they may be pairs or classes.
    """
    pair = find_pair(sides, root, unpaired)
    if pair is None:
        _refuse_lonely(root, sides)
        return None
    return _read_unpaired(root, pair) if unpaired else _read_pairs(root, pair, sides)


def named_folders(path: str) -> tuple[Path, Path] | None:
    """The folders of conditions and images in "condition=DIR,image=DIR"; None for anything else."""
    found = EXPLICIT.fullmatch(path)
    if found is None or found[1] == found[3]:
        return None
    places = {found[1]: Path(found[2]), found[3]: Path(found[4])}
    return places["condition"], places["image"]


def two_named(places: tuple[Path, Path], spec: ConditionSpec | None, unpaired: bool) -> Folder:
    """Read two folders that the user names, with splits of the same names or without splits.

    Raises:
        DataError: one contains no images, or another condition is requested.
    """
    condition, image = places
    if spec is not None:
        raise DataError(
            f"{condition}: is given as the condition, which excludes --condition {spec}; leave one of them out"
        )
    first, second = _whole(condition), _whole(image)
    labels = looks_like_labels(first.all_files())
    pair = Pair(first, second, "labels" if labels else "images", "AtoB")
    root = Path(os.path.commonpath([condition.resolve(), image.resolve()]))
    if unpaired:
        return _read_unpaired(root, pair)
    return _read_pairs(root, pair, [])


def _whole(place: Path) -> Side:
    """All images below a folder, as one side."""
    side = Side(place.name, None)
    for one in sides_of(place):
        for split, files in one.files.items():
            named = {f"{one.name}/{name}" if one.name else name: file for name, file in files.items()}
            side.files.setdefault(split, {}).update(named)
            side.places.setdefault(split, place if split == "train" else one.places[split])
        for split, files_again in one.doubles.items():
            side.doubles.setdefault(split, []).extend(files_again)
    if not side.files:
        raise DataError(f"{place}: contains no images; give the folder that does")
    return side


def _refuse_lonely(root: Path, sides: Sequence[Side]) -> None:
    """Raise DataError if a folder's name says that it is one half of pairs, and the other half is missing."""
    partners = {"a": ("A", "B"), "b": ("B", "A"), "labels": ("label", "img")}
    for side in sides:
        if side.role in partners and (side.role != "labels" or len(sides) == 1):
            name = side.where.relative_to(root).as_posix()
            own, other = partners[side.role]
            missing = re.sub(rf"(?i){own}s?(?!.*{own})", other, name)
            raise DataError(f"{root}: has {name}/ but not {missing}/; put the other half of each pair there")


def _read_pairs(root: Path, pair: Pair, sides: Sequence[Side]) -> Folder:
    first, second = pair.first, pair.second
    names = (_shown(root, first), _shown(root, second))
    folder = Folder(root, pair.kind, {}, f"{names[0]} + {names[1]} paired by name", also=pair.also)
    folder.sides = ("A", "B") if (first.role, second.role) == ("a", "b") else names
    folder.direction = pair.direction
    for split in SPLITS:
        conditions, images = first.files.get(split, {}), second.files.get(split, {})
        if not conditions and images:
            folder.notes.append(f"{second.places[split]}: {len(images)} images without conditions are not used")
            continue
        if not images and conditions and split != "train":
            folder.notes.append(f"{first.places[split]}: {len(conditions)} conditions without images are not used")
            continue
        items, problems = match(conditions, images, (first.place(split), second.place(split)))
        folder.problems += problems
        if items:
            folder.splits[split] = items
    for side in (first, second):
        for again in side.doubles.values():
            folder.problems.append(
                f"{again[0].parent}: some file names differ only in their suffix; keep one file of each name"
            )
    if pair.kind == "labels":
        _add_instances(folder, first, sides)
    return folder


def _shown(root: Path, side: Side) -> str:
    return f"{os.path.relpath(side.where.resolve(), root.resolve())}/"


def _read_unpaired(root: Path, pair: Pair) -> Folder:
    """Read two folders without matching their files. Val is held out of each, so that no image is in both splits."""
    sides = (pair.first, pair.second)
    first, second = ({split: side.images(split) for split in side.files} for side in sides)
    for side, other in (sides, sides[::-1]):
        lacking = next((split for split in side.files if split not in other.files), None)
        if lacking is not None:
            raise DataError(
                f"{other.place(lacking)}: contains no images, but unpaired data need images on both sides; add some"
            )
    apart = min(len(side.get("train", [])) for side in (first, second)) > 1
    ours, theirs = (hold_out(side) if apart else side for side in (first, second))
    splits: Splits = {split: mix(files, theirs[split]) for split, files in ours.items()}
    names = (_shown(root, pair.first), _shown(root, pair.second))
    told = f"{names[0]} + {names[1]} unpaired"
    folder = Folder(root, pair.kind, splits, told, unpaired=True, direction=pair.direction)
    folder.sides = ("A", "B") if (pair.first.role, pair.second.role) == ("a", "b") else names
    return folder


def _add_instances(folder: Folder, labels: Side, sides: Sequence[Side]) -> None:
    """Give each item the instance map named like its label map, if there is a folder of them."""
    maps = next((side for side in sides if side.role == "instances"), None)
    if maps is None:
        return
    folder.instances = True
    folder.structure += f", instance maps in {_shown(folder.root, maps)}"
    for split, items in folder.splits.items():
        if split not in maps.files:
            there, missing = (place.relative_to(folder.root) for place in (maps.where, maps.place(split)))
            folder.problems.append(f"{folder.root}: has {there}/ but not {missing}/; put the instance maps there")
            continue
        given, partners = same_names(labels.files[split], maps.files[split])
        folder.problems += missing_partners(given, maps.places[split], partners)
        folder.problems += missing_partners(partners, labels.places[split], given)
        own: dict[File, File | None] = {file: partners.get(name) for name, file in given.items()}
        folder.splits[split] = [
            type(item)(item.image, item.condition, own.get(item.condition) if item.condition else None)
            for item in items
        ]
