"""Which files of two folders belong together, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from .items import Item
from .names import core_of

MOSTLY = 0.9  # of the names of the larger folder occur in the other: they hold the same things
HALF = 0.5  # of them: they may, if something else says so too
Files = Mapping[str, Path]  # what a file is called -> the file


class Match(NamedTuple):
    """Pairs of two folders, in the order of the images."""

    items: list[Item]
    problems: list[str]


def share(first: Files, second: Files) -> float:
    """Share of the larger folder's names that occur in both."""
    return len(first.keys() & second.keys()) / max(1, len(first), len(second))


def same_names(first: Files, second: Files) -> tuple[Files, Files]:
    """Key both sides by the names that match best: as they are, or without what programs add (0_mask, 0x2)."""
    if 2 * len(first.keys() & second.keys()) >= min(len(first), len(second)):
        return first, second
    cores = _cores(first), _cores(second)
    usable = all(len(short) == len(files) for short, files in zip(cores, (first, second)))
    return cores if usable and share(*cores) > share(first, second) else (first, second)


def _cores(files: Files) -> Files:
    return {"/".join([*name.split("/")[:-1], core_of(name.split("/")[-1])]): file for name, file in files.items()}


def match(first: Files, second: Files, places: tuple[Path, Path]) -> Match:
    """Pair conditions and images by name; files without a partner become problems.

    Args:
        places: the two folders, for messages.
    """
    conditions, images = same_names(first, second)
    shared = [name for name in images if name in conditions]
    items = [Item(images[name], conditions[name]) for name in shared]
    if conditions and images and 2 * len(shared) < min(len(conditions), len(images)):
        return Match(
            items,
            [
                f"{places[0]}: these look unpaired: only {len(shared)} of {len(conditions)} names also occur in "
                f"{places[1]}; give both images of a pair the same name, or use munit, a method for unpaired data"
            ],
        )
    lonely = missing_partners(images, places[0], conditions) + missing_partners(conditions, places[1], images)
    return Match(items, lonely)


def missing_partners(files: Files, other: Path, partners: Files) -> list[str]:
    """One sentence about the `files` that have no partner in the folder `other`, if there are any."""
    lonely = [name for name in files if name not in partners]
    if not lonely:
        return []
    example = next(iter(partners.values()), None)
    suffix = ".png" if example is None else example.suffix
    shown = ", ".join(f"{files[name]} (expected {other / (name + suffix)})" for name in lonely[:3])
    rest = f" and {len(lonely) - 3} more" if len(lonely) > 3 else ""
    return [f"{shown}{rest}: no partner; add the missing file or delete the unpaired one"]
