"""Boxes around what is used of each image: `boxes.csv`, `boxes.jsonl` or `boxes.json` beside the images."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ...core.errors import DataError
from ...core.interfaces import Size
from .image_lists import FILE_NAME, ImageList
from .landmarks import read_json

Box = tuple[int, int, int, int]  # left, top, right, bottom; right and bottom are exclusive
TABLES = ("boxes.csv", "boxes.jsonl", "boxes.json")
EDGES = ("left", "top", "right", "bottom")
SIDES = ("x", "y", "width", "height")
HOW = f"name them {', '.join((FILE_NAME, *EDGES))}, or {', '.join((FILE_NAME, *SIDES))}"


def read_boxes(path: Path) -> dict[str, Box]:
    """Read the box of each image, by its name as seen from the file, in pixels of the upright image.

    Fractions are rounded, and what lies left of the image or above it is cut off.

    Raises:
        DataError: the file is damaged, or a row names no image, one that another row names, or no box.
    """
    boxes: dict[str, Box] = {}
    for where, name, cells in _from_json(path) if path.suffix == ".json" else _from_rows(path):
        if name in boxes:
            raise DataError(f"{where}: names {name} again; delete one of its rows")
        boxes[name] = _box(cells, where)
    return boxes


def within(values: NDArray[Any], box: Box, where: str) -> NDArray[Any]:
    """Crop (H, W) or (H, W, c) to a box. Raises DataError if it lies outside of the image, named by `where`."""
    height, width = size_within((values.shape[0], values.shape[1]), box, where)
    left, top, _, _ = box
    return values[top : top + height, left : left + width]


def size_within(size: Size, box: Box, where: str) -> Size:
    """(H, W) of the part of an image of `size` that lies in a box. Raises DataError if there is none."""
    left, top, right, bottom = box
    height, width = min(bottom, size[0]) - top, min(right, size[1]) - left
    if height < 1 or width < 1:
        raise DataError(f"{where}: is {size[1]}x{size[0]}, but its box {box} lies outside; correct the box")
    return height, width


def _from_rows(path: Path) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    table = ImageList(path)
    if FILE_NAME not in table.columns or not any({*names} <= {*table.columns} for names in (EDGES, SIDES)):
        raise DataError(f"{path}: has only the columns {', '.join(map(repr, table.columns))}; {HOW}")
    for row in table.rows:
        name = row.cells.get(FILE_NAME)
        if not isinstance(name, str) or not name:
            raise DataError(f"{row}: has no {FILE_NAME}; add it, or remove the row")
        yield str(row), os.path.normpath(name.replace("\\", "/")), row.cells


def _from_json(path: Path) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    values = read_json(path)
    if not isinstance(values, dict) or not values:
        raise DataError(f"{path}: must be {{file: [{', '.join(EDGES)}]}} for the images next to it")
    for name, value in values.items():
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != len(EDGES):
            raise DataError(f"{path}: {name}: expected [{', '.join(EDGES)}], got {str(value)[:40]!r}")
        yield f"{path}: {name}", os.path.normpath(name), dict(zip(EDGES, value))


def _box(cells: Mapping[str, Any], where: str) -> Box:
    """The box of a row. Raises DataError if a number is missing, or the box is empty."""
    edges = "right" in cells or "bottom" in cells
    left, top, right, bottom = (_number(cells, name, where) for name in (EDGES if edges else SIDES))
    if not edges:
        right, bottom = left + right, top + bottom
    box = (max(0, _round(left)), max(0, _round(top)), _round(right), _round(bottom))
    if box[2] <= box[0] or box[3] <= box[1]:
        raise DataError(
            f"{where}: its box from x {left:g} to {right:g}, y {top:g} to {bottom:g} has no pixels of the image; "
            "correct it"
        )
    return box


def _round(value: float) -> int:
    return math.floor(value + 0.5)


def _number(cells: Mapping[str, Any], name: str, where: str) -> float:
    value = cells.get(name)
    if value is None or value == "":
        raise DataError(f"{where}: has no {name}; add it, or remove the row")
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{where}: {name} is {str(value)[:40]!r}, which is not a number of pixels; correct it")
    return number
