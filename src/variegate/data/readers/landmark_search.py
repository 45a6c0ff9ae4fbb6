"""Landmarks of a folder of images, found by a detector and written beside them."""

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

AT_ONCE = 32  # images that are in memory together


def find_landmarks(folder: Path, detector: Detector) -> list[Path]:
    """Write landmarks.json into a folder of images, or into each of its splits; returns the files.

    Images may lie in folders below. The detector sees each image whole.

    Raises:
        DataError: there is no image, one cannot be read, or landmarks are there already.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder; give the one that holds the images")
    places = [place for place in (folder / split for split in SPLITS) if image_files.images_in(place)] or [folder]
    for place in places:
        there = next((place / name for name in TABLES if (place / name).exists()), None)
        if there is not None:
            raise DataError(f"{there}: is there already; move it away to have the landmarks found anew")
        if not image_files.images_in(place, deep=True):
            raise DataError(f"{place}: has no images; accepted are {', '.join(sorted(image_files.SUFFIXES))}")
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
    """x, y (P, 2) in pixels of each image (H, W, 3), in runs of images of one size."""
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
