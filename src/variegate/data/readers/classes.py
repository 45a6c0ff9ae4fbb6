"""The classes of a folder of label maps: found by opening every one of them."""

from __future__ import annotations

import colorsys
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from ..conditions.cityscapes import LEAST_COLOURS, NAMES, OTHER, PALETTE, Numbering, by_colour
from ..conditions.labels import NO_LABEL, Colour, Labels
from ..files import images as image_files

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
MOST_CLASSES = 256
PEEKED = 3  # label maps that tell a palette of Cityscapes


@dataclass
class Scan:
    """What a set of label maps contains."""

    ids: set[int] = field(default_factory=set)
    colours: set[Colour] = field(default_factory=set)
    palette: list[Colour] = field(default_factory=list)  # of the first palette PNG
    problems: list[str] = field(default_factory=list)  # one sentence a file


def labels_in(files: Sequence[Path], root: Path, numbering: Numbering | None = None) -> tuple[Labels, list[str]]:
    """Classes of label maps, and a sentence for each map that cannot be used.

    Names and colours come from `classes.json` or `classes.txt` in `root` if there is one.

    Args:
        numbering: of a published set of street scenes, whose classes are known without opening every map.

    Raises:
        DataError: no file is usable, or the names do not fit the ids.
    """
    if not (root / "classes.json").is_file() and not (root / "classes.txt").is_file():
        numbering = numbering or _of_palette(files)
        if numbering is not None:
            return street_labels(numbering), []
    scan = _scan(tuple(files), sum(file.stat().st_mtime_ns for file in files))
    if not scan.ids and not scan.colours:
        raise DataError(scan.problems[0] if scan.problems else f"{root}: has no label maps")
    if scan.ids and scan.colours:
        raise DataError(f"{root}: some label maps hold class ids and some hold RGB colours; save all in one way")
    named = names_in(root)
    return (_by_colour(scan, named) if scan.colours else _by_id(scan, named, root)), list(scan.problems)


def street_labels(numbering: Numbering) -> Labels:
    """The classes of Cityscapes, GTA-5 and BDD100K."""
    return Labels(names=NAMES, palette=PALETTE, void=OTHER, numbering=numbering)


def _of_palette(files: Sequence[Path]) -> Numbering | None:
    """For palette PNGs that are coloured as Cityscapes is, such as those of GTA-5, how grey ones beside them would
    number the classes; None for others."""
    found: set[Colour] = set()
    for file in files[:PEEKED]:
        try:
            values, palette = image_files.read_labels(file, str(file))
        except DataError:
            return None
        if palette is None or int(values.max()) >= len(palette):
            return None
        found |= {_colour(row) for row in palette[np.unique(values)]}
    return "trainIds" if by_colour(found) and len(found & {*PALETTE}) >= LEAST_COLOURS else None


@lru_cache(maxsize=16)
def _scan(files: tuple[Path, ...], stamp: int) -> Scan:
    """Ids or colours of all files; `stamp` makes a changed file miss the cache."""
    scan = Scan()
    for file in files:
        try:
            values, palette = image_files.read_labels(file, str(file))
            _add(scan, _distinct(values), palette, file)
        except DataError as error:
            scan.problems.append(str(error))
            continue
    return scan


def _distinct(values: NDArray[Any]) -> NDArray[Any]:
    """Ids (n,) of a map (H, W), or colours (n, 3) of a map (H, W, 3)."""
    if values.ndim == 2:
        return np.unique(values)
    codes = np.unique(values.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1]))
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1)


def _add(scan: Scan, found: NDArray[Any], palette: image_files.Pixels | None, file: Path) -> None:
    if found.ndim == 2:
        if len(found) > MOST_CLASSES:
            raise DataError(
                f"{file}: has {len(found)} colours, so it is not a label map; "
                "save class ids as 8-bit grey PNG, or exact palette colours without soft edges"
            )
        scan.colours |= {_colour(row) for row in found}
        return
    if int(found.max()) > NO_LABEL:
        raise DataError(f"{file}: has label id {int(found.max())}, but ids go up to 255; renumber the classes")
    if palette is not None:
        _agree(scan, [int(value) for value in found], [_colour(row) for row in palette], file)
    scan.ids |= {int(value) for value in found}


def _agree(scan: Scan, found: list[int], palette: list[Colour], file: Path) -> None:
    """Palette PNGs must mean the same by the same index; programs that shrink PNGs renumber each file for itself."""
    if not scan.palette:
        scan.palette = palette
    for i in found:
        if i < min(len(palette), len(scan.palette)) and palette[i] != scan.palette[i]:
            raise DataError(
                f"{file}: has colour {palette[i]} at palette index {i}, but other label maps have {scan.palette[i]} "
                "there, so an index has no fixed meaning; save all label maps as RGB PNG or as 8-bit grey ids"
            )


def _by_id(scan: Scan, named: dict[str, Colour | None], root: Path) -> Labels:
    real = scan.ids - {NO_LABEL}
    top = max(real, default=0)
    if named and top >= len(named):
        raise DataError(f"{root}: names {len(named)} classes, but label maps have ids up to {top}; name every id")
    if not named and top == OTHER - 1 and NO_LABEL in scan.ids:
        return street_labels("trainIds")
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
    """Classes in the order of `classes.json` if it gives every colour, else in the order of their colours."""
    if not named and by_colour(scan.colours) and len(scan.colours & {*PALETTE}) >= LEAST_COLOURS:
        return street_labels("trainIds")
    colours = [colour for colour in named.values() if colour is not None]
    if not named or len(colours) < len(named):
        colours = sorted(scan.colours)
        names = list(named) if len(named) == len(colours) else [f"class {i}" for i in range(len(colours))]
    else:
        names = list(named)
    if len(colours) > MOST_CLASSES:
        raise DataError(f"label maps have {len(colours)} colours altogether; save class ids as 8-bit grey PNG instead")
    void = next((i for i, name in enumerate(names) if name.lower() in VOID_NAMES), None)
    return Labels(names=tuple(names), palette=tuple(colours), void=void)


def names_in(root: Path) -> dict[str, Colour | None]:
    """Class names, and colours where given, from classes.json or classes.txt; empty if there is neither.

    JSON: a list of names or of {"name", "color"}, an object of id: name, or an object of name: [r, g, b].

    Raises:
        DataError: the file does not say this.
    """
    plain, structured = root / "classes.txt", root / "classes.json"
    file = structured if structured.is_file() else plain
    if not file.is_file():
        return {}
    try:
        text = file.read_text(encoding="utf-8")
        lines = [line for line in map(str.strip, text.split("\n")) if line]
        pairs = _names_and_colours(json.loads(text) if file is structured else lines)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
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
    return [(str(row["name"]), None if colour is None else _colour(colour)) for row, colour in zip(rows, colours)]


def _colour(row: Any) -> Colour:
    red, green, blue = (int(value) for value in row)
    return red, green, blue


def hues(count: int, void: int | None = None) -> list[Colour]:
    """Distinct colours for display: evenly spaced hues in three brightnesses; void is black."""
    colours: list[Colour] = []
    for i in range(count):
        value = (1.0, 0.75, 0.5)[i % 3]
        rgb = colorsys.hsv_to_rgb(i / count, 0.85 if i % 2 else 0.6, value)
        colours.append((0, 0, 0) if i == void else _colour([round(255 * x) for x in rgb]))
    return colours
