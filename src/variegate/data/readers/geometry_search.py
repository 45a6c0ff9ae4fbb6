"""Detect the landmarks, or estimate the surface normals, of a folder of images and write them next to the images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.errors import DataError
from ...core.images import to_float
from ...core.progress import watched
from ...networks.detectors import Detector
from ..files import images as image_files
from ..files.boxes import Box, within
from ..files.landmarks import TABLES, write_table
from .boxes import box_of, tables_in
from .items import SPLITS

AT_ONCE = 32  # images in memory at a time
Network = Callable[[Tensor], Tensor]  # images (B, 3, H, W) in [-1, 1] to (B, ...)


class Crops:
    """What networks see of the images below a folder: all of each, or what lies in its box, if there is a table."""

    def __init__(self, root: Path) -> None:
        self.roots, self.tables = (root,), tables_in((root,))

    def box(self, file: Path) -> Box | None:
        return box_of((file,), self.tables, self.roots)

    def read(self, file: Path) -> image_files.Pixels:
        pixels, box = image_files.read_image(file), self.box(file)
        return pixels if box is None else within(pixels, box, str(file))

    def corner(self, file: Path) -> NDArray[np.float32]:
        """x, y of the first pixel that is seen."""
        return np.array((self.box(file) or (0, 0))[:2], dtype=np.float32)


def find_landmarks(folder: Path, detector: Detector) -> list[Path]:
    """Detect landmarks and write landmarks.json into a folder of images, or into each of its splits; return the files.

    Images may be in subfolders. The detector sees whole images, or what lies in the box that a table has for each.

    Raises:
        DataError: there are no images, one cannot be read, or landmarks already exist.
    """
    places = _places(folder)
    for place in places:
        there = next((place / name for name in TABLES if (place / name).exists()), None)
        if there is not None:
            raise DataError(f"{there}: already exists; move it elsewhere to detect the landmarks again")
    crops = Crops(folder)
    return [_search(place, detector, crops) for place in places]


def estimate_normals(folder: Path, estimator: Network) -> list[Path]:
    """Estimate normals and write them as .npy of float16 (H, W, 3): those of FOLDER/x.jpg as FOLDER/normals/x.npy, and
    those of FOLDER/train/x.jpg as FOLDER/train_normals/x.npy; return the folders. Images in subfolders are left out.

    Those of an image with a box in a table are of what lies in it.

    Args:
        estimator: (B, 3, H, W) in [-1, 1] to unit vectors (B, 3, H, W), zero where there is no surface.

    Raises:
        DataError: there are no images, two have the same name, one cannot be read, or normals already exist.
    """
    places = _places(folder, deep=False)
    targets = [folder / ("normals" if place == folder else f"{place.name}_normals") for place in places]
    for target in targets:
        if target.exists():
            raise DataError(f"{target}: already exists; move it elsewhere to estimate the normals again")
    for place in places:
        names = Counter(file.stem for file in image_files.images_in(place))
        if twice := [name for name, count in names.items() if count > 1]:
            raise DataError(
                f"{place}: has several images named {twice[0]}, whose normals would be one file; rename some"
            )
    crops = Crops(folder)
    for place, target in zip(places, targets):
        with TemporaryDirectory(dir=folder, prefix=".normals-") as unfinished:
            whole = Path(unfinished, target.name)
            whole.mkdir()
            for chunk in _chunks(image_files.images_in(place), "estimating normals"):
                for file, normals in zip(chunk, apply([crops.read(file) for file in chunk], estimator)):
                    np.save(whole / f"{file.stem}.npy", normals.transpose(1, 2, 0).astype(np.float16))
            whole.rename(target)
    return targets


def _places(folder: Path, deep: bool = True) -> list[Path]:
    """The splits of a folder that contain images, or the folder itself."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give the one that contains the images")
    places = [place for place in (folder / split for split in SPLITS) if image_files.images_in(place)] or [folder]
    for place in places:
        if not image_files.images_in(place, deep=deep):
            raise DataError(f"{place}: has no images; accepted formats: {', '.join(sorted(image_files.SUFFIXES))}")
    return places


def _chunks(files: Sequence[Path], what: str) -> Iterator[Sequence[Path]]:
    chunks = [files[first : first + AT_ONCE] for first in range(0, len(files), AT_ONCE)]
    return watched(chunks, what, len(chunks))


def _search(place: Path, detector: Detector, crops: Crops) -> Path:
    table: dict[str, NDArray[np.float32]] = {}
    for chunk in _chunks(image_files.images_in(place, deep=True), "detecting landmarks"):
        for file, points in zip(chunk, apply([crops.read(file) for file in chunk], detector)):
            table[file.relative_to(place).as_posix()] = points + crops.corner(file)
    write_table(place / TABLES[0], table)
    return place / TABLES[0]


def apply(images: Sequence[image_files.Pixels], network: Network) -> list[NDArray[Any]]:
    """Apply a network to images (H, W, 3); consecutive images of one size form a batch."""
    found: list[NDArray[Any]] = []
    while len(found) < len(images):
        run = [images[len(found)]]
        for image in images[len(found) + 1 :]:
            if image.shape != run[0].shape:
                break
            run.append(image)
        batch = to_float(torch.from_numpy(np.stack(run)).permute(0, 3, 1, 2))
        found += [*network(batch).numpy()]
    return found
