"""Tiny folders of images for the tests beside this file."""

from pathlib import Path

import numpy as np
from PIL import Image

from helpers.shared import shared

RNG = np.random.default_rng(0)


def real(name: str) -> Path:
    return shared("data", name)


def save(file: Path, pixels: np.ndarray) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)
    return file


def photo(height: int = 16, width: int = 16) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


def drawing(height: int = 16, width: int = 16) -> np.ndarray:
    flat = np.zeros((height, width, 3), dtype=np.uint8)
    flat[height // 2 :] = (200, 0, 0)
    return flat


def ids(*values: int, height: int = 16, width: int = 16) -> np.ndarray:
    """A label map in which each of the values has some rows."""
    return np.repeat(np.resize(np.array(values, dtype=np.uint8), height)[:, None], width, axis=1)


def labelled(root: Path, label: str = "train_labels", image: str = "train", *, maps: int = 3, values=(0, 1, 2)) -> Path:
    for i in range(maps):
        save(root / label / f"{i}.png", ids(*values))
        save(root / image / f"{i}.jpg", photo())
    return root
