"""The accepted sources of one image or label map, and conversion of arrays of any layout to (H, W[, c])."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ...core.errors import ConfigError, DataError
from ...core.interfaces import Size
from . import images as image_files
from .blobs import Blob, File

OneSource = str | Path | Blob | int | Image.Image | NDArray[Any] | Tensor
Source = OneSource | tuple[OneSource, ...]  # tuples: image and hole mask, label map and instance map, parts
SHAPES = "(H, W), (H, W, 3) or (3, H, W)"


def named(source: Source, noun: str) -> str:
    """The name of a source in error messages: its path if it has one."""
    return str(source) if isinstance(source, str | File) else f"the given {noun}"


def for_each(conditions: Sequence[Source], number: int, noun: str) -> list[Source]:
    """One condition for each of `number` images, given one for all or one for each.

    Raises:
        ConfigError: there are too few or too many conditions.
    """
    if len(conditions) not in (1, number):
        raise ConfigError(
            f"got {len(conditions)} conditions for {number} images; give --condition one {noun} for all or one for each"
        )
    return [*conditions] if len(conditions) == number else [*conditions] * number


def on_disk(source: str | File | Image.Image) -> File | Image.Image:
    return Path(source) if isinstance(source, str) else source


def numbers(values: NDArray[Any] | Tensor | int) -> NDArray[Any]:
    """Convert to an array; bfloat16, which numpy lacks, becomes float32."""
    if not isinstance(values, Tensor):
        return np.asarray(values)
    return (values.detach().float() if values.dtype == torch.bfloat16 else values.detach()).cpu().numpy()


def drawable(size: Size) -> Size:
    """Return the size (H, W).

    Raises:
        DataError: it has no pixels.
    """
    if min(size) < 1:
        raise DataError(f"height and width must be at least 1, got {size[0]}x{size[1]}")
    return size


def planes_last(
    source: NDArray[Any] | Tensor | int, where: str, planes: Sequence[int] = (1, 3, 4), right: str = SHAPES
) -> NDArray[Any]:
    """Convert to (H, W) or (H, W, c), from planes first or last.

    If both fit, tensors have planes first and arrays last, except for a single plane (1, H, 3).

    Args:
        planes: allowed numbers of planes; the axis of a single plane is dropped.
        right: the expected shapes, for the error.
    """
    values = numbers(source)
    if values.ndim == 3:
        first, last = values.shape[0] in planes, values.shape[2] in planes
        if first and (isinstance(source, Tensor) or not last or values.shape[0] == 1):
            values = values.transpose(1, 2, 0)
        if values.shape[2] == 1:
            values = values[..., 0]
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in planes):
        raise DataError(f"{where}: expected shape {right}, got {tuple(values.shape)}")
    if values.dtype.kind not in "buif":
        raise DataError(f"{where}: expected uint8, or float in [0, 1], got values of type {values.dtype}")
    return values


def whole(values: NDArray[Any], where: str) -> NDArray[Any]:
    """Convert a float label map: colours (H, W, 3) in [0, 1] to 0..255, ids (H, W) to integers."""
    if values.ndim == 3:
        return eight_bit(values, where)[..., :3]
    if not np.array_equal(values, np.rint(values)):
        raise DataError(f"{where}: has fractions; a label map must have whole class ids, such as uint8 (H, W)")
    return values.astype(np.int64)


def eight_bit(values: NDArray[Any], where: str, white: int = image_files.WHITE) -> image_files.Pixels:
    """Convert bool, integers 0..255, 16-bit unsigned integers up to `white`, or floats in [0, 1] to 0..255."""
    if values.dtype.kind == "b":
        return values.astype(np.uint8) * np.uint8(255)
    if values.size == 0:
        return values.astype(np.uint8)
    low, high = float(values.min()), float(values.max())
    limit = 1.0 if values.dtype.kind == "f" else float(white) if values.dtype == np.uint16 else 255.0
    slack = 1e-3 if limit == 1.0 else 0.0  # resampled floats overshoot a little
    if not (low >= -slack and high <= limit + slack):
        raise DataError(f"{where}: expected uint8, or float in [0, 1], got values from {low:g} to {high:g}")
    return np.rint(np.clip(values.astype(np.float64), 0, limit) * (255 / limit)).astype(np.uint8)
