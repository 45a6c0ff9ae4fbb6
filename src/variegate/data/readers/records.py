"""A recognised folder as JSON, to have it again without a look at its files: in the index of shards, and in the cache.

Items are columns: one list for each thing that is known about them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..conditions.labels import Labels
from ..conditions.metadata import Metadata
from ..files.blobs import File
from ..files.boxes import Box
from .items import Folder, Item, Rows, Splits, T

PLAIN = ("kind", "structure", "instances", "direction", "also", "notes", "unpaired", "numbering", "length", "name")
TUPLES = ("sides", "classes")
FILES = ("image", "condition", "instances", "normals")  # of an item

Columns = dict[str, Any]


def to_record(folder: Folder) -> dict[str, Any]:
    """What is known of a folder, except its items and problems."""
    record: dict[str, Any] = {name: getattr(folder, name) for name in (*PLAIN, *TUPLES)}
    return record | {"labels": None if folder.labels is None else folder.labels.model_dump(mode="json")}


def from_record(record: Mapping[str, Any], root: Path, splits: Splits) -> Folder:
    """The folder of a record.

    Raises:
        KeyError, TypeError, ValueError: it is not a record.
    """
    known = {name: record[name] for name in PLAIN}
    known |= {name: tuple(record[name]) for name in TUPLES}
    labels = None if record["labels"] is None else Labels.model_validate(record["labels"])
    return Folder(root=root, splits=splits, labels=labels, **known)


def to_columns(items: Sequence[Item]) -> Columns:
    """What is known of items beside their files.

    Raises:
        ValueError: some items have landmarks or vectors, and others have none, or of another number.
    """
    labels = [item.metadata.label for item in items]
    boxes = [item.box for item in items]
    return {
        "count": len(items),
        "halves": any(item.halves for item in items),
        "label": None if None in labels else labels,
        "box": None if None in boxes else boxes,
        "points": _to_text([item.points for item in items]),
        "vector": _to_text([item.metadata.vector for item in items]),
    }


def from_columns(columns: Mapping[str, Any], files: Mapping[str, Sequence[File]]) -> Sequence[Item]:
    """The items of columns, each made when it is asked for; `files` has a column of each of FILES that they have.

    Raises:
        KeyError, TypeError, ValueError: a column is missing, or has another length.
    """
    table = Table(
        files["image"],
        files.get("condition"),
        files.get("instances"),
        points=_from_text(columns["points"]),
        box=None if columns["box"] is None else [tuple(box) for box in columns["box"]],
        halves=bool(columns["halves"]),
        label=columns["label"],
        vector=_from_text(columns["vector"]),
        normals=files.get("normals"),
    )
    if any(len(column) != columns["count"] for column in table if isinstance(column, Sequence)):
        raise ValueError("a column has another length")
    return Rows(range(columns["count"]), table.item)


class Table(NamedTuple):
    """A column for each thing that is known about items; None: no item has it."""

    image: Sequence[File]
    condition: Sequence[File] | None
    instances: Sequence[File] | None
    points: Sequence[NDArray[np.float32]] | None
    box: Sequence[Box] | None
    halves: bool
    label: Sequence[int] | None
    vector: Sequence[NDArray[np.float32]] | None
    normals: Sequence[File] | None

    def item(self, number: int) -> Item:
        def known(column: Sequence[T] | None) -> T | None:
            return None if column is None else column[number]

        metadata = Metadata(known(self.label), known(self.vector))
        condition, instances, points = known(self.condition), known(self.instances), known(self.points)
        box, normals = known(self.box), known(self.normals)
        return Item(self.image[number], condition, instances, points, box, self.halves, metadata, normals)


def _to_text(rows: Sequence[NDArray[np.float32] | None]) -> dict[str, Any] | None:
    """Arrays of equal shape as base64, which keeps every bit."""
    there = [row for row in rows if row is not None]
    if not there:
        return None
    if len(there) < len(rows):
        raise ValueError("only some items have the array")
    stacked = np.stack(there).astype("<f4")
    return {"shape": stacked.shape, "float32": base64.b64encode(stacked.tobytes()).decode()}


def _from_text(text: Mapping[str, Any] | None) -> list[NDArray[np.float32]] | None:
    if text is None:
        return None
    flat = np.frombuffer(base64.b64decode(text["float32"]), dtype="<f4").astype(np.float32)
    return list(flat.reshape(text["shape"]))
