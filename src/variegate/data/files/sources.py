"""What a user may give as one image or label map, and arrays of any layout as (H, W[, c])."""

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

OneSource = str | Path | int | Image.Image | NDArray[Any] | Tensor
Source = OneSource | tuple[OneSource, ...]  # a tuple: image and mask of its hole, label map and instance map, parts
SHAPES = "(H, W), (H, W, 3) or (3, H, W)"


def named(source: Source, noun: str) -> str:
    """What to call a source in an error: its path if it has one."""
    return str(source) if isinstance(source, str | Path) else f"the given {noun}"


def for_each(conditions: Sequence[Source], number: int, noun: str) -> list[Source]:
    """A condition for each of so many images, from one for all or as many.

    Raises:
        ConfigError: there are too few or too many.
    """
    if len(conditions) not in (1, number):
        raise ConfigError(
            f"there are {len(conditions)} conditions for {number} images; give --condition one {noun} for all, or "
            "one for each"
        )
    return [*conditions] if len(conditions) == number else [*conditions] * number


def on_disk(source: str | Path | Image.Image) -> Path | Image.Image:
    return Path(source) if isinstance(source, str) else source


def numbers(values: NDArray[Any] | Tensor | int) -> NDArray[Any]:
    """As an array, on the CPU; numpy has no bfloat16."""
    if not isinstance(values, Tensor):
        return np.asarray(values)
    return (values.detach().float() if values.dtype == torch.bfloat16 else values.detach()).cpu().numpy()


def drawable(size: Size) -> Size:
    """The size itself.

    Raises:
        DataError: it has no pixels.
    """
    if min(size) < 1:
        raise DataError(f"size {size[0]}x{size[1]} (height x width): has no pixels; give 1 or more of each")
    return size


def planes_last(
    source: NDArray[Any] | Tensor | int, where: str, planes: Sequence[int] = (1, 3, 4), right: str = SHAPES
) -> NDArray[Any]:
    """(H, W) or (H, W, c), whichever side the planes were on.

    If both sides fit, tensors have planes first and arrays last, except for a single plane (1, H, 3).

    Args:
        planes: how many there may be; a single one is dropped.
        right: shapes that would be right, for the error.
    """
    values = numbers(source)
    if values.ndim == 3:
        first, last = values.shape[0] in planes, values.shape[2] in planes
        if first and (isinstance(source, Tensor) or not last or values.shape[0] == 1):
            values = values.transpose(1, 2, 0)
        if values.shape[2] == 1:
            values = values[..., 0]
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in planes):
        raise DataError(f"{where}: has shape {tuple(values.shape)}; expected {right}")
    if values.dtype.kind not in "buif":
        raise DataError(f"{where}: has values of type {values.dtype}; expected uint8, or float in [0, 1]")
    return values


def whole(values: NDArray[Any], where: str) -> NDArray[Any]:
    """Float label maps: colours (H, W, 3) in [0, 1] as 0..255, ids (H, W) if they are whole numbers."""
    if values.ndim == 3:
        return eight_bit(values, where)[..., :3]
    if not np.array_equal(values, np.rint(values)):
        raise DataError(f"{where}: holds fractions; a label map needs whole class ids, such as uint8 (H, W)")
    return values.astype(np.int64)


def eight_bit(values: NDArray[Any], where: str, white: int = image_files.WHITE) -> image_files.Pixels:
    """0..255 from bool, integers 0..255, 16-bit unsigned integers up to `white`, or floats in [0, 1]."""
    if values.dtype.kind == "b":
        return values.astype(np.uint8) * np.uint8(255)
    if values.size == 0:
        return values.astype(np.uint8)
    low, high = float(values.min()), float(values.max())
    limit = 1.0 if values.dtype.kind == "f" else float(white) if values.dtype == np.uint16 else 255.0
    slack = 1e-3 if limit == 1.0 else 0.0  # resampled floats overshoot a little
    if not (low >= -slack and high <= limit + slack):
        raise DataError(f"{where}: has values from {low:g} to {high:g}; expected uint8, or float in [0, 1]")
    return np.rint(np.clip(values.astype(np.float64), 0, limit) * (255 / limit)).astype(np.uint8)
