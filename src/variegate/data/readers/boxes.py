"""Tables of boxes beside images: the pairs of a folder, cropped to what is used of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...core.errors import DataError
from ..files.blobs import File
from ..files.boxes import TABLES, Box, read_boxes
from ..files.image_lists import folders_in
from .geometry import problem_with_names
from .items import Folder, Item


@dataclass(frozen=True)
class Table:
    """The boxes that a folder has for its images, by their paths as seen from it."""

    file: Path
    boxes: dict[str, Box]


Tables = Mapping[Path, Table]


def add_boxes(folder: Folder, roots: Sequence[Path]) -> None:
    """Give each item the box that the nearest table has for its image, or for its condition, and move its landmarks.

    A table lies beside the images or in a folder above them, down from `roots`. Without one, items stay as they are.

    Raises:
        DataError: a table cannot be used, or boxes do not suit the folder.
    """
    tables = tables_in(roots)
    if not tables:
        return
    file = next(iter(tables.values())).file
    if folder.unpaired:
        raise DataError(f"{file}: boxes belong to pairs, but these are unpaired; move it elsewhere, or omit --unpaired")
    if folder.kind == "halves":
        raise DataError(
            f"{file}: has boxes of A|B images; save the halves as images of their own, or move it elsewhere"
        )
    for place, table in tables.items():
        absent = [name for name in table.boxes if not (place / name).is_file()]
        folder.problems += problem_with_names(absent, table.file, "has boxes for missing images: {}; remove their rows")
    bare: list[str] = []
    for split, items in folder.splits.items():
        boxes = [box_of((item.image, item.condition), tables, roots) for item in items]
        bare += [str(item.image) for item, box in zip(items, boxes) if box is None]
        folder.splits[split] = [item if box is None else _cropped(item, box) for item, box in zip(items, boxes)]
    folder.problems += problem_with_names(bare, file, "has no boxes for {}; add some, or move images away")
    folder.structure += f", cropped to the boxes in {file.name}"


def tables_in(roots: Sequence[Path]) -> Tables:
    """The tables of boxes in folders and down to two levels below, by their folders. Raises DataError if one is bad."""
    return {place: table for root in roots for place in folders_in(root) if (table := _table_in(place)) is not None}


def _table_in(place: Path) -> Table | None:
    found = [place / name for name in TABLES if (place / name).is_file()]
    if len(found) > 1:
        raise DataError(f"{found[0]}: {found[1].name} is beside it, and both have boxes; keep one of them")
    return Table(found[0], read_boxes(found[0])) if found else None


def box_of(files: Sequence[File | None], tables: Tables, roots: Sequence[Path]) -> Box | None:
    """The box that the nearest table has for the first of some files of which one has any."""
    for file in files:
        if not isinstance(file, Path):
            continue
        for place in file.parents:
            box = tables[place].boxes.get(file.relative_to(place).as_posix()) if place in tables else None
            if box is not None:
                return box
            if place in roots:
                break
    return None


def _cropped(item: Item, box: Box) -> Item:
    """The item with another box, and its landmarks in pixels of that."""
    if item.points is None:
        return replace(item, box=box)
    before = (0, 0) if item.box is None else item.box[:2]
    return replace(item, box=box, points=item.points + np.subtract(before, box[:2]).astype(item.points.dtype))
