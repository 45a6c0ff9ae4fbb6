"""Landmark files: JSON and CSV for a folder of images, .pts next to each image."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from ...core.files import write_text

Points = NDArray[np.float32]  # x, y (P, 2) in pixels, NaN where a point is absent
TABLES = ("landmarks.json", "landmarks.csv")


def read_table(path: Path) -> dict[str, Points]:
    """Read the points of each image, by its name in the file; landmarks.json or landmarks.csv.

    Raises:
        DataError: the file is damaged, or an entry is not a list of x, y.
    """
    if path.suffix.lower() == ".csv":
        return _read_csv(path)
    values = read_json(path)
    if not isinstance(values, dict) or not values:
        raise DataError(f"{path}: must be {{file: [[x, y], ...]}} for the images next to it")
    return {str(name): as_points(value, f"{path}: {name}") for name, value in values.items()}


def read_points(path: Path) -> Points:
    """Read the points of one image from a .json, .csv or .pts file.

    Raises:
        DataError: the file does not exist, is damaged, or has the points of several images.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    if suffix == ".pts":
        return read_pts(path)
    if suffix not in (".json", ".csv"):
        raise DataError(f"{path}: is not a landmark file; give a .json, .csv or .pts file")
    if suffix == ".json":
        values = read_json(path)
        if isinstance(values, list):
            return as_points(values, str(path))
    table = read_table(path)
    if len(table) != 1:
        raise DataError(f"{path}: has landmarks of {len(table)} images; give a file with those of one image")
    return next(iter(table.values()))


def as_points(value: Any, where: str) -> Points:
    """Convert [[x, y], ...] to (P, 2); null, [null, null] or NaN is an absent point."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise DataError(f"{where}: expected [[x, y], ...], got {str(value)[:40]!r}")
    points = []
    for p, point in enumerate(value):
        pair = [None, None] if point is None else point
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise DataError(f"{where}: point {p}: expected [x, y], or null if absent, got {str(point)[:40]!r}")
        points.append([_number(part, f"{where}: point {p}") for part in pair])
    return np.array(points, dtype=np.float32)


def read_pts(path: Path) -> Points:
    """Read the 300-W format: version and n_points, then x y lines within braces; the first pixel is (1, 1).

    Raises:
        DataError: the file does not exist, or is not in this format.
    """
    try:
        lines = path.read_text().split("\n")
    except (OSError, UnicodeDecodeError):
        raise DataError(
            f"{path}: cannot be read as text; a .pts file is text with version, n_points and braces"
        ) from None
    rows = [line.strip() for line in lines if line.strip()]
    if "{" not in rows or "}" not in rows:
        raise DataError(
            f"{path}: has no points within braces; a .pts file has version: 1, n_points: 68, {{, x y ..., }}"
        )
    header, inside = rows[: rows.index("{")], rows[rows.index("{") + 1 : rows.index("}")]
    points = as_points([row.split() for row in inside], str(path)) - 1
    told = next((row.partition(":")[2].strip() for row in header if row.startswith("n_points")), str(len(points)))
    if told != str(len(points)):
        raise DataError(f"{path}: declares n_points: {told}, but has {len(points)} points; write it again")
    return points


def write_table(path: Path, table: Mapping[str, Any]) -> None:
    """Write landmarks.json with x, y (P, 2) of each image, to a hundredth of a pixel; an absent point is null."""
    values = {
        name: [[round(float(x), 2), round(float(y), 2)] if np.isfinite([x, y]).all() else None for x, y in points]
        for name, points in table.items()
    }
    write_text(path, json.dumps(values))


def read_json(path: Path) -> Any:
    """The contents of a JSON file. Raises DataError if it is damaged."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: is not valid JSON, or is cut short ({error}); write it again") from None


def _read_csv(path: Path) -> dict[str, Points]:
    """Read rows of file, x0, y0, x1, y1, ...; an empty pair is an absent point; a header without numbers is skipped."""
    try:
        rows = [row for row in csv.reader(path.read_text("utf-8-sig").splitlines()) if row]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: is not valid CSV, or is cut short ({error}); write it again") from None
    if rows and not any(_is_number(cell) for cell in rows[0][1:]):
        rows = rows[1:]
    if not rows:
        raise DataError(f"{path}: has no rows; expected file, x0, y0, x1, y1, ...")
    table = {}
    for name, *numbers in rows:
        if len(numbers) % 2 or not numbers:
            raise DataError(f"{path}: {name}: expected x and y of each point, got {len(numbers)} values")
        if name.strip() in table:
            raise DataError(f"{path}: {name.strip()}: has two rows; delete the wrong one")
        table[name.strip()] = as_points(list(zip(numbers[::2], numbers[1::2])), f"{path}: {name}")
    return table


def _number(value: Any, where: str) -> float:
    """A coordinate; NaN for null and for an empty cell."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return float("nan")
    if isinstance(value, bool) or not _is_number(value):
        raise DataError(f"{where} is {value!r}, which is not a number")
    if np.isinf(float(value)):
        raise DataError(f"{where} is infinite; write null if the point is absent")
    return float(value)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):  # an integer may be too large for a float
        return False
    return True
