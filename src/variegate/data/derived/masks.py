"""Holes from a folder of masks: any images, white inside the hole, each resized to the image that it is cut into."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ...core.errors import DataError, did_you_mean
from ...core.interfaces import Size
from ..files import images as image_files
from ..files.images import Pixels
from . import holes

MASK_BESIDE = re.compile(r"(.+)[_-]mask(_?\d+)?", re.IGNORECASE)
CACHE_BYTES = 1 << 28
RIGHT = f"a mask is an image where {holes.BY_MASK}"


class Masks:
    """The masks in the folder of inpaint:FOLDER, cached in memory up to 256 MB.

    Raises:
        DataError: the folder does not exist, or has no images.
    """

    def __init__(self, place: str) -> None:
        kind, folder = f"inpaint:{place}", Path(os.path.expanduser(place))
        if not place:
            raise DataError(f"condition {kind!r}: give a folder after the colon, such as inpaint:masks; {RIGHT}")
        if not folder.is_dir():
            raise DataError(f"condition {kind!r}: {_missing(folder)}")
        self.folder, self.files = folder, _only_masks(image_files.images_in(folder, deep=True))
        if not self.files:
            raise DataError(f"condition {kind!r}: the folder {folder} has no images; {RIGHT}")
        self._cache: dict[tuple[int, Size], Pixels] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Drop the cache: spawned workers would copy it."""
        return {**self.__dict__, "_cache": {}}

    def __len__(self) -> int:
        return len(self.files)

    def of(self, item: int, size: Size) -> Pixels:
        """The mask (H, W) of an item, 0 and 255. Its file depends only on the item's number."""
        return self._read(int(holes.chances(item)[0] * len(self)), size)

    def problems(self, size: Size) -> Iterator[str]:
        """Open every mask; yield one sentence for each that cannot be used for images of (H, W)."""
        for number in range(len(self)):
            try:
                self._read(number, size)
            except DataError as error:
                yield str(error)

    def _read(self, number: int, size: Size) -> Pixels:
        if (number, size) in self._cache:
            return self._cache[number, size]
        file = self.files[number]
        mask = image_files.resize_largest(holes.read_mask(file), size)
        if mask.all():
            raise DataError(
                f"{file}: covers an entire {size[1]}x{size[0]} image, because every pixel that its hole touches is "
                "masked; use larger images, or a mask with larger black areas"
            )
        if (len(self._cache) + 1) * mask.size <= CACHE_BYTES:
            self._cache[number, size] = mask
        return mask


def _only_masks(files: list[Path]) -> list[Path]:
    """The files that are masks of images next to them, if any; otherwise all files."""
    beside = masks_beside(files)
    return [file for file in files if file in beside] or files


def masks_beside(files: Iterable[Path]) -> set[Path]:
    """The files that are masks of others in the same folder, such as 1_mask.png or 1_mask001.png of 1.png."""
    files = list(files)
    present = {(file.parent, file.stem) for file in files}
    named = ((file, MASK_BESIDE.fullmatch(file.stem)) for file in files)
    return {file for file, found in named if found and (file.parent, found[1]) in present}


def _missing(folder: Path) -> str:
    if folder.exists():
        return f"{folder} is a file; give the folder of the masks"
    beside = [p.name for p in folder.parent.iterdir() if p.is_dir()] if folder.parent.is_dir() else []
    near = [str(folder.parent / name) for name in difflib.get_close_matches(folder.name, beside, n=1)]
    known = ["inpaint:centre", *(f"inpaint:{place}" for place in near)]
    return f"there is no folder {folder} of masks; {did_you_mean(f'inpaint:{folder}', known)}"
