"""Open arrays of images as data: their condition, and the rows of each split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.errors import DataError, with_article
from ...core.interfaces import Size
from ..conditions import Condition, ImageCondition
from ..conditions.class_label import class_numbers
from ..conditions.metadata import Metadata, evenly
from ..conditions.spec import ConditionSpec, Found, OfClass, condition_of
from ..files.arrays import ArrayDataset, ArrayFile
from ..files.blobs import File
from ..files.landmarks import Points
from ..files.sources import Source
from ..files.vectors import matched, read_vectors
from ..readers.items import hold_out
from .choice import same_length
from .origins import Origin, Parts
from .pairs import DataSource


@dataclass(frozen=True)
class Rows(Origin):
    """Pairs from the rows of arrays."""

    array_files: Sequence[ArrayFile]
    rows: NDArray[np.int64]  # counted across all array_files
    labels: NDArray[np.int64] | None  # (N,) of all array_files, numbered as in the condition
    vectors: NDArray[np.float32] | None  # (N, D)
    condition: Condition
    channels: Literal[1, 3]

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Row of the first image of each file."""
        return np.cumsum([0, *(part.count for part in self.array_files[:-1])])

    @property
    def names(self) -> Sequence[str]:
        places = (self._place(int(row)) for row in self.rows)
        return [f"{part.file}:{row}" for part, row in places]

    @property
    def paths(self) -> Sequence[File]:
        return [part.file for part in self.array_files if part.file.is_file()]  # digits come with a Python package

    def _place(self, row: int) -> tuple[ArrayFile, int]:
        number = int(np.searchsorted(self.starts, row, side="right")) - 1
        return self.array_files[number], row - int(self.starts[number])

    def parts(self, index: int) -> Parts:
        return Row(self, int(self.rows[index]))

    def pixels(self, row: int) -> Tensor:
        """uint8 (3 or 1, H, W)."""
        part, place = self._place(row)
        pixels = torch.from_numpy(np.array(part.image(place)))
        return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)


@dataclass(frozen=True)
class Row:
    """One image of an array, with its metadata."""

    origin: Rows
    row: int

    @property
    def name(self) -> str:
        part, place = self.origin._place(self.row)
        return f"{part.file}:{place}"

    def image(self, size: Size) -> Tensor:
        return ImageCondition(channels=self.origin.channels).read(self.origin.pixels(self.row), size)

    def original(self, size: Size) -> Tensor:
        return self.image(size).expand(3, -1, -1)

    def other(self) -> Source:
        return self.origin.pixels(self.row)

    def metadata(self) -> Metadata:
        labels, vectors = self.origin.labels, self.origin.vectors
        label = None if labels is None else int(labels[self.row])
        return Metadata(label, None if vectors is None else vectors[self.row])

    def labels(self, instances: bool) -> Source:
        raise AssertionError("arrays of images have no label maps")

    def landmarks(self) -> tuple[Points, Size]:
        raise AssertionError("arrays of images have no landmarks")

    def normals(self) -> NDArray[Any]:
        raise AssertionError("arrays of images have no normals")


def open_arrays(
    dataset: ArrayDataset,
    spec: ConditionSpec | None,
    given: Condition | None,
    size: Size | None,
    grey: bool | None,
    whole: bool,
) -> DataSource:
    """Open a data set of arrays.

    Args:
        spec: the requested condition; default: class, if there are labels.
        given: the condition of a trained model.
        grey: whether images have one channel; default: as in the arrays.
        whole: hold nothing out.

    Raises:
        DataError: the arrays have a problem, or do not fit the condition.
    """
    if dataset.problems:
        more = len(dataset.problems) - 1
        raise DataError(dataset.problems[0] + (f" (and {more} more problems: variegate data check)" if more else ""))
    shape = size or dataset.size
    condition, vectors = array_condition(dataset, spec, given, shape)
    channels: Literal[1, 3] = 1 if (dataset.grey if grey is None else grey) else 3
    splits = rows_of(dataset, whole)
    numbers = class_numbers(condition, dataset.classes, str(dataset.root))
    origins: dict[str, Origin] = {}
    for split, rows in splits.items():
        array_files = dataset.splits.get(split, dataset.splits.get("train", []))
        source = split if split in dataset.splits else "train"
        labels = dataset.labels_of(source)
        labels = numbers[labels] if labels is not None and dataset.classes else None
        own = None if vectors is None else vectors[source]
        origins[split] = Rows(array_files, rows, labels, own, condition, channels)
    counts = ", ".join(f"{len(rows)} {split}" for split, rows in splits.items())
    told = f"{describe(dataset)}: {counts}"
    return DataSource(dataset.name, origins, condition, shape, told, image_channels=channels)


def describe(dataset: ArrayDataset) -> str:
    """Describe the arrays in words."""
    (height, width), colour = dataset.size, "grey" if dataset.grey else "colour"
    classes = f", {len(dataset.classes)} classes" if dataset.classes else ""
    return f"{dataset.structure}, {colour} images of {width}x{height}{classes}"


def rows_of(dataset: ArrayDataset, whole: bool = False) -> dict[str, NDArray[np.int64]]:
    """The rows of each split, with each class in proportion everywhere.

    Without val, the end of train is held out, unless `whole` is true.
    """
    orders = {}
    for split, array_files in dataset.splits.items():
        labels = dataset.labels_of(split)
        orders[split] = list(np.arange(sum(part.count for part in array_files)) if labels is None else evenly(labels))
    return {split: np.array(rows) for split, rows in (orders if whole else hold_out(orders)).items()}


def array_condition(
    dataset: ArrayDataset, spec: ConditionSpec | None, given: Condition | None, size: Size
) -> tuple[Condition, dict[str, NDArray[np.float32]] | None]:
    """The condition, and the vectors (N, D) of each split if it needs them.

    Vectors without names must be in the order of the rows of the splits.
    """
    if spec is None and given is not None:
        raise DataError(
            f"{dataset.root}: has arrays of images, but the model reads {with_article(given.noun)}; "
            "use data like its training data"
        )
    if spec is None and not dataset.classes:
        raise DataError(
            f"{dataset.root}: has no labels; give --condition none for an unconditional model, or a derived condition: "
            "edges, grey, self, superres:4 or inpaint"
        )
    wanted = spec or ConditionSpec((OfClass(),))
    if wanted.stored:
        raise DataError(f"{dataset.root}: has no {wanted.stored[0]} alongside its images; give another condition")
    vectors, length = None, None
    if wanted.vectors is not None:
        names = [
            f"{part.file.name}:{row}"
            for array_files in dataset.splits.values() for part in array_files for row in range(part.count)
        ]  # fmt: skip
        rows = matched(read_vectors(wanted.vectors), names, str(dataset.root))
        ends = np.cumsum([sum(part.count for part in array_files) for array_files in dataset.splits.values()])
        vectors, length = dict(zip(dataset.splits, np.split(rows, ends[:-1]))), rows.shape[1]
    condition = given or condition_of(wanted, Found(dataset.classes, length, size, str(dataset.root)))
    same_length(condition, length, str(dataset.root))
    return condition, vectors
