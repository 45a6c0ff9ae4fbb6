"""Super-resolution: a low-resolution image, each pixel repeated K x K, so that it has the size of the full image.

A network recovers the exact low-resolution image with `[..., ::K, ::K]`.
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
            f"{where}: superres:{factor} needs sides divisible by {factor}, got {height}x{width} (height x width); "
            f"the nearest valid size is --size {tall}x{wide}"
        )
    return height // factor, width // factor


def reduce(image: Pixels, factor: int, where: str = "the image") -> Pixels:
    """Downsample an image (H, W, 3), antialiased bicubic, and repeat each pixel as a K x K block."""
    return _repeat(resize(image, low_size(image.shape[:2], factor, where), nearest=False), factor)


def fit(pixels: Pixels, size: Size, factor: int, where: str = "the image") -> Pixels:
    """Convert a user's image to K x K blocks at exactly `size`, (H, W).

    Blocks at that size are kept, as is every pixel of an image of (H / K, W / K); others are resized to (H / K, W / K).
    """
    small = low_size(size, factor, where)
    if pixels.shape[:2] == size and np.array_equal(_repeat(pixels[::factor, ::factor], factor), pixels):
        return pixels
    return _repeat(resize(pixels, small, nearest=False), factor)


def _repeat(pixels: Pixels, factor: int) -> Pixels:
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)
