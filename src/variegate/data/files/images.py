"""One image file, read robustly: uint8 arrays (H, W) or (H, W, 3), or one sentence about what is wrong with it.

Whatever has one sensible meaning is accepted: 16-bit values are divided by 257, transparent pixels are laid on white,
CMYK and palettes become RGB, the orientation in EXIF is applied. Only what cannot be interpreted is an error.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ...core.errors import DataError
from .walk import is_hidden, walk

Pixels = NDArray[np.uint8]  # (H, W) or (H, W, c)
SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"])

_ORIENTATION = 0x0112  # EXIF tag; values 5 to 8 turn the image on its side
_SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error)


def open_image(path: Path) -> Image.Image:
    """Open and fully decode a file, so that a cut-short file fails here; EXIF orientation applied.

    Raises:
        DataError: missing, empty, not an image, cut short or too large.
    """
    try:
        with open(path, "rb") as stream:
            start = stream.read(64)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a folder, not an image; give one of the files in it") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    if not start:
        raise DataError(f"{path}: is empty (0 bytes); copy it again or delete it")
    try:
        image = Image.open(path)
    except Image.DecompressionBombError:
        raise DataError(f"{path}: has too many pixels to open safely; shrink or tile it first") from None
    except _BROKEN:
        raise DataError(f"{path}: is {_instead(start)}; delete it or replace it by a PNG or JPEG") from None
    try:
        image.load()
        turned = ImageOps.exif_transpose(image)
    except _BROKEN as error:
        raise DataError(f"{path}: is cut short or damaged ({error}); copy it again or delete it") from None
    turned.format = image.format  # transposing makes a new image, which forgets the format
    return turned


def _instead(start: bytes) -> str:
    """What a file that is no image seems to be, from its first bytes."""
    if start.lstrip().startswith(b"<"):
        return "not an image but a web page or XML"
    if start.startswith(b"version https://git-lfs"):
        return "not an image but a Git LFS pointer (run `git lfs pull`)"
    return "not an image in a format that can be read"


def size_of(path: Path) -> tuple[int, int] | None:
    """(H, W) as displayed, from the header alone; None if the header cannot be read."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(_ORIENTATION, 1) >= 5
    except (*_BROKEN, Image.DecompressionBombError):
        return None
    return (width, height) if turned else (height, width)


def mode_of(path: Path) -> str | None:
    """The mode (L, RGB, P, ...) in the header; None if it cannot be read."""
    try:
        with Image.open(path) as image:
            return image.mode
    except (*_BROKEN, Image.DecompressionBombError):
        return None


def read_image(source: Path | Image.Image, channels: int = 3, where: str = "") -> Pixels:
    """A photograph or drawing: uint8 (H, W, 3) for 3 channels, (H, W) for 1.

    Raises:
        DataError: see `open_image`; also values outside what the mode can mean.
    """
    image = open_image(source) if isinstance(source, Path) else source
    image = eight_bit(image, where or str(source if isinstance(source, Path) else "the image"))
    return np.array(flatten(image).convert("RGB" if channels == 3 else "L"))


def eight_bit(image: Image.Image, where: str) -> Image.Image:
    """16-bit grey as 8-bit grey (65535 / 257 = 255), float in [0, 1] or [0, 255] likewise; others unchanged."""
    if image.mode not in (*_SIXTEEN_BIT, "F"):
        return image
    values = np.asarray(image).astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if image.mode == "F":
        limit = 1.0 if high <= 1 else 255.0
    else:
        limit = 65535.0
    if not (low >= 0 and high <= limit):  # also catches NaN
        raise DataError(f"{where}: has values from {low:g} to {high:g}; save it as 8-bit or 16-bit PNG")
    return Image.fromarray(np.rint(values * (255 / limit)).astype(np.uint8))


def flatten(image: Image.Image) -> Image.Image:
    """Transparent pixels laid on white: the colour under full transparency is arbitrary and must not leak in."""
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def read_labels(
    source: Path | Image.Image, where: str, noun: str = "a label map"
) -> tuple[NDArray[Any], Pixels | None]:
    """A label map: integer ids (H, W) with the file's palette (n, 3) if it has one, or colours (H, W, 3) and None.

    Raises:
        DataError: see `open_image`; JPEG, whose compression invents labels; modes without integer ids.
    """
    image = open_image(source) if isinstance(source, Path) else source
    if image.format in ("JPEG", "MPO"):
        raise DataError(f"{where}: is {noun} saved as JPEG, which blurs labels into each other; save it as PNG")
    if image.mode == "P":
        colours = np.array(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
        return np.array(image), colours
    if image.mode in ("1", "L", "LA", *_SIXTEEN_BIT):
        values = np.array(image)
        return (values[..., 0] if values.ndim == 3 else values).astype(np.int64), None
    if image.mode in ("RGB", "RGBA"):
        return np.array(image)[..., :3], None
    raise DataError(f"{where}: is {noun} in mode {image.mode}; save ids as 8-bit grey or palette PNG")


def resize(pixels: Pixels, size: tuple[int, int], nearest: bool) -> Pixels:
    """To exactly (H, W): nearest neighbour for labels, antialiased bicubic for images."""
    if pixels.shape[:2] == size:
        return pixels
    filter = Image.Resampling.NEAREST if nearest else Image.Resampling.BICUBIC
    return np.array(Image.fromarray(pixels).resize((size[1], size[0]), filter))


def resize_largest(plane: Pixels, size: tuple[int, int]) -> Pixels:
    """A plane (H, W) to exactly `size`; each pixel is the largest of those it covers, even in part, so that thin lines
    do not vanish."""
    for axis, length in enumerate(size):
        given = plane.shape[axis]
        if given == length:
            continue
        starts = np.arange(length) * given // length
        ends = -(-np.arange(1, length + 1) * given // length)
        # reduceat wants each end as an index, so the last needs a line of zeros behind it
        padded = np.concatenate([plane, np.zeros_like(plane.take([0], axis))], axis)
        spans = np.stack([starts, ends], axis=1).ravel()
        plane = np.maximum.reduceat(padded, spans, axis).take(np.arange(0, 2 * length, 2), axis)
    return plane


def images_in(folder: Path, deep: bool = False, suffixes: frozenset[str] = SUFFIXES) -> list[Path]:
    """Image files in natural order (2 before 10), hidden ones left out."""
    found = walk(folder) if deep else folder.iterdir() if folder.is_dir() else ()
    files = [f for f in found if f.suffix.lower() in suffixes and not is_hidden(f.name) and f.is_file()]
    return in_order(files)


def in_order(files: Iterable[Path]) -> list[Path]:
    """In natural order: 2 before 10."""
    return sorted(files, key=natural)


def natural(path: Path) -> list[str | int]:
    """What to sort paths by, so that 2 comes before 10."""
    return [int(s) if s.isdecimal() else s for s in re.split(r"(\d+)", str(path))]
