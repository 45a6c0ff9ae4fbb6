"""Images in arrays: .npz files, downsampled ImageNet as published, CIFAR-10 as stored by torchvision, digits.

Nothing is unpickled except the CIFAR-10 files, which torchvision verifies by checksum.
"""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from .images import Pixels

HOW = "expected `images` uint8 (N, H, W, 3) or (N, H, W), and optionally `labels` (N,)"


@dataclass
class ArrayFile:
    """The images of one file, decompressed on first access."""

    file: Path
    count: int
    size: tuple[int, int]
    grey: bool
    labels: NDArray[np.int64] | None = None  # (N,) from 0
    key: str | None = None  # of the array in the file; None: `held` was passed in
    held: Pixels | None = field(default=None, repr=False)

    def image(self, row: int) -> Pixels:
        """(H, W) or (H, W, 3)."""
        pixels = self.images()[row]
        if self.key == "data":  # planes first, in one row
            return pixels.reshape(3, *self.size).transpose(1, 2, 0)
        return pixels

    def images(self) -> Pixels:
        """All images, as stored in the file.

        Raises:
            DataError: the file is cut short or damaged.
        """
        if self.held is None:
            assert self.key is not None
            self.held = load(self.file, self.key)
        return self.held

    def __getstate__(self) -> dict[str, Any]:
        """Drop the images if they can be read again: spawned workers would copy them."""
        return {**self.__dict__, "held": None if self.key else self.held}


@dataclass
class ArrayDataset:
    """A recognised data set of arrays. Each problem is one sentence."""

    name: str
    root: Path
    splits: dict[str, list[ArrayFile]]
    structure: str
    classes: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        return next(iter(self.splits.values()))[0].size

    @property
    def grey(self) -> bool:
        return all(one.grey for array_files in self.splits.values() for one in array_files)

    def labels_of(self, split: str) -> NDArray[np.int64] | None:
        """Labels (N,) of a split, or None if any of its files has none."""
        parts = [one.labels for one in self.splits[split]]
        found = [part for part in parts if part is not None]
        return np.concatenate(found) if len(found) == len(parts) else None


def load(file: Path, key: str) -> NDArray[Any]:
    """Load one array of an .npz file, never unpickling.

    Raises:
        DataError: the file is damaged, or contains Python objects.
    """
    try:
        with np.load(file, allow_pickle=False) as content:
            return np.asarray(content[key])
    except Exception as error:  # numpy and zipfile raise many types for damaged files
        raise DataError(f"{file}: cannot read {key!r} ({error}); write or copy the file again") from None


def headers(file: Path) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and type of each array of an .npz file, without decompressing it.

    Raises:
        DataError: it is not an .npz file, or is damaged.
    """
    found = {}
    try:
        with zipfile.ZipFile(file) as content:
            for name in content.namelist():
                with content.open(name) as stream:
                    version = np.lib.format.read_magic(stream)
                    read = np.lib.format.read_array_header_1_0
                    read = read if version == (1, 0) else np.lib.format.read_array_header_2_0
                    shape, _, kind = read(stream)
                    if math.prod(shape) * kind.itemsize > content.getinfo(name).file_size:
                        raise ValueError(f"{name} says that it has the shape {shape}, which is more than it holds")
                    found[name.removesuffix(".npy")] = (shape, kind)
    except Exception as error:  # numpy and zipfile raise many types for damaged files
        raise DataError(
            f"{file}: is not an .npz file, or is cut short or damaged ({error}); write or copy it again"
        ) from None
    return found


def array_file(file: Path) -> tuple[ArrayFile, tuple[str, ...]]:
    """Open an .npz with `images` and optionally `labels` and `classes`: the file, and its class names, if any.

    Raises:
        DataError: an array is missing, or has the wrong type or shape.
    """
    known = headers(file)
    if "images" not in known:
        raise DataError(f"{file}: has no array `images`, only {', '.join(sorted(known)) or 'nothing'}; {HOW}")
    shape, kind = known["images"]
    if kind.hasobject:
        raise DataError(f"{file}: has images of different sizes (a list of arrays); resize all to one size: {HOW}")
    if kind != np.uint8:
        raise DataError(f"{file}: has images of type {kind}; {HOW}")
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)) or 0 in shape:
        raise DataError(f"{file}: has images of shape {shape}; {HOW}")
    if len(shape) == 4 and shape[3] == 1:
        raise DataError(f"{file}: has images of shape {shape}; write grey images as (N, H, W)")
    labels = labels_in(file, "labels", shape[0]) if "labels" in known else None
    classes: tuple[str, ...] = ()
    if "classes" in known:
        if known["classes"][1].hasobject:
            raise DataError(
                f"{file}: has Python objects in `classes`; write an array of strings, such as np.array(names)"
            )
        classes = tuple(map(str, load(file, "classes").reshape(-1)))
    return ArrayFile(file, shape[0], (shape[1], shape[2]), len(shape) == 3, labels, "images"), classes


def labels_in(file: Path, key: str, count: int, first: int = 0) -> NDArray[np.int64]:
    """Read class numbers (N,), counted from 0.

    Args:
        first: the number of the first class in the file.
    """
    labels = load(file, key)
    if labels.dtype.kind not in "ui" or labels.shape not in ((count,), (count, 1)):
        raise DataError(
            f"{file}: expected labels to be whole numbers, one for each of the {count} images, "
            f"got type {labels.dtype} and shape {labels.shape}"
        )
    numbers = labels.reshape(-1).astype(np.int64) - first
    if len(numbers) and int(numbers.min()) < 0:
        raise DataError(f"{file}: has label {int(numbers.min()) + first}; labels must start at {first}")
    return numbers
