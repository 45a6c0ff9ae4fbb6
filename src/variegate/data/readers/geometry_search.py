"""Detect the landmarks of a folder of images and write them next to the images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.errors import DataError
from ...core.images import to_float
from ...networks.detectors import Detector
from ..files import images as image_files
from ..files.landmarks import TABLES, write_table
from .items import SPLITS

AT_ONCE = 32  # images in memory at a time


def find_landmarks(folder: Path, detector: Detector) -> list[Path]:
    """Detect landmarks and write landmarks.json into a folder of images, or into each of its splits; return the files.

    Images may be in subfolders. The detector sees whole images.

    Raises:
        DataError: there are no images, one cannot be read, or landmarks already exist.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give the one that contains the images")
    places = [place for place in (folder / split for split in SPLITS) if image_files.images_in(place)] or [folder]
    for place in places:
        there = next((place / name for name in TABLES if (place / name).exists()), None)
        if there is not None:
            raise DataError(f"{there}: already exists; move it elsewhere to detect the landmarks again")
        if not image_files.images_in(place, deep=True):
            raise DataError(f"{place}: has no images; accepted formats: {', '.join(sorted(image_files.SUFFIXES))}")
    return [_search(place, detector) for place in places]


def _search(place: Path, detector: Detector) -> Path:
    files = image_files.images_in(place, deep=True)
    table: dict[str, NDArray[np.float32]] = {}
    for first in range(0, len(files), AT_ONCE):
        chunk = files[first : first + AT_ONCE]
        names = [file.relative_to(place).as_posix() for file in chunk]
        table.update(zip(names, detect([image_files.read_image(file) for file in chunk], detector)))
    write_table(place / TABLES[0], table)
    return place / TABLES[0]


def detect(images: Sequence[image_files.Pixels], detector: Detector) -> list[NDArray[np.float32]]:
    """Detect x, y (P, 2) in pixels in each image (H, W, 3); consecutive images of one size form a batch."""
    found: list[NDArray[np.float32]] = []
    while len(found) < len(images):
        run = [images[len(found)]]
        for image in images[len(found) + 1 :]:
            if image.shape != run[0].shape:
                break
            run.append(image)
        batch = to_float(torch.from_numpy(np.stack(run)).permute(0, 3, 1, 2))
        found += [*detector(batch).numpy()]
    return found
