"""Robust reading of one image file: a uint8 array (H, W) or (H, W, 3), or a one-sentence error.

Whatever has one sensible interpretation is accepted: 16-bit values are divided by 257, transparent pixels are
composited on white, CMYK and palettes become RGB, EXIF orientation is applied. Anything else is an error.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ...core.errors import DataError
from .blobs import Blob, File
from .walk import is_hidden, walk

T = TypeVar("T")
Pixels = NDArray[np.uint8]  # (H, W) or (H, W, c)
SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"])

WHITE = 65535  # in 16-bit files, unless a white level is set
SHALLOW = (255, 1023, 4095, 16383)  # white in 8, 10, 12 and 14 bits, which scanners and depth cameras store in 16
_ORIENTATION = 0x0112  # EXIF tag; values 5 to 8 swap height and width
_SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_DEEP = re.compile(r";16|\b(1023|4095|16383|65535)\b")  # in the arguments of Pillow's decoder
BROKEN = (  # what Pillow raises for damaged files
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, AttributeError, OverflowError),
    struct.error,
)


def open_image(path: File) -> Image.Image:
    """Open and fully decode a file, so that a file cut short fails here, and apply EXIF orientation.

    Raises:
        DataError: the file is missing, empty, not an image, cut short or too large.
    """
    try:
        place = path.open() if isinstance(path, Blob) else path
        start = _start_of(place)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a folder, not an image; give a file in it") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    if not start:
        raise DataError(f"{path}: is empty (0 bytes); copy it again or delete it")
    try:
        image = Image.open(place)
    except Image.DecompressionBombError:
        raise DataError(f"{path}: has too many pixels to open safely; downsize or tile it first") from None
    except BROKEN:
        raise DataError(f"{path}: is {_instead(start)}; delete it or replace it with a PNG or JPEG") from None
    try:
        image.load()
        turned = ImageOps.exif_transpose(image)
    except BROKEN as error:
        raise DataError(f"{path}: is cut short or damaged ({error}); copy it again or delete it") from None
    except MemoryError:
        raise DataError(f"{path}: is damaged, or too large for the memory; copy it again, or downsize it") from None
    turned.format = image.format  # transposing makes a new image without the format
    return turned


def _start_of(place: Path | BytesIO) -> bytes:
    if isinstance(place, BytesIO):
        return bytes(place.getbuffer()[:64])
    with place.open("rb") as stream:
        return stream.read(64)


def _instead(start: bytes) -> str:
    """What a non-image file seems to be, judging by its first bytes."""
    if start.lstrip().startswith(b"<"):
        return "not an image but a web page or XML"
    if start.startswith(b"version https://git-lfs"):
        return "not an image but a Git LFS pointer (run `git lfs pull`)"
    return "not an image in a format that can be read"


def _of_header(path: File, read: Callable[[Image.Image], T]) -> T | None:
    """What `read` finds in a file that is opened but not decoded; None if its header cannot be read."""
    try:
        with Image.open(path.open() if isinstance(path, Blob) else path) as image:
            return read(image)
    except (*BROKEN, DataError, Image.DecompressionBombError):
        return None


def _orientation(image: Image.Image) -> int:
    return int(image.getexif().get(_ORIENTATION, 1))


def size_of(path: File) -> tuple[int, int] | None:
    """(H, W) as displayed, from the header alone; None if the header cannot be read."""
    return _of_header(path, lambda image: image.size if _orientation(image) >= 5 else image.size[::-1])


def is_turned(path: File) -> bool:
    """Whether EXIF says that the image must be rotated or mirrored for display."""
    return bool(_of_header(path, lambda image: _orientation(image) != 1))


def mode_of(path: File) -> str | None:
    """The mode (L, RGB, P, ...) in the header; None if it cannot be read."""
    return _of_header(path, lambda image: image.mode)


def read_image(source: File | Image.Image, channels: int = 3, where: str = "", white: int = WHITE) -> Pixels:
    """Read a photograph or drawing: uint8 (H, W, 3) for 3 channels, (H, W) for 1.

    Args:
        white: the value of white in 16-bit files.

    Raises:
        DataError: see `open_image`; also for values outside the range of the mode.
    """
    where = where or str(source if isinstance(source, File) else "the image")
    if white != WHITE and isinstance(source, File) and has_deep_colours(source):
        image = _eight_bit_colours(source, where, white)
    else:
        image = eight_bit(open_image(source) if isinstance(source, File) else source, where, white)
    return np.array(flatten(image).convert("RGB" if channels == 3 else "L"))


def eight_bit(image: Image.Image, where: str, white: int = WHITE) -> Image.Image:
    """Convert 16-bit grey (`white` becomes 255) or float grey in [0, 1] or [0, 255] to 8 bits; keep other modes."""
    if image.mode not in (*_SIXTEEN_BIT, "F"):
        return image
    values = np.asarray(image).astype(np.float64)
    if image.mode == "F":
        return _scaled(values, 1.0 if float(values.max()) <= 1 else 255.0, where)
    return _scaled(values, float(white), where)


def _scaled(values: NDArray[np.float64], white: float, where: str) -> Image.Image:
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= white):  # also catches NaN
        scales = {1.0, 255.0, float(WHITE)}  # those that are not set by the user
        remedy = "save it as 8-bit or 16-bit PNG" if white in scales else f"raise the white level, which is {white:g}"
        raise DataError(f"{where}: has values from {low:g} to {high:g}; {remedy}")
    return Image.fromarray(np.rint(values * (255 / white)).astype(np.uint8))


def _eight_bit_colours(path: File, where: str, white: int) -> Image.Image:
    """Convert 16-bit colours to 8-bit RGB; Pillow keeps only the high bytes, which lose detail if white is low."""
    import torch
    from torchvision.io import ImageReadMode, decode_image  # slow to import and rarely needed

    try:
        content = torch.frombuffer(bytearray(path.read()), dtype=torch.uint8) if isinstance(path, Blob) else str(path)
        values = decode_image(content, ImageReadMode.UNCHANGED).permute(1, 2, 0).numpy()[..., :3]
    except RuntimeError:
        raise DataError(
            f"{where}: has 16 bits per colour, where a white level is supported only for PNG; save it as PNG"
        ) from None
    return _scaled(values.astype(np.float64), float(white), where)


def has_deep_colours(path: File) -> bool:
    """Whether, by its header, a file has colours, or grey with alpha, of more than 8 bits per channel.

    Pillow reads such a file in an 8-bit mode without reporting the loss.
    """

    def deep(image: Image.Image) -> bool:
        arguments = [str(tile[3]) for tile in getattr(image, "tile", ())]
        return image.mode not in (*_SIXTEEN_BIT, "F") and any(map(_DEEP.search, arguments))

    return bool(_of_header(path, deep))


def frames_of(path: File) -> int:
    """The number of frames or pages in a file; 1 if it cannot be read."""
    return _of_header(path, lambda image: int(getattr(image, "n_frames", 1))) or 1


def shallow_white(files: Sequence[File]) -> int | None:
    """The white of 8 to 14 bits that no value in 16-bit files exceeds; None if there is none, or no such file."""
    top = 0
    for file in files:
        colours = has_deep_colours(file)
        if not colours and mode_of(file) not in _SIXTEEN_BIT:
            continue
        try:
            highest = int(np.asarray(open_image(file)).max())
        except DataError:  # reported where the file is needed
            continue
        top = max(top, 256 * highest + 255 if colours and highest else highest)
    return next((white for white in SHALLOW if 0 < top <= white), None)


def flatten(image: Image.Image) -> Image.Image:
    """Composite transparent pixels on white: colour under full transparency is arbitrary and must not leak in."""
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def read_labels(
    source: File | Image.Image, where: str, noun: str = "a label map"
) -> tuple[NDArray[Any], Pixels | None]:
    """Read a label map: integer ids (H, W) with the file's palette (n, 3), if any, or colours (H, W, 3) and None.

    Raises:
        DataError: see `open_image`; also for JPEG, whose compression invents labels, and modes without integer ids.
    """
    image = open_image(source) if isinstance(source, File) else source
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
    """Resize to exactly (H, W): nearest neighbour for labels, antialiased bicubic for images."""
    if pixels.shape[:2] == size:
        return pixels
    filter = Image.Resampling.NEAREST if nearest else Image.Resampling.BICUBIC
    return np.array(Image.fromarray(pixels).resize((size[1], size[0]), filter))


def resize_largest(plane: Pixels, size: tuple[int, int]) -> Pixels:
    """Resize a plane (H, W) to exactly `size`; each pixel is the maximum of those it overlaps, to keep thin lines."""
    for axis, length in enumerate(size):
        given = plane.shape[axis]
        if given == length:
            continue
        starts = np.arange(length) * given // length
        ends = -(-np.arange(1, length + 1) * given // length)
        # reduceat needs each end as an index, so a line of zeros follows the last one
        padded = np.concatenate([plane, np.zeros_like(plane.take([0], axis))], axis)
        spans = np.stack([starts, ends], axis=1).ravel()
        plane = np.maximum.reduceat(padded, spans, axis).take(np.arange(0, 2 * length, 2), axis)
    return plane


def images_in(folder: Path, deep: bool = False, suffixes: frozenset[str] = SUFFIXES) -> list[Path]:
    """List image files in natural order (2 before 10), without hidden ones."""
    found = walk(folder) if deep else folder.iterdir() if folder.is_dir() else ()
    files = [f for f in found if f.suffix.lower() in suffixes and not is_hidden(f.name) and f.is_file()]
    return in_order(files)


def in_order(files: Iterable[Path]) -> list[Path]:
    """Sort files in natural order: 2 before 10."""
    return sorted(files, key=natural)


def natural(path: Path) -> list[str | int]:
    """Sort key for paths that puts 2 before 10."""
    return [int(s) if s.isdecimal() else s for s in re.split(r"(\d+)", str(path))]
