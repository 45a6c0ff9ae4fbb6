"""`metadata.csv` and `metadata.jsonl` beside images, as Hugging Face's `imagefolder` has them: rows that name files."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from pathlib import Path
from typing import Any

from ...core.errors import DataError
from .walk import is_hidden

NAMES = ("metadata.csv", "metadata.jsonl")
OTHERS = ("metadata.parquet",)
FILE_NAME = "file_name"
DEEPEST = 2  # levels of folders in which a list is looked for
HOW = "columns of files are called file_name or end in _file_name"


@dataclass(frozen=True)
class Row:
    """One row; `str` gives its place, for messages."""

    file: Path
    line: int
    cells: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}"


@dataclass(frozen=True)
class ImageList:
    """A file whose rows name images."""

    file: Path

    @cached_property
    def rows(self) -> list[Row]:
        """Raises DataError if the file is damaged or has no rows."""
        try:
            found = list(_csv_rows(self.file) if self.file.suffix == ".csv" else _json_rows(self.file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{self.file}: cannot be read ({error}); write it again, in UTF-8") from None
        if not found:
            raise DataError(f"{self.file}: has no rows; add one for each image, or delete the file")
        return found

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns, in the order in which they occur."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row.cells))

    @cached_property
    def files(self) -> dict[str, str]:
        """The columns of files by what they are called without `_file_name`; `file_name` alone is `image`.

        Raises:
            DataError: there is none, or two mean the same.
        """
        found: dict[str, str] = {}
        for column in self.columns:
            if column != FILE_NAME and not column.endswith(f"_{FILE_NAME}"):
                continue
            name = column.removesuffix(FILE_NAME).removesuffix("_") or "image"
            if name in found:
                raise DataError(f"{self.file}: its columns {found[name]!r} and {column!r} mean the same; remove one")
            found[name] = column
        if not found:
            seen = ", ".join(map(repr, self.columns))
            commas = ", and commas separate columns" if self.file.suffix == ".csv" else ""
            raise DataError(f"{self.file}: has no column of files, only {seen}; {HOW}{commas}")
        return found


def lists_in(root: Path) -> tuple[list[ImageList], list[Path]]:
    """The lists in a folder and two levels below, and files that are called so, but name no files in their first line.

    Raises:
        DataError: two lists tell of the same images.
    """
    lists: list[ImageList] = []
    others: list[Path] = []
    for place in folders_in(root):
        here = [place / name for name in (*NAMES, *OTHERS) if (place / name).is_file()]
        own = [file for file in here if file.name in NAMES and FILE_NAME in _first_line(file)]
        if len(own) > 1:
            raise DataError(f"{own[0]}: {own[1].name} is beside it, and both name images; keep one of them")
        lists += map(ImageList, own)
        others += [file for file in here if file not in own]
    for one, other in permutations(lists, 2):
        if one.file.parent in other.file.parents:
            raise DataError(f"{one.file}: {other.file} is below it, and both name images; keep one of them")
    return lists, others


def place_of(row: Row, column: str, root: Path) -> Path:
    """The file that a row names.

    Raises:
        DataError: it names none, or one that does not exist or lies outside of `root`.
    """
    name = row.cells.get(column)
    if name is None or name == "":
        raise DataError(f"{row}: has no {column}; add it, or remove the row")
    if not isinstance(name, str):
        raise DataError(f"{row}: {column} is {str(name)[:40]!r}, but a file is named by text; correct it")
    own = row.file.parent.relative_to(root)
    inside = os.path.normpath(own / name.replace("\\", "/"))
    if os.path.isabs(inside) or inside.split(os.sep)[0] == os.pardir:
        raise DataError(
            f"{row}: {column} is {name!r}, which lies outside of {root}; move the file there, and name it as seen from "
            f"{row.file.parent}"
        )
    if not os.path.isfile(root / inside):
        raise DataError(f"{row}: {column} is {name!r}, but there is no such file; add it, or remove the row")
    return root / inside


def folders_in(root: Path, deep: int = DEEPEST) -> Iterator[Path]:
    """A folder and those below it, without hidden ones, down to `deep` levels."""
    yield root
    try:
        entries = sorted(os.scandir(root), key=lambda entry: entry.name) if deep else []
    except OSError:  # no permission to read it
        return
    for entry in entries:
        if entry.is_dir() and not is_hidden(entry.name):
            yield from folders_in(root / entry.name, deep - 1)


def _first_line(file: Path) -> str:
    try:
        with file.open(encoding="utf-8-sig", errors="replace") as text:
            return next((line for line in text if line.strip()), "")
    except OSError:  # said by who reads it
        return FILE_NAME


def _csv_rows(file: Path) -> Iterator[Row]:
    with file.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.DictReader(text, skipinitialspace=True, strict=True)
        names = reader.fieldnames or ()
        if twice := [name for name in names if list(names).count(name) > 1]:
            raise DataError(f"{file}: has two columns {twice[0]!r}; rename or remove one")
        for cells in reader:
            if None in cells:
                raise DataError(
                    f"{file}, line {reader.line_num}: has more than {len(names)} cells; put quotes around text that "
                    "has commas"
                )
            yield Row(file, reader.line_num, cells)


def _json_rows(file: Path) -> Iterator[Row]:
    with file.open(encoding="utf-8-sig") as text:
        for number, line in enumerate(text, 1):
            if not line.strip():
                continue
            try:
                cells = json.loads(line)
            except (ValueError, RecursionError):
                cells = None
            if not isinstance(cells, dict):
                raise DataError(
                    f'{file}, line {number}: is not an object of JSON; write one in each line: {{"file_name": "1.png"}}'
                )
            yield Row(file, number, cells)
