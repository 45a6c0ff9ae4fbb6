"""Tables of images as Hugging Face `datasets` saves them: memory-mapped, and read by row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from .blobs import OPEN, Blob


@dataclass(frozen=True, eq=False)
class Table:
    """One split that `Dataset.save_to_disk` wrote."""

    path: Path

    @property
    def features(self) -> dict[str, Any]:
        """The type of each column."""
        return dict(_opened(self).features)

    def column(self, name: str) -> Any:
        """A pyarrow ChunkedArray; for images of structs {bytes, path}."""
        return _opened(self).data.column(name)

    def numbers(self, name: str) -> NDArray[np.int64]:
        """A column of integers (N,). Raises DataError if it has gaps."""
        column = self.column(name)
        if column.null_count:
            raise DataError(f"{self.path}: column {name!r} has rows without a value; fill them, or drop the rows")
        return np.asarray(column.to_numpy(), dtype=np.int64)

    def images(self, name: str) -> list[Cell]:
        """The cells of a column of images."""
        import pyarrow.compute as compute

        column = self.column(name)
        sizes = compute.fill_null(compute.binary_length(compute.struct_field(column, "bytes")), -1).to_pylist()
        paths = compute.struct_field(column, "path").to_pylist()
        width = len(str(len(sizes)))
        return [
            Cell(self, name, row, path or f"{name}-{row:0{width}d}", size)
            for row, (size, path) in enumerate(zip(sizes, paths))
        ]


@dataclass(frozen=True, slots=True)
class Cell(Blob):
    """An image in a table; `size` is -1 if the table has only its path."""

    table: Table
    column: str
    row: int
    path: str
    size: int

    def __str__(self) -> str:
        return f"{self.table.path}, {self.column} of row {self.row}"

    def read(self) -> bytes:
        value = self.table.column(self.column)[self.row].as_py()
        if value is None or (value["bytes"] is None and value["path"] is None):
            raise DataError(f"{self}: is empty; drop the row")
        if value["bytes"] is not None:
            return bytes(value["bytes"])
        try:
            return (self.table.path / value["path"]).read_bytes()
        except OSError:
            raise DataError(
                f"{self}: is the path {value['path']}, which cannot be read; save the dataset again where it can, "
                "or embed the images"
            ) from None


def require_datasets(where: Path) -> None:
    """Raises DataError if the package that reads such tables is missing."""
    if find_spec("datasets") is None:
        raise DataError(f"{where}: needs the package datasets: pip install 'variegate[datasets]'")


@lru_cache(maxsize=OPEN)
def _opened(table: Table) -> Any:
    """The dataset, memory-mapped, so that forked processes share it."""
    from datasets import load_from_disk

    try:
        return load_from_disk(str(table.path), keep_in_memory=False)
    except Exception as error:  # pyarrow and datasets raise many types for damaged files
        raise DataError(
            f"{table.path}: is no dataset, or is damaged ({str(error).splitlines()[0]}); save or copy it again"
        ) from None
