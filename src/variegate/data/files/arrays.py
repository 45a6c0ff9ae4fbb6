"""Images in arrays: .npz files, down-sampled ImageNet as published, CIFAR-10 as torchvision leaves it, digits.

Nothing is unpickled but the CIFAR-10 files that torchvision knows by their checksums.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from .images import Pixels

HOW = "expected `images` uint8 (N, H, W, 3) or (N, H, W), and perhaps `labels` (N,)"


@dataclass
class ArrayFile:
    """The images of one file, decompressed when the first is asked for."""

    file: Path
    count: int
    size: tuple[int, int]
    grey: bool
    labels: NDArray[np.int64] | None = None  # (N,) from 0
    key: str | None = None  # of the array in the file; None: `held` was given
    held: Pixels | None = field(default=None, repr=False)

    def image(self, row: int) -> Pixels:
        """(H, W) or (H, W, 3)."""
        pixels = self.images()[row]
        if self.key == "data":  # planes first, in one row
            return pixels.reshape(3, *self.size).transpose(1, 2, 0)
        return pixels

    def images(self) -> Pixels:
        """As they are in the file.

        Raises:
            DataError: the file is cut short or damaged.
        """
        if self.held is None:
            assert self.key is not None
            self.held = load(self.file, self.key)
        return self.held

    def __getstate__(self) -> dict[str, Any]:
        """Without what can be read again: workers that are spawned would copy it."""
        return {**self.__dict__, "held": None if self.key else self.held}


@dataclass
class ArrayDataset:
    """What arrays were recognised as. Problems have one sentence each."""

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
        """(N,) of a split, or None if some have none."""
        parts = [one.labels for one in self.splits[split]]
        found = [part for part in parts if part is not None]
        return np.concatenate(found) if len(found) == len(parts) else None


def load(file: Path, key: str) -> NDArray[Any]:
    """One array of an .npz file, never a pickle.

    Raises:
        DataError: it is damaged, or holds Python objects.
    """
    try:
        with np.load(file, allow_pickle=False) as content:
            return np.asarray(content[key])
    except Exception as error:  # numpy and zipfile raise many types for damaged files
        raise DataError(f"{file}: {key!r} cannot be read ({error}); write or copy the file again") from None


def headers(file: Path) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and type of each array of an .npz file, without decompressing it.

    Raises:
        DataError: it is no .npz file, or damaged.
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
                    found[name.removesuffix(".npy")] = (shape, kind)
    except (OSError, zipfile.BadZipFile, ValueError, EOFError, zlib.error) as error:
        raise DataError(f"{file}: is no .npz file, or cut short or damaged ({error}); write or copy it again") from None
    return found


def array_file(file: Path) -> tuple[ArrayFile, tuple[str, ...]]:
    """An .npz with `images` and perhaps `labels` and `classes`: the file, and the names of the classes if it has them.

    Raises:
        DataError: what is wrong, and what would be right.
    """
    known = headers(file)
    if "images" not in known:
        raise DataError(f"{file}: has no array `images`, only {', '.join(sorted(known)) or 'nothing'}; {HOW}")
    shape, kind = known["images"]
    if kind.hasobject:
        raise DataError(f"{file}: its images differ in size (a list of arrays); resize all to one size: {HOW}")
    if kind != np.uint8:
        raise DataError(f"{file}: has images of type {kind}; {HOW}")
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)) or 0 in shape:
        raise DataError(f"{file}: has images of shape {shape}; {HOW}")
    if len(shape) == 4 and shape[3] == 1:
        raise DataError(f"{file}: has images of shape {shape}; write grey ones as (N, H, W)")
    labels = labels_in(file, "labels", shape[0]) if "labels" in known else None
    classes: tuple[str, ...] = ()
    if "classes" in known:
        if known["classes"][1].hasobject:
            raise DataError(
                f"{file}: its `classes` are Python objects; write an array of text, such as np.array(names)"
            )
        classes = tuple(map(str, load(file, "classes").reshape(-1)))
    return ArrayFile(file, shape[0], (shape[1], shape[2]), len(shape) == 3, labels, "images"), classes


def labels_in(file: Path, key: str, count: int, first: int = 0) -> NDArray[np.int64]:
    """Class numbers (N,) from 0.

    Args:
        first: the number in the file that means the first class.
    """
    labels = load(file, key)
    if labels.dtype.kind not in "ui" or labels.shape not in ((count,), (count, 1)):
        raise DataError(
            f"{file}: has labels of type {labels.dtype} and shape {labels.shape}; expected whole numbers, "
            f"one for each of the {count} images"
        )
    numbers = labels.reshape(-1).astype(np.int64) - first
    if len(numbers) and int(numbers.min()) < 0:
        raise DataError(f"{file}: has label {int(numbers.min()) + first}; labels are counted from {first}")
    return numbers
