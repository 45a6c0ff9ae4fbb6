"""Pixels of odd data sets: label maps of rectangles, photographs that show them, and how each is kept in a file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

Array = np.ndarray
COLOURS = np.array([(12, 60, 34), (200, 30, 40), (40, 190, 60), (60, 50, 210), (230, 210, 50), (190, 60, 200)])
PHOTOGRAPHS = (".png", ".jpg", ".jfif", ".bmp", ".webp", ".tif", ".gif")
DEEP = (".png", ".tif")  # hold 16 bits
EXACT = (".png", ".bmp", ".tif")  # hold ids and flat colours as they are
LABEL_STYLES = ("contiguous", "void", "times 50", "binary", "palette", "rgb", "smoothed", "was jpeg")
SOFT = ("smoothed", "was jpeg")


def rectangles(rng: np.random.Generator, size: tuple[int, int], classes: int) -> Array:
    """Classes (H, W), each of which is there."""
    while True:
        found = np.zeros(size, dtype=np.uint8)
        for one in range(1, classes):
            height, width = (int(rng.integers(4, max(5, side // 2))) for side in size)
            top, left = (int(rng.integers(0, side - part)) for side, part in zip(size, (height, width)))
            found[top : top + height, left : left + width] = one
        if min(np.bincount(found.ravel(), minlength=classes)) >= 6:
            return found


def photograph(rng: np.random.Generator, classes: Array) -> Array:
    """Light from somewhere, large and small noise, and an edge wherever the class changes: (H, W, 3)."""
    size = classes.shape[1], classes.shape[0]
    coarse = Image.fromarray(rng.integers(0, 80, (4, 4, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    values = COLOURS[classes] * 0.6 + np.asarray(coarse, dtype=np.float64) + rng.normal(20, 9, (*classes.shape, 3))
    return values.clip(0, 255).astype(np.uint8)


def drawing(classes: Array) -> Array:
    return COLOURS[classes].astype(np.uint8)


def blurred(pixels: Array) -> Array:
    """What a small copy of a photograph shows."""
    image = Image.fromarray(pixels)
    small = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    return np.asarray(small.resize(image.size, Image.Resampling.BICUBIC))


def deep(pixels: Array, bits: int) -> Array:
    """Grey of so many bits that are kept in 16, from black to white: (H, W)."""
    grey = pixels.mean(2)
    grey = (grey - grey.min()) / max(1.0, float(np.ptp(grey)))
    return np.rint(grey * (2**bits - 1)).astype(np.uint16)


def label_file(classes: Array, style: str) -> Image.Image:
    """Classes as one of the styles keeps them."""
    if style == "void":
        kept = classes.copy()
        kept[:2] = 255
        return Image.fromarray(kept)
    if style == "palette":
        image = Image.fromarray(classes, "P")
        image.putpalette(COLOURS.astype(np.uint8).tobytes())
        return image
    if style == "rgb":
        return Image.fromarray(drawing(classes))
    if style == "binary":
        return Image.fromarray((classes * 255).astype(np.uint8))
    if style == "smoothed":
        image = Image.fromarray((classes * 50).astype(np.uint8))
        small = image.resize((image.width * 2 // 3, image.height * 2 // 3), Image.Resampling.BICUBIC)
        return small.resize(image.size, Image.Resampling.BICUBIC)
    if style == "was jpeg":
        stream = io.BytesIO()
        Image.fromarray((classes * 50).astype(np.uint8)).save(stream, "JPEG", quality=80)
        return Image.open(stream).convert("L")
    return Image.fromarray((classes * (50 if style == "times 50" else 1)).astype(np.uint8))


def keep(file: Path, pixels: Array | Image.Image) -> Path:
    """Written in the format of the file's suffix, in capitals too."""
    file.parent.mkdir(parents=True, exist_ok=True)
    formats = {".jpg": "JPEG", ".jfif": "JPEG", ".tif": "TIFF"}
    suffix = file.suffix.lower()
    image = Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels
    image.save(file, formats.get(suffix, suffix[1:].upper()))
    return file
