"""Decide which of A and B is the condition by inspecting some images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from ...core.errors import DataError, did_you_mean
from ..files import images as image_files
from ..files.blobs import File
from .items import Direction, Folder

T = TypeVar("T")


def flatness(files: Sequence[File], side: int | None, white: int = image_files.WHITE) -> float:
    """Median share of horizontally adjacent pixels that are alike, over up to 20 files; drawn labels are flat.

    Args:
        side: 0 for the left half, 1 for the right half, None for the whole image.
        white: the value of white in 16-bit files.
    """
    shares = [0.0]
    for file in spread(files):
        try:
            grey = image_files.read_image(file, channels=1, white=white).astype(np.int16)
        except DataError:
            continue  # reported where the file is used, or by the check of all files
        middle = grey.shape[1] // 2
        half = grey if side is None else grey[:, :middle] if side == 0 else grey[:, middle:]
        if half.shape[1] > 1:
            shares.append(float((np.abs(np.diff(half, axis=1)) <= 2).mean()))
    return float(np.median(shares[1:] or shares))


def check_direction(direction: Any) -> Any:
    """Validate and return a direction. Raises DataError for any other text."""
    if isinstance(direction, str) and direction not in ("AtoB", "BtoA"):
        raise DataError(f"direction {direction!r}: {did_you_mean(direction, ['AtoB', 'BtoA'])}")
    return direction


def choose_direction(
    folder: Folder, asked: Direction | None, white: int | None = None, before: Direction | None = None
) -> tuple[Direction, str]:
    """Choose which of A and B is the condition, by default the flatter one, and say why in words.

    Args:
        white: the value of white in 16-bit files, 65535 by default.
        before: what was chosen for the model that these images are for, where names do not tell.
    """
    if asked is not None:
        return asked, "as asked"
    if folder.direction is not None:
        return folder.direction, "its name says so"
    if before is not None:
        return before, "as in training"
    items = next(iter(folder.splits.values()))
    halves = folder.kind == "halves"
    first = flatness(
        [item.condition or item.image for item in items], 0 if halves else None, white or image_files.WHITE
    )
    second = flatness([item.image for item in items], 1 if halves else None, white or image_files.WHITE)
    if abs(first - second) < 0.05:
        return "AtoB", f"both are equally flat, so {folder.sides[0]} is used; --direction BtoA swaps them"
    chosen: Direction = "AtoB" if first > second else "BtoA"
    return chosen, f"{folder.sides[first <= second]} is flat, like drawn labels"


def is_grey(files: Sequence[File]) -> bool:
    """Whether all images are grey, judged from up to 20 headers."""
    modes = {image_files.mode_of(file) for file in spread(files)} - {None}
    return modes <= {"1", "L", "LA", "I", "I;16", "I;16B"}


def spread(items: Sequence[T], most: int = 20) -> Sequence[T]:
    """Up to `most` items, evenly spaced."""
    count = min(most, len(items))
    return [items[i * len(items) // count] for i in range(count)]
