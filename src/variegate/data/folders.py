"""What a folder of pictures is, worked out from names and sizes before any picture is decoded."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import DataError, did_you_mean
from . import pictures

Direction = Literal["AtoB", "BtoA"]
SPLITS = ("train", "val", "test")
LABELLED = [  # (condition folder, image folder) of a split; labels are class ids or exact colours
    ("{}_label", "{}_img"),
    ("{}_labels", "{}"),
    ("{}_label", "{}"),
    ("{}annot", "{}"),
    ("labels/{}", "images/{}"),
]
LETTERED = [("{}_A", "{}_B"), ("{}A", "{}B"), ("A/{}", "B/{}")]
UNSPLIT = [(label, image) for label in ("labels", "label") for image in ("images", "image", "imgs", "img")]
ACCEPTED = (
    "accepted are: pictures of A|B side by side (twice as wide as high), trainA + trainB, train_A + train_B, "
    "train_label + train_img, train + train_labels, labels + images, "
    "or plain pictures with a derived condition (edges, grey, self, superres:4)"
)


@dataclass(frozen=True)
class Item:
    """The files of one pair; the condition is in the same file if it has none of its own."""

    image: Path
    condition: Path | None = None


@dataclass
class Folder:
    """What a folder was recognised as, before any picture is decoded."""

    root: Path
    kind: Literal["halves", "pictures", "labels", "derived"]
    splits: dict[str, list[Item]]
    structure: str  # in words
    problems: list[str] = field(default_factory=list)


def images_in(folder: Path, deep: bool = False) -> list[Path]:
    """Picture files in natural order (2 before 10), hidden ones left out."""
    found = folder.rglob("*") if deep else folder.iterdir() if folder.is_dir() else ()
    files = [f for f in found if f.suffix.lower() in pictures.SUFFIXES and not f.name.startswith(".") and f.is_file()]
    return sorted(files, key=lambda f: [int(s) if s.isdecimal() else s for s in re.split(r"(\d+)", str(f))])


def recognise(path: str | Path, condition: str | None = None) -> Folder:
    """Work out what a folder is from its names and its pictures' sizes; pairs that do not fit become problems.

    Raises:
        DataError: there is no such folder, nothing in it, or nothing that is recognised.
    """
    root = Path(path)
    if not root.exists():
        near = sorted(p.name for p in root.parent.iterdir() if p.is_dir()) if root.parent.is_dir() else []
        near = difflib.get_close_matches(root.name, near, n=1) or near[:8]
        known = [*(str(root.parent / name) for name in near), "streets"]
        raise DataError(f"{root}: there is no such folder; {did_you_mean(str(root), known)}")
    if not root.is_dir():
        raise DataError(f"{root}: is a file; give the folder that holds the pictures")
    if condition is not None:
        return _derived(root, condition)
    folder = _two_folders(root)
    if folder is not None:
        return folder
    splits = _plain(root)
    if splits:
        return _halves(root, splits)
    inside = sorted(f"{p.name}/" if p.is_dir() else p.name for p in root.iterdir() if not p.name.startswith("."))
    seen = ", ".join(inside[:6]) + (f" and {len(inside) - 6} more" if len(inside) > 6 else "")
    what = f"holds no pairs of pictures, only {seen}" if inside else "is empty"
    raise DataError(f"{root}: {what}; {ACCEPTED}")


def _plain(root: Path) -> dict[str, list[Item]]:
    """Splits that are single folders of pictures; a folder without them is all train."""
    splits = {split: [Item(f) for f in images_in(root / split)] for split in SPLITS}
    splits = {split: items for split, items in splits.items() if items}
    loose = [Item(f) for f in images_in(root)]
    return splits or ({"train": loose} if loose else {})


def _derived(root: Path, condition: str) -> Folder:
    pictures.check_derived(condition)
    deep = [Item(f) for f in images_in(root, deep=True)]
    splits = _plain(root) or ({"train": deep} if deep else {})
    if not splits:
        raise DataError(f"{root}: has no pictures; accepted are {', '.join(sorted(pictures.SUFFIXES))}")
    return Folder(root, "derived", splits, f"plain pictures with the condition {condition!r} made from each")


def _halves(root: Path, splits: dict[str, list[Item]]) -> Folder:
    """A|B side by side, if most pictures are about twice as wide as high."""
    sizes = {item.image: pictures.size_of(item.image) for items in splits.values() for item in items}
    known = {file: size for file, size in sizes.items() if size is not None}
    about = sum(abs(width / height - 2) < 0.1 for height, width in known.values())
    if 2 * about < len(known) or not known:
        raise DataError(
            f"{root}: holds {len(sizes)} single pictures, but a pair also needs a condition; derive one with "
            f"--condition edges, grey, self or superres:4, or give pairs: {ACCEPTED}"
        )
    problems = [
        f"{file}: is {width}x{height}, but A|B side by side must be exactly twice as wide as high"
        f"{', and an odd width has no middle' if width % 2 else ''}; make it {2 * height}x{height}"
        for file, (height, width) in known.items()
        if width != 2 * height
    ]
    return Folder(root, "halves", splits, "A|B side by side in one picture", problems)


def _two_folders(root: Path) -> Folder | None:
    """Conditions in one folder, images of equal names in another."""
    for kind, patterns in (("labels", LABELLED), ("pictures", LETTERED)):
        for first, second in patterns:
            names = {split: (first.format(split), second.format(split)) for split in SPLITS}
            names = {split: pair for split, pair in names.items() if (root / pair[0]).is_dir()}
            if any((root / second).is_dir() for _, second in names.values()):
                return _paired(root, "labels" if kind == "labels" else "pictures", names)
    for first, second in [*UNSPLIT, ("A", "B")]:
        if (root / first).is_dir() and (root / second).is_dir():
            return _paired(root, "pictures" if first == "A" else "labels", {"train": (first, second)})
    for first, second in ((a.format(s), b.format(s)) for a, b in [*LETTERED, LABELLED[0]] for s in SPLITS):
        for one, other in ((first, second), (second, first)):
            if (root / one).is_dir() and not (root / other).is_dir():
                raise DataError(f"{root}: has {one}/ but not {other}/; put the other half of each pair there")
    return None


def _paired(root: Path, kind: Literal["labels", "pictures"], names: Mapping[str, tuple[str, str]]) -> Folder:
    example = next(iter(names.values()))
    folder = Folder(root, kind, {}, f"{example[0]}/ + {example[1]}/ paired by name")
    for split, (first, second) in names.items():
        items = _match(root / first, root / second, folder.problems)
        if items:
            folder.splits[split] = items
    if not folder.splits and not folder.problems:
        raise DataError(f"{root}: {example[0]}/ and {example[1]}/ hold no pictures; {ACCEPTED}")
    return folder


def _match(first: Path, second: Path, problems: list[str]) -> list[Item]:
    """Pairs with equal stems; what has no partner, or more than one, is added to `problems`."""
    conditions, images = ({f.stem: f for f in reversed(images_in(d))} for d in (first, second))
    for folder, files in ((first, conditions), (second, images)):
        if len(files) < len(images_in(folder)):
            problems.append(f"{folder}: some pictures differ only in their suffix; keep one of each name")
    shared = [stem for stem in reversed(images) if stem in conditions]
    if conditions and images and 2 * len(shared) < min(len(conditions), len(images)):
        problems.append(
            f"{first}: these look unpaired: only {len(shared)} of {len(conditions)} names also occur in {second}; "
            "give both pictures of a pair the same name, or use a method for unpaired data"
        )
        return [Item(images[stem], conditions[stem]) for stem in shared]
    for files, other, partners in ((images, first, conditions), (conditions, second, images)):
        lonely = [stem for stem in reversed(files) if stem not in partners]
        if lonely:
            suffix = next((f.suffix for f in partners.values()), ".png")
            shown = ", ".join(f"{files[stem]} (expected {other / (stem + suffix)})" for stem in lonely[:3])
            rest = f" and {len(lonely) - 3} more" if len(lonely) > 3 else ""
            problems.append(f"{shown}{rest}: no partner; add the missing file or delete the lonely one")
    return [Item(images[stem], conditions[stem]) for stem in shared]


def flatness(files: Sequence[Path], side: int | None) -> float:
    """Share of horizontally neighbouring pixels that are alike, over up to 20 files: drawn labels are flat.

    Args:
        side: 0 left half, 1 right half, None the whole picture.
    """
    shares = [0.0]
    for file in spread(files):
        try:
            grey = pictures.read_picture(file, channels=1).astype(np.int16)
        except DataError:
            continue  # said where the file is needed, or by the check of all files
        middle = grey.shape[1] // 2
        half = grey if side is None else grey[:, :middle] if side == 0 else grey[:, middle:]
        if half.shape[1] > 1:
            shares.append(float((np.abs(np.diff(half, axis=1)) <= 2).mean()))
    return float(np.median(shares[1:] or shares))


def choose_direction(folder: Folder, asked: Direction | None) -> tuple[Direction, str]:
    """Which of A and B is the condition, and why, in words: the flatter one, unless it was asked for."""
    if asked is not None:
        if asked not in ("AtoB", "BtoA"):
            raise DataError(f"direction {asked!r}: {did_you_mean(asked, ['AtoB', 'BtoA'])}")
        return asked, "as asked"
    items = next(iter(folder.splits.values()))
    halves = folder.kind == "halves"
    first = flatness([item.condition or item.image for item in items], 0 if halves else None)
    second = flatness([item.image for item in items], 1 if halves else None)
    if abs(first - second) < 0.05:
        return "AtoB", "both are equally flat, so A is taken as the condition; --direction BtoA would swap them"
    chosen: Direction = "AtoB" if first > second else "BtoA"
    return chosen, f"{'A' if first > second else 'B'} is drawn flat, as labels are"


def hold_out(splits: Mapping[str, list[Item]]) -> dict[str, list[Item]]:
    """Train alone gives its last 10 % (1 to 100 pairs) to val; a single pair stays with train."""
    train = splits.get("train", [])
    if len(splits) > 1 or len(train) < 2:
        return dict(splits)
    held = max(1, min(100, len(train) // 10))
    return {"train": train[:-held], "val": train[-held:]}


def is_grey(files: Sequence[Path]) -> bool:
    """Whether a look at up to 20 headers finds grey pictures only."""
    modes = {pictures.mode_of(file) for file in spread(files)} - {None}
    return modes <= {"1", "L", "LA", "I", "I;16", "I;16B"}


def spread(files: Sequence[Path], most: int = 20) -> Sequence[Path]:
    """Up to `most` files, evenly spaced."""
    return files[:: max(1, len(files) // most)][:most]
