"""Tiny people for the tests beside this file: a person is a colour of ground and a bar's colour, seen in many ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def draw_people(root: Path, people: int = 24, pictures: int = 4, size: int = 24, seed: int = 0) -> Path:
    """`root`/00/0.png ...: two colours make the person; place, form and light of the shape and the noise do not."""
    rng = np.random.default_rng(seed)
    for person in range(people):
        ground, shape = rng.uniform(40, 215, (2, 3))
        for number in range(pictures):
            pixels = np.tile(ground, (size, size, 1))
            top, left = rng.integers(0, size // 2, 2)
            high, wide = rng.integers(size // 3, size // 2 + 2, 2)
            pixels[top : top + high, left : left + wide] = shape
            pixels = pixels * rng.uniform(0.7, 1.25) + rng.normal(0, 12, pixels.shape)
            file = root / f"{person:02d}" / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file)
    return root
