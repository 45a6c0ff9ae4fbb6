"""Super-resolution: a low-resolution image, each pixel repeated K x K, so that it has the size of its image.

A network takes the exact low-resolution image out of it with `[..., ::K, ::K]`.
"""

from __future__ import annotations

import numpy as np

from ...core.errors import DataError
from ...core.interfaces import Size
from ..files.images import Pixels, resize


def low_size(size: Size, factor: int, where: str) -> Size:
    """(H / K, W / K).

    Raises:
        DataError: K does not divide both.
    """
    height, width = size
    if height % factor or width % factor:
        tall, wide = (max(1, round(side / factor)) * factor for side in size)
        raise DataError(
            f"{where}: at {height}x{width} (height x width) {factor} does not divide both sides, as superres:{factor} "
            f"needs; the nearest size that it divides is --size {tall}x{wide}"
        )
    return height // factor, width // factor


def reduce(image: Pixels, factor: int, where: str = "the image") -> Pixels:
    """An image (H, W, 3) as K x K blocks of its antialiased, bicubic reduction."""
    return _repeat(resize(image, low_size(image.shape[:2], factor, where), nearest=False), factor)


def fit(pixels: Pixels, size: Size, factor: int, where: str = "the image") -> Pixels:
    """A user's image as K x K blocks in exactly `size`, (H, W).

    Blocks of that size stay as they are, and of (H / K, W / K) every pixel is kept; all else is resized to that.
    """
    small = low_size(size, factor, where)
    if pixels.shape[:2] == size and np.array_equal(_repeat(pixels[::factor, ::factor], factor), pixels):
        return pixels
    return _repeat(resize(pixels, small, nearest=False), factor)


def _repeat(pixels: Pixels, factor: int) -> Pixels:
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)
