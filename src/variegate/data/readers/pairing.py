"""Decide which two sides of a folder are conditions and images, from their names and the file names they share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...core.errors import DataError
from ..files import images as image_files
from ..files.blobs import File
from .direction import is_grey, spread
from .items import Direction
from .label_scan import distinct, is_soft
from .matching import HALF, MOSTLY, same_names, share
from .names import Role, is_counter
from .sides import Side

ALIKE = 0.75  # images of one name are more alike than others in this share of comparisons: they show one thing
SURE = 8  # images of one name that must be alike, if other images have no partner
COMPARED = 24  # images of each side
VIEWS = 8  # ways at most in which things are shown; more folders are classes
LABEL_IDS = 64  # distinct values that a label map may have, to be taken for one by its content
BESIDE: tuple[Role, ...] = ("view", "instances", "normals")  # what may lie beside pairs
COMPLEMENTS: tuple[tuple[Role, Role], ...] = (("a", "b"), ("input", "target"), ("input", "image"), ("image", "target"))


AS_CLASSES = "class folders: --condition class"
TRUTHS = ("gt", "groundtruth")  # labels, or what a restored image should be


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
    if named is not None and not unpaired:
        return named._replace(also=_or_else(named))
    sides = [side for side in sides if side.role not in BESIDE]
    if named is None and unpaired:
        two = len(sides) == 2 and all(side.name for side in sides)
        return Pair(sides[0], sides[1], "images") if two else None
    return named or _by_names(sides, root)


def pair_by_roles(sides: Sequence[Side], unpaired: bool = False) -> Pair | None:
    """The pair indicated by the folders' own names, if any."""
    sides = [side for side in sides if side.role not in BESIDE]
    labels = [side for side in sides if side.role == "labels"]
    images = [side for side in sides if side.role == "image"] or [side for side in sides if not side.name]
    if labels and not images:
        others = [side for side in sides if side.role != "labels"]
        images = others if len(others) == 1 else [side for side in others if side.role in ("target", "input")]
    if labels and images:
        first, second = max(
            ((label, image) for label in labels for image in images), key=lambda pair: share_of(*pair)
        )  # of several, those that match best
        if first.name.lower() in TRUTHS and not looks_like_labels(first.all_files(), painted=True):
            return Pair(second, first, "images", "AtoB")  # the truth of a restoration
        return Pair(first, second, "labels")
    for one, other in COMPLEMENTS:
        firsts, seconds = ([side for side in sides if side.role == role] for role in (one, other))
        if len(firsts) == len(seconds) == 1 and (unpaired or one == "a" or share_of(firsts[0], seconds[0]) >= HALF):
            return Pair(firsts[0], seconds[0], "images", None if one == "a" else "AtoB")
    return None


def _or_else(pair: Pair) -> str:
    """What a pair may be beside what its names say; empty if its content agrees with them."""
    first, second = pair.first, pair.second
    if pair.kind == "labels" or first.role == "a":
        return ""
    if second.name.lower() in TRUTHS:
        soft = is_grey(list(second.all_files()))
        return f"label maps with soft edges: save the originals as PNG, and call {second.name}/ labels" if soft else ""
    unrelated = is_counter(first.names()) and similarity(first, second) < ALIKE
    return AS_CLASSES if unrelated else ""


def _by_names(sides: Sequence[Side], root: Path) -> Pair | None:
    """Pair two folders by the names of their files: if these are the same, they show the same things in two ways."""
    sides = [side for side in sides if side.name]
    if not 2 <= len(sides) <= VIEWS:
        return None
    first, second, *more = sides
    common = min(share_of(*pair) for pair in combinations(sides, 2))
    if common < (MOSTLY if more else HALF):
        return None
    related = similarity(first, second) >= ALIKE
    sure = common * max(len(first.names()), len(second.names())) >= SURE  # although some lack a partner
    if (more and not related) or (common < MOSTLY and not (related and sure)):
        return None
    ask = f'--data "condition={first.where},image={second.where}"'
    if more or (not related and is_counter(first.names())):
        names = ", ".join(f"{side.name}/" for side in sides[:4]) + (" ..." if len(sides) > 4 else "")
        raise DataError(
            f"{root}: {names} contain files of the same names, so they may be pairs or classes; give {ask} for pairs, "
            "or --condition class for classes"
        )
    for one, other in ((first, second), (second, first)):
        if looks_like_labels(one.all_files()) and not looks_like_labels(other.all_files()):
            return Pair(one, other, "labels", None, AS_CLASSES)
    return Pair(first, second, "images", None, AS_CLASSES)


def share_of(first: Side, second: Side) -> float:
    """Of the names of the splits that both have: tests may have no conditions, or no images."""
    both = first.files.keys() & second.files.keys() or None
    return share(*same_names(first.names(both), second.names(both)))


def looks_like_labels(files: Iterable[File], painted: bool = False) -> bool:
    """Whether files hold class ids, by a look at three of them: palettes, or few values of one channel.

    Args:
        painted: so do a few flat colours.
    """
    looked = 0
    for file in spread(list(files), 3):
        try:
            values, colours = image_files.read_labels(file, str(file))
        except DataError:  # said where the file is needed
            continue
        count = len(distinct(values))
        if colours is None and (count > LABEL_IDS or (values.ndim == 3 and not painted)):
            return False
        if (colours is not None or values.ndim == 3) and is_soft(values, count):  # a photograph saved as GIF
            return False
        looked += 1
    return looked > 0


def similarity(first: Side, second: Side) -> float:
    """Fraction of comparisons in which images of equal names are more alike than others; 1/2 for unrelated folders, or
    too few images."""
    ones, others = same_names(first.names(), second.names())
    shared = [name for name in ones if name in others]
    outlines = []
    for name in spread(shared, COMPARED):
        with suppress(DataError):  # said where the file is needed
            outlines.append((_outline(ones[name]), _outline(others[name])))
    if len(outlines) < 4:
        return 0.5
    sides = [np.stack(side) for side in zip(*outlines)]
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
