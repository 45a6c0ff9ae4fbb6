"""The classes of a folder of label maps, found by opening every map."""

from __future__ import annotations

import colorsys
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import DataError
from ..conditions.cityscapes import LEAST_COLOURS, NAMES, OTHER, PALETTE, Numbering, by_colour
from ..conditions.labels import NO_LABEL, Colour, Labels
from ..files import images as image_files
from ..files.blobs import File
from .label_scan import MOST_CLASSES, Scan, colour_of, scan_labels

CAMVID: dict[str, Colour] = {  # the order of CamVid's ids, the colours of Cityscapes
    "sky": (70, 130, 180),
    "building": (70, 70, 70),
    "pole": (153, 153, 153),
    "road": (128, 64, 128),
    "pavement": (244, 35, 232),
    "tree": (107, 142, 35),
    "sign": (220, 220, 0),
    "fence": (190, 153, 153),
    "car": (0, 0, 142),
    "pedestrian": (220, 20, 60),
    "cyclist": (119, 11, 32),
    "void": (0, 0, 0),
}
VOID_NAMES = ("void", "other", "unlabelled", "unlabeled", "ignore")
NAMED_IN = ("classes.json", "classes.txt")  # files with the names of classes
PEEKED = 3  # label maps opened to recognise a Cityscapes palette


def labels_in(
    files: Sequence[File], root: Path, numbering: Numbering | None = None, later: Sequence[File] = ()
) -> tuple[Labels, list[str]]:
    """Find the classes of label maps; also return one sentence for each map that cannot be used.

    Names and colours come from `classes.json` or `classes.txt` in `root`, if either exists.

    Args:
        numbering: that of a published street data set, whose classes are known without opening every map.
        later: label maps of other splits, opened only if ids have gaps and are therefore renumbered.

    Raises:
        DataError: no file is usable, the names do not match the ids, or the values are not those of label maps.
    """
    if not (root / "classes.json").is_file() and not (root / "classes.txt").is_file():
        numbering = numbering or _of_palette(files)
        if numbering is not None:
            return street_labels(numbering), []
    scan = scan_labels(files)
    if not scan.ids and not scan.colours:
        raise DataError(scan.problems[0] if scan.problems else f"{root}: has no label maps")
    if scan.ids and scan.colours:
        raise DataError(f"{root}: some label maps contain class ids and others RGB colours; save all the same way")
    named = names_in(root)
    if scan.soft and not (named and max(scan.ids, default=NO_LABEL) < len(named)):
        raise DataError(f"{root}: {scan.softness()}")
    if scan.colours:
        return _by_colour(scan, named), list(scan.problems)
    if not named and max(scan.ids - {NO_LABEL}, default=0) == OTHER - 1 and NO_LABEL in scan.ids:
        return street_labels("trainIds"), list(scan.problems)
    if scan.has_gaps(len(named)):
        return _renumbered(scan.ids | scan_labels(later).ids, named), list(scan.problems)
    return _by_id(scan, named, root), list(scan.problems)


def street_labels(numbering: Numbering) -> Labels:
    """The classes of Cityscapes, GTA-5 and BDD100K."""
    return Labels(names=NAMES, palette=PALETTE, void=OTHER, numbering=numbering)


def _of_palette(files: Sequence[File]) -> Numbering | None:
    """The numbering that grey maps would use alongside palette PNGs in the colours of Cityscapes, such as those of
    GTA-5; None for other label maps."""
    found: set[Colour] = set()
    for file in files[:PEEKED]:
        try:
            values, palette = image_files.read_labels(file, str(file))
        except DataError:
            return None
        if palette is None or int(values.max()) >= len(palette):
            return None
        found |= {colour_of(row) for row in palette[np.unique(values)]}
    return "trainIds" if by_colour(found) and len(found & {*PALETTE}) >= LEAST_COLOURS else None


def _renumbered(ids: set[int], named: dict[str, Colour | None]) -> Labels:
    """One class for each id that occurs; 255 means unlabelled, unless it continues the spacing of the others (0, 85,
    170, 255) or there is only one other id."""
    real = sorted(ids - {NO_LABEL})
    step = math.gcd(*real)
    ends_in_255 = len(real) == 1 or step == 1 or NO_LABEL - real[-1] in (step - 1, step, step + 1)
    values = sorted(ids) if ends_in_255 else real
    names = list(named) if len(named) == len(values) else [f"class {value}" for value in values]
    if len(names) > MOST_CLASSES:
        raise DataError(
            f"label maps have {len(names)} ids in total, but at most {MOST_CLASSES} are possible; merge classes"
        )
    void = next((i for i, name in enumerate(names) if name.lower() in VOID_NAMES), None)
    if NO_LABEL in ids and not ends_in_255 and void is None:
        names.append("other")
        void = len(names) - 1
    palette = [named.get(name) or colour for name, colour in zip(names, hues(len(names), void))]
    return Labels(names=tuple(names), palette=tuple(palette), void=void, values=tuple(values))


def _by_id(scan: Scan, named: dict[str, Colour | None], root: Path) -> Labels:
    real = scan.ids - {NO_LABEL}
    top = max(real, default=0)
    if named and top >= len(named):
        raise DataError(f"{root}: names {len(named)} classes, but label maps have ids up to {top}; name every id")
    if not named and (top == 11 or (top <= 11 and "camvid" in root.resolve().name.lower())):
        named = dict(CAMVID)
    names = list(named) or [f"class {i}" for i in range(top + 1)]
    void = next((i for i, name in enumerate(names) if name.lower() in VOID_NAMES), None)
    if NO_LABEL in scan.ids and void is None and len(names) < MOST_CLASSES:
        names.append("other")
        void = len(names) - 1
    usable = len(set(scan.palette[: len(names)])) == len(names)
    palette = scan.palette[: len(names)] if usable else hues(len(names), void)
    chosen = [named.get(name) or colour for name, colour in zip(names, palette)]
    return Labels(names=tuple(names), palette=tuple(chosen), void=void)


def _by_colour(scan: Scan, named: dict[str, Colour | None]) -> Labels:
    """Classes in the order of `classes.json` if it gives every colour, else sorted by colour."""
    if not named and by_colour(scan.colours) and len(scan.colours & {*PALETTE}) >= LEAST_COLOURS:
        return street_labels("trainIds")
    colours = [colour for colour in named.values() if colour is not None]
    if not named or len(colours) < len(named):
        colours = sorted(scan.colours)
        names = list(named) if len(named) == len(colours) else [f"class {i}" for i in range(len(colours))]
    else:
        names = list(named)
    if len(colours) > MOST_CLASSES:
        raise DataError(
            f"label maps have {len(colours)} colours in total, but at most {MOST_CLASSES} are possible; "
            "save class ids as 8-bit grey PNG instead"
        )
    void = next((i for i, name in enumerate(names) if name.lower() in VOID_NAMES), None)
    return Labels(names=tuple(names), palette=tuple(colours), void=void)


def names_in(root: Path) -> dict[str, Colour | None]:
    """Class names, and colours where given, from classes.json or classes.txt; empty if neither exists.

    JSON: a list of names or of {"name", "color"}, an object of id: name, or an object of name: [r, g, b].

    Raises:
        DataError: the file has another form, or gives two classes the same name.
    """
    plain, structured = root / "classes.txt", root / "classes.json"
    file = structured if structured.is_file() else plain
    if not file.is_file():
        return {}
    try:
        text = file.read_text(encoding="utf-8-sig")
        lines = [line for line in map(str.strip, text.split("\n")) if line]
        pairs = _names_and_colours(json.loads(text) if file is structured else lines)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise DataError(f'{file}: cannot be read; write a list of names, such as ["sky", "road"]') from None
    named = dict(pairs)
    if len(named) < len(pairs):
        raise DataError(f"{file}: gives two classes the same name; every id needs a name of its own")
    return named


def _names_and_colours(values: Any) -> list[tuple[str, Colour | None]]:
    if isinstance(values, Mapping):
        if all(isinstance(value, str) for value in values.values()):
            values = [values[str(i)] for i in range(len(values))]
        else:
            values = [{"name": name, "color": colour} for name, colour in values.items()]
    rows = [{"name": value} if isinstance(value, str) else value for value in values]
    colours = [row.get("color", row.get("colour")) for row in rows]
    return [(str(row["name"]), None if colour is None else colour_of(colour)) for row, colour in zip(rows, colours)]


def hues(count: int, void: int | None = None) -> list[Colour]:
    """Distinct colours for display: evenly spaced hues in three brightnesses; void is black."""
    colours: list[Colour] = []
    for i in range(count):
        value = (1.0, 0.75, 0.5)[i % 3]
        rgb = colorsys.hsv_to_rgb(i / count, 0.85 if i % 2 else 0.6, value)
        colours.append((0, 0, 0) if i == void else colour_of([round(255 * x) for x in rgb]))
    return colours
