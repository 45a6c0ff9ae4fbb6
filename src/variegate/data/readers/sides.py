"""Group the image folders below a root by what they contain (labels, images, cat, dog) and by split.

`train_label/`, `label/train/`, `Train/label/` and `labelTr/` are all the side "label" of the split train.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..files import images as image_files
from ..files.walk import walk
from .items import SPLITS
from .names import Role, key_of, role_of, split_in

DEEPEST = 6  # levels of nested folders that are searched


@dataclass
class Side:
    """One kind of image, in all splits.

    Attributes:
        name: the folder's own name, without a split; empty for images directly in a split or in the root.
        places: the folder of each split, for messages.
        files: for each split, name -> file, in natural order.
        doubles: for each split, files whose name differs from another's only in the suffix.
    """

    name: str
    role: Role | None
    places: dict[str, Path] = field(default_factory=dict)
    files: dict[str, dict[str, Path]] = field(default_factory=dict)
    doubles: dict[str, list[Path]] = field(default_factory=dict)

    @property
    def where(self) -> Path:
        """One of its folders, preferably that of train."""
        return self.places.get("train") or next(iter(self.places.values()))

    def place(self, split: str) -> Path:
        """The folder of a split, or where it would be."""
        known, at = next(iter(self.places.items()))
        return self.places.get(split) or Path(str(at).replace(known, split))

    def images(self, split: str) -> list[Path]:
        """All files of a split, where names do not matter."""
        return image_files.in_order([*self.files.get(split, {}).values(), *self.doubles.get(split, ())])

    def all_files(self) -> Iterator[Path]:
        for some in self.files.values():
            yield from some.values()

    def names(self, splits: Collection[str] | None = None) -> dict[str, Path]:
        """Files of some splits, or of all, by split and name."""
        wanted = self.files if splits is None else splits
        return {f"{split}/{n}": f for split, some in self.files.items() if split in wanted for n, f in some.items()}


def sides_of(root: Path, suffixes: frozenset[str] = image_files.SUFFIXES) -> list[Side]:
    """All sides below a folder, in natural order of their names. Images outside any split folder belong to train.

    Folders inside one that has a role (cities inside images/) belong to its side and become part of its file names.
    """
    files = image_files.in_order(file for file in walk(root) if file.suffix.lower() in suffixes)
    own = [os.path.dirname(file) for file in files]  # far cheaper than a Path for each
    folders = {name: Path(name).relative_to(root).parts for name in set(own)}
    literal = _only_class_named_as_split(folders.values())
    beside: dict[tuple[str, ...], set[str]] = {}
    for place in folders.values():
        for i, name in enumerate(place):
            beside.setdefault(place[:i], set()).add(name)
    found: dict[str, Side] = {}
    splits = {place: ("train", list(place)) if literal else _split_of(place, beside) for place in folders.values()}
    train_folder = any(split == "train" and rest != list(place) for place, (split, rest) in splits.items())
    for file, parts in zip(files, map(folders.__getitem__, own)):
        if len(parts) > DEEPEST or (train_folder and not parts):  # beside train/ lie no images of train
            continue
        split, rest = splits[parts]
        at = next((i for i, part in enumerate(rest) if role_of(part) is not None), len(rest))
        name, inside = (rest[at], [*rest[:at], *rest[at + 1 :]]) if at < len(rest) else ("/".join(rest), [])
        side = found.setdefault(key_of(name).lower(), Side(name, role_of(name)))
        if split not in side.places:
            side.places[split] = root.joinpath(*parts[: len(parts) - max(0, len(rest) - at - 1)])
        some = side.files.setdefault(split, {})
        key = key_of("/".join([*inside, file.stem]))
        if key in some:
            side.doubles.setdefault(split, []).append(file)
        some.setdefault(key, file)
    for side in found.values():
        side.files = {split: side.files[split] for split in SPLITS if split in side.files}
    return sorted(found.values(), key=lambda side: image_files.natural(Path(side.name)))


def _split_of(parts: tuple[str, ...], beside: Mapping[tuple[str, ...], set[str]]) -> tuple[str, list[str]]:
    """The split of a folder, and the remaining parts of its path, given the names in each folder."""
    for i, part in enumerate(parts):
        split, rest = split_in(part)
        if split is not None and _is_split(split, rest, beside[parts[:i]]):
            return split, [*parts[:i], *([rest] if rest else []), *parts[i + 1 :]]
    return "train", list(parts)


def _is_split(split: str, rest: str, beside: Collection[str]) -> bool:
    """Whether a name means a split, and not a class such as train_station: others beside it have one, too."""
    if not rest or role_of(rest) is not None:
        return True
    others = [split_in(name) for name in beside]
    same = any(other not in (None, split) and key.lower() == rest.lower() for other, key in others)
    return same or all(other is not None for other, _ in others)


def _only_class_named_as_split(places: Iterable[tuple[str, ...]]) -> bool:
    """Whether `train` is a class (bus, car, train): a single split among folders that have none."""
    places = {parts for parts in places if parts}
    splits = {parts for parts in places if split_in(parts[0])[0] is not None}
    return len(splits) == 1 and len(places) > 2 and all(len(parts) == 1 for parts in places)


def split_folders(root: Path) -> dict[str, Path]:
    """The folder of each split, in any spelling."""
    found: dict[str, Path] = {}
    for place in sorted(root.iterdir()):
        split, rest = split_in(place.name)
        if split is not None and not rest and place.is_dir():
            found.setdefault(split, place)
    return {split: found[split] for split in SPLITS if split in found}
