"""Published street data sets as distributed: their folders and file names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..conditions.cityscapes import Numbering
from ..files import images as image_files


class StreetSet(NamedTuple):
    """A data set's layout on disk; `{}` stands for train or val, which may contain a subfolder for each city.

    An image and its label map have the same path (including the city) except for these endings.
    """

    name: str
    images: str
    labels: str
    image_end: str = ""
    label_ends: tuple[tuple[str, Numbering], ...] = (("", "trainIds"),)  # the first one found is used
    instance_end: str = ""  # of instance maps beside the label maps, if there are any


SETS = (
    StreetSet(
        "Cityscapes",
        "leftImg8bit/{}",
        "gtFine/{}",
        "_leftImg8bit",
        (("_gtFine_labelTrainIds", "trainIds"), ("_gtFine_labelIds", "labelIds")),
        "_gtFine_instanceIds",
    ),
    StreetSet("BDD100K", "images/10k/{}", "labels/sem_seg/masks/{}"),
    StreetSet("BDD100K", "images/100k/{}", "labels/sem_seg/masks/{}"),
    StreetSet("BDD100K", "seg/images/{}", "seg/labels/{}", "", (("_train_id", "trainIds"),)),
)
SPLITS = ("train", "val")  # the test splits have blank label maps, or none


class Found(NamedTuple):
    """Image, label map and instance map of each pair by split; files without a partner are only counted."""

    structure: str  # in words
    numbering: Numbering
    splits: dict[str, list[tuple[Path, Path, Path | None]]]
    instances: bool  # whether every pair has an instance map; else none has


def find_street_set(root: Path) -> Found | None:
    """Recognise a folder as a published street data set; None if it contains no pairs of one."""
    return next((found for known in SETS for found in _found(root, known)), None)


def _found(root: Path, known: StreetSet) -> Iterator[Found]:
    names = [split for split in SPLITS if all((root / part.format(split)).is_dir() for part in known[1:3])]
    images = {split: _by_key(root / known.images.format(split), known.image_end) for split in names}
    for end, numbering in known.label_ends:
        labels = {split: _by_key(root / known.labels.format(split), end) for split in names}
        keys = {split: [key for key in images[split] if key in labels[split]] for split in names}
        if not any(keys.values()):
            continue
        maps, told = _instances(root, known, keys)
        splits = {
            split: [(images[split][key], labels[split][key], maps.get((split, key))) for key in some]
            for split, some in keys.items()
            if some
        }
        first = next(iter(splits))
        places = f"{known.images.format(first)}/ + {known.labels.format(first)}/"
        words = f"{known.name}: {places} paired by name, label maps contain {numbering}{told}"
        yield Found(words + _left_out(images, labels, root), numbering, splits, bool(maps))


def _instances(root: Path, known: StreetSet, keys: dict[str, list[str]]) -> tuple[dict[tuple[str, str], Path], str]:
    """The instance map of each pair, by split and key, if all have one; and a clause that says which there are."""
    if not known.instance_end:
        return {}, ""
    end = known.instance_end
    found = {split: _by_key(root / known.labels.format(split), end) for split in keys}
    maps = {(split, key): found[split].get(key) for split, some in keys.items() for key in some}
    complete = {place: file for place, file in maps.items() if file is not None}
    if len(complete) < len(maps):
        told = f", instance maps of only {len(complete)} of {len(maps)} are not used" if complete else ""
        return {}, told
    return complete, f", instance maps in *{end}"


def _by_key(folder: Path, end: str) -> dict[str, Path]:
    """Files below a folder whose stem has this ending, keyed by their path without it."""
    files = [file for file in image_files.images_in(folder, deep=True) if file.stem.endswith(end)]
    return {str(file.relative_to(folder).with_name(file.stem.removesuffix(end))): file for file in files}


def _left_out(images: dict[str, dict[str, Path]], labels: dict[str, dict[str, Path]], root: Path) -> str:
    """A clause that counts images without a label map (BDD100K labels only some) and label maps without an image."""
    bare = sum(len(side.keys() - labels[split].keys()) for split, side in images.items())
    lost = [side[key] for split, side in labels.items() for key in side if key not in images[split]]
    told = [f"{bare} image{'s' * (bare > 1)} without a label map"] * (bare > 0)
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        told.append(f"{lost[0].relative_to(root)}{more}, without an image,")
    return f" ({' and '.join(told)} left out)" if told else ""
