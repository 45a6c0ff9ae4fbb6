"""Regions of integer maps: find by a point, fill, move. Pure functions; no argument is modified.

`planes` are integer maps (P, H, W) that are edited together: class ids, and instance ids if there are any. x runs
to the right and y down, both from 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]  # (H, W)
Planes = NDArray[Any]  # (P, H, W), integers

EIGHT = np.ones((3, 3), dtype=bool)  # corners connect: a car's one-pixel roof pillars hold it together


def region_at(planes: Planes, x: int, y: int) -> Mask:
    """The mask (H, W) of the region around a point.

    With instance ids, it is everything of the point's class and instance, connected or not. Without them, or where the
    instance is 0 ("none"), it is the connected component of the point's class, corners included.
    """
    same = np.all(planes == planes[:, y : y + 1, x : x + 1], axis=0)
    if len(planes) > 1 and planes[1, y, x] != 0:
        return same
    pieces, _ = ndimage.label(same, structure=EIGHT)
    found: Mask = pieces == pieces[y, x]
    return found


def with_enclosed(mask: Mask) -> Mask:
    """The mask and the holes in it, such as the windows of a car."""
    filled: Mask = ndimage.binary_fill_holes(mask)
    return filled


def fill(planes: Planes, hole: Mask) -> Planes:
    """Give each pixel of the hole all ids of the nearest pixel outside it (Euclidean distance transform).

    Raises:
        ValueError: nothing is left outside the hole.
    """
    if hole.all():
        raise ValueError("the hole covers the whole map, so there is nothing to fill it from")
    nearest = ndimage.distance_transform_edt(hole, return_distances=False, return_indices=True)
    return planes[:, nearest[0], nearest[1]]


def shift(maps: NDArray[Any], dx: int, dy: int) -> NDArray[Any]:
    """Maps (..., H, W) moved right by dx and down by dy; 0 or False is shifted in, what leaves is lost."""
    height, width = maps.shape[-2:]
    result = np.zeros_like(maps)
    if abs(dx) < width and abs(dy) < height:
        to_y, to_x = slice(max(dy, 0), height + min(dy, 0)), slice(max(dx, 0), width + min(dx, 0))
        from_y, from_x = slice(max(-dy, 0), height + min(-dy, 0)), slice(max(-dx, 0), width + min(-dx, 0))
        result[..., to_y, to_x] = maps[..., from_y, from_x]
    return result


def move(planes: Planes, mask: Mask, dx: int, dy: int) -> Planes:
    """Move the masked part on top of the rest; `fill` what it uncovers."""
    if dx == dy == 0:
        return planes.copy()
    return np.where(shift(mask, dx, dy), shift(planes, dx, dy), fill(planes, mask))
