"""Images and numbers from strangers: decoded within limits, or refused in one sentence."""

from __future__ import annotations

import base64
import binascii
import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ..core.errors import DataError
from ..data.files.images import BROKEN

FORMATS = ("PNG", "JPEG", "WEBP")
PIXELS = 20_000_000


def from_base64(text: str, what: str) -> bytes:
    """The bytes of a base64 text, with or without a `data:` prefix.

    Raises:
        DataError: it is empty, or not base64.
    """
    head, comma, rest = text.partition(",")
    try:
        content = base64.b64decode(rest if comma and head.startswith("data:") else text, validate=True)
    except (binascii.Error, ValueError):
        raise DataError(f"{what} is not base64") from None
    if not content:
        raise DataError(f"{what} is empty")
    return content


def open_image(text: str, what: str) -> Image.Image:
    """Decode one still image, and apply its EXIF orientation.

    The header's size is checked before any pixel is decoded. Whatever else a file carries is ignored, and never stored.

    Raises:
        DataError: not a PNG, JPEG or WebP; animated; too large; cut short.
    """
    content = from_base64(text, what)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=FORMATS)
    except (*BROKEN, Image.DecompressionBombError):
        raise DataError(f"{what} is not a PNG, JPEG or WebP file") from None
    width, height = image.size
    if width * height > PIXELS:
        raise DataError(f"{what} has {width}x{height} pixels; at most {PIXELS // 10**6} million are read")
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # a photograph with previews
        raise DataError(f"{what} is animated; give a single image")
    try:
        image.load()
        turned = ImageOps.exif_transpose(image)
    except (*BROKEN, Image.DecompressionBombError):
        raise DataError(f"{what} is cut short or damaged") from None
    return turned


def text_of(text: str, key: str, what: str) -> str | None:
    """The text that a PNG carries under `key`; None if there is none.

    Raises:
        DataError: see `open_image`.
    """
    value = open_image(text, what).info.get(key)
    return None if value is None else str(value)


def bytes_of(text: str, shape: tuple[int, int], what: str) -> NDArray[np.uint8]:
    """Bytes (H, W) from base64.

    Raises:
        DataError: there are more or fewer.
    """
    content, count = from_base64(text, what), shape[0] * shape[1]
    if len(content) != count:
        raise DataError(f"{what} holds {len(content)} bytes, expected {count}")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)
