"""Decide which two sides of a folder are conditions and images, from their names and the file names they share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...core.errors import DataError
from ..files import images as image_files
from .direction import spread
from .items import Direction
from .matching import MOSTLY, same_names, share
from .names import Role, is_counter
from .sides import Side

ALIKE = 0.75  # share of comparisons in which images of one name must be more alike than others to be related
COMPARED = 24  # images compared per side
HALF = 0.5  # share of the larger folder's names, enough if the folders' own names or images agree too
VIEWS = 8  # most folders that can be views of the same things; if there are more, they are classes
LABEL_IDS = 64  # most distinct values of an image that is recognised as a label map by its content
BESIDE: tuple[Role, ...] = ("view", "instances", "normals")  # what may accompany pairs
COMPLEMENTS: tuple[tuple[Role, Role], ...] = (("a", "b"), ("input", "target"), ("input", "image"), ("image", "target"))


class Pair(NamedTuple):
    """Two sides that belong together.

    Attributes:
        first: the conditions, or A if `direction` is None.
        also: what else they may be, and how to ask for that; empty if nothing else fits.
    """

    first: Side
    second: Side
    kind: Literal["labels", "images"]
    direction: Direction | None = None
    also: str = ""


def find_pair(sides: Sequence[Side], root: Path, unpaired: bool = False) -> Pair | None:
    """Find the pair in a folder; None if there is none.

    Args:
        unpaired: accept two sides even if they share no file names.

    Raises:
        DataError: the sides share file names, but may be pairs or classes.
    """
    named = pair_by_roles(sides, unpaired)
    sides = [side for side in sides if side.role not in BESIDE]
    if named is None and unpaired:
        two = len(sides) == 2 and all(side.name for side in sides)
        return Pair(sides[0], sides[1], "images") if two else None
    return named or _by_names(sides, root)


def pair_by_roles(sides: Sequence[Side], unpaired: bool = False) -> Pair | None:
    """Find the pair by the folders' own names; None if they do not identify one."""
    sides = [side for side in sides if side.role not in BESIDE]
    labels = [side for side in sides if side.role == "labels"]
    images = [side for side in sides if side.role == "image"] or [side for side in sides if not side.name]
    if labels and not images:
        others = [side for side in sides if side.role != "labels"]
        images = others if len(others) == 1 else [side for side in others if side.role in ("target", "input")]
    if labels and images:
        first, second = max(
            ((label, image) for label in labels for image in images), key=lambda pair: _share(*pair)
        )  # of several, the two that match best
        if first.name.lower() in ("gt", "groundtruth") and not looks_like_labels(first.all_files()):
            return Pair(second, first, "images", "AtoB")  # the ground truth of a restoration task
        return Pair(first, second, "labels")
    for one, other in COMPLEMENTS:
        firsts, seconds = ([side for side in sides if side.role == role] for role in (one, other))
        if len(firsts) == len(seconds) == 1 and (unpaired or one == "a" or _share(firsts[0], seconds[0]) >= HALF):
            return Pair(firsts[0], seconds[0], "images", None if one == "a" else "AtoB")
    return None


def _by_names(sides: Sequence[Side], root: Path) -> Pair | None:
    """Find the pair by file names: two folders that share them show the same things in two ways."""
    sides = [side for side in sides if side.name]
    if not 2 <= len(sides) <= VIEWS:
        return None
    first, second, *more = sides
    related, counted = similarity(first, second) >= ALIKE, is_counter(first.names())
    least = HALF if len(sides) == 2 and (related or not counted) else MOSTLY  # numbers match by accident
    if not all(_share(*pair) >= least for pair in combinations(sides, 2)):
        return None
    ask = f'--data "condition={first.where},image={second.where}"'
    if more and not related:
        return None
    if more or (not related and counted):
        names = ", ".join(f"{side.name}/" for side in sides[:4]) + (" ..." if len(sides) > 4 else "")
        raise DataError(
            f"{root}: {names} contain files of the same names, so they may be pairs or classes; give {ask} for pairs, "
            "or --condition class for classes"
        )
    also = "class folders: --condition class"
    for one, other in ((first, second), (second, first)):
        if looks_like_labels(one.all_files()) and not looks_like_labels(other.all_files()):
            return Pair(one, other, "labels", None, also)
    return Pair(first, second, "images", None, also)


def _share(first: Side, second: Side) -> float:
    return share(*same_names(first.names(), second.names()))


def looks_like_labels(files: Iterable[Path]) -> bool:
    """Whether files contain class ids, judged from three of them: palettes, or few values in one channel."""
    looked = 0
    for file in spread(list(files), 3):
        try:
            values, colours = image_files.read_labels(file, str(file))
        except DataError:
            return False
        if colours is None and (values.ndim == 3 or len(np.unique(values)) > LABEL_IDS):
            return False
        looked += 1
    return looked > 0


def similarity(first: Side, second: Side) -> float:
    """Share of comparisons in which two images of one name are more alike than two of different names; 1/2 for
    unrelated folders or too few images."""
    ones, others = same_names(first.names(), second.names())
    shared = [name for name in ones if name in others]
    shared = shared[:: max(1, len(shared) // COMPARED)][:COMPARED]
    if len(shared) < 4:
        return 0.5
    try:
        sides = [np.stack([_outline(files[name]) for name in shared]) for files in (ones, others)]
    except DataError:  # reported where the file is used
        return 0.5
    best = 0.5
    for one, other in zip(*(side.swapaxes(0, 1) for side in sides)):
        alike = np.abs(one @ other.T)
        alike = alike - alike.mean(0, keepdims=True) - alike.mean(1, keepdims=True)
        own, foreign = np.diag(alike), alike[~np.eye(len(alike), dtype=bool)]
        best = max(best, float((own[:, None] > foreign[None]).mean()))
    return best


def _outline(file: Path) -> NDArray[np.float64]:
    """Brightness and edges of an image, each centred and normalised to length 1: (2, 1024)."""
    grey = image_files.read_image(file, channels=1)
    light = np.asarray(Image.fromarray(grey).resize((32, 32), Image.Resampling.BILINEAR)).astype(np.float64)
    planes = np.stack([light, np.hypot(*np.gradient(light))]).reshape(2, -1)
    planes -= planes.mean(1, keepdims=True)
    return planes / np.maximum(np.linalg.norm(planes, axis=1, keepdims=True), 1e-9)
