"""The contents of label maps, found by opening all of them, and whether they can be labels at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from ...core.progress import watched
from ..conditions.labels import NO_LABEL, Colour
from ..files import images as image_files
from ..files.blobs import Blob, File

MOST_CLASSES = 256
COUNTED = 1 << 16  # values below it are counted, which is faster than sorting them
SOFT_VALUES = 6  # maps with fewer values are never considered smoothed
SURELY_MANY = 16  # maps with at least this many may be, even if their ids have no gaps


@dataclass
class Scan:
    """What a set of label maps contains."""

    ids: set[int] = field(default_factory=set)
    colours: set[Colour] = field(default_factory=set)
    palette: list[Colour] = field(default_factory=list)  # of the first palette PNG
    problems: list[str] = field(default_factory=list)  # one sentence per file
    blurred: list[File] = field(default_factory=list)  # files whose values look smoothed
    count: int = 0  # number of files

    @property
    def soft(self) -> bool:
        """Whether at least half of the files look smoothed."""
        return 2 * len(self.blurred) >= max(1, self.count)

    def softness(self) -> str:
        what = f"{len(self.ids)} ids" if self.ids else f"{len(self.colours)} colours"
        return (
            f"{self.blurred[0].name} and others are not label maps: most of their {what} occur only in single pixels, "
            "as after smoothing or JPEG compression, or in photographs; save the original labels as PNG, and resize "
            "them with nearest neighbour only"
        )

    def has_gaps(self, named: int) -> bool:
        """Whether most ids up to the highest never occur (0, 50, 100), or there are exactly as many names as ids.

        Args:
            named: number of classes with names.
        """
        real = self.ids - {NO_LABEL}
        if not real:
            return False
        top = max(real)
        if named:
            return top >= named == len(self.ids)
        return top + 1 > 2 * len(real) or (len(real) == 1 and NO_LABEL in self.ids)


def scan_labels(files: Sequence[File]) -> Scan:
    """Scan label maps; the result is cached until a file changes."""
    return _scan(tuple(files), sum(0 if isinstance(file, Blob) else file.stat().st_mtime_ns for file in files))


@lru_cache(maxsize=16)
def _scan(files: tuple[File, ...], stamp: int) -> Scan:
    """Ids or colours of all files; `stamp` makes a changed file miss the cache."""
    scan = Scan()
    for file in watched(files, "reading label maps", len(files)):
        try:
            values, palette = image_files.read_labels(file, str(file))
            found = distinct(values)
            if is_soft(values, len(found)):
                scan.blurred.append(file)
            _add(scan, found, palette, file)
        except DataError as error:
            scan.problems.append(str(error))
            continue
    scan.count = len(files)
    return scan


def is_soft(values: NDArray[Any], count: int) -> bool:
    """Whether at least half of a map's values never fill a 2 x 2 square: those of smoothed edges and JPEG artefacts.

    A few colours, or ids without gaps, are never considered soft.

    Args:
        values: (H, W), or colours (H, W, 3).
        count: number of distinct values.
    """
    if count < SOFT_VALUES:
        return False
    if values.ndim == 3:
        if count < SURELY_MANY:
            return False
        values = values.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    elif count < SURELY_MANY and int(values.max()) < 2 * count:
        return False
    right, below, both = values[:-1, 1:], values[1:, :-1], values[1:, 1:]
    corner = values[:-1, :-1]
    squares = corner[(corner == right) & (corner == below) & (corner == both)]
    return 2 * len(np.unique(squares)) <= count


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """Ids (n,) of a map (H, W), or colours (n, 3) of a map (H, W, 3)."""
    if values.ndim == 2:
        few = values.dtype.kind in "ui" and values.size and 0 <= int(values.min()) <= int(values.max()) < COUNTED
        return np.flatnonzero(np.bincount(values.ravel())) if few else np.unique(values)
    codes = np.unique(values.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1]))
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1)


def _add(scan: Scan, found: NDArray[Any], palette: image_files.Pixels | None, file: File) -> None:
    if found.ndim == 2:
        if len(found) > MOST_CLASSES:
            raise DataError(
                f"{file}: has {len(found)} colours, so it is not a label map; "
                "save class ids as 8-bit grey PNG, or exact palette colours without soft edges"
            )
        scan.colours |= {colour_of(row) for row in found}
        return
    if len(found) > 2 and int(found.max()) > NO_LABEL:
        raise DataError(f"{file}: has label id {int(found.max())}, but ids go up to 255; renumber the classes")
    if palette is not None:
        _agree(scan, [int(value) for value in found], [colour_of(row) for row in palette], file)
    scan.ids |= {int(value) for value in found}


def _agree(scan: Scan, found: list[int], palette: list[Colour], file: File) -> None:
    """Check that palette PNGs give each index the same colour; PNG optimisers renumber each file separately."""
    if not scan.palette:
        scan.palette = palette
    for i in found:
        if i < min(len(palette), len(scan.palette)) and palette[i] != scan.palette[i]:
            raise DataError(
                f"{file}: has colour {palette[i]} at palette index {i}, but other label maps have {scan.palette[i]} "
                "there, so an index has no fixed meaning; save all label maps as RGB PNG or as 8-bit grey ids"
            )


def colour_of(row: Any) -> Colour:
    red, green, blue = (int(value) for value in row)
    return red, green, blue
