"""How a condition is made from a picture: edges, grey, a low-resolution copy, a hole to fill, the picture itself."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from ...core.errors import DataError, did_you_mean
from ...core.interfaces import Size
from ..files.images import Pixels
from . import blocks, holes
from .masks import Masks, folder_of

PLAIN = ("edges", "grey", "inpaint", "inpaint:centre", "self")
DERIVED = (*PLAIN, "inpaint:FOLDER", "superres:K")
EDGE = 12.0  # grey levels per pixel; steeper than this is an edge


def check_derived(kind: str, unpaired: bool = False) -> None:
    """Raises DataError for a derived condition that does not exist, or that must not be taken from another picture."""
    if folder_of(kind) is not None:
        Masks(kind)  # has the folder and its pictures looked for
    elif blocks.factor_of(kind) is None and kind not in PLAIN:
        raise DataError(f"there is no derived condition {kind!r}; {did_you_mean(kind, DERIVED)}")
    if unpaired and cuts_hole(kind):
        raise DataError(
            f"condition {kind!r} cannot be unpaired: a hole is filled in the picture it was cut out of; "
            "leave one of them out"
        )


def check_size(kind: str | None, size: Size, where: str) -> None:
    """Raises DataError if a condition cannot be made of pictures of `size`, (H, W)."""
    factor = blocks.factor_of(kind)
    if factor is not None:
        blocks.low_size(size, factor, where)
    if cuts_hole(kind) and folder_of(kind) is None:
        holes.large_enough(size)


def cuts_hole(kind: str | None) -> bool:
    """Whether it is an inpainting condition."""
    return kind is not None and kind.partition(":")[0] == "inpaint"


def after_crop(kind: str | None) -> bool:
    """Whether it must be made from what a crop leaves: a crop would move holes, and cut through blocks."""
    return cuts_hole(kind) or blocks.factor_of(kind) is not None


def derived_channels(kind: str) -> Literal[1, 3, 4]:
    return 4 if cuts_hole(kind) else 1 if kind in ("edges", "grey") else 3


def derive(kind: str, image: Pixels, item: int = 0, masks: Masks | None = None) -> Pixels:
    """The condition of a picture (H, W, 3).

    Args:
        kind: edges and grey give (H, W), self and superres:K (H, W, 3), inpaint, inpaint:centre and inpaint:FOLDER
            (H, W, 4).
        item: number of the item in its data set, which decides the place of a random hole, or the mask.
        masks: those of inpaint:FOLDER; its folder is looked through unless given.

    Raises:
        DataError: sides that K of superres:K does not divide, a picture too small for a hole, a mask that is none.
    """
    if kind == "self":
        return image
    if cuts_hole(kind):
        size = (image.shape[0], image.shape[1])
        if folder_of(kind) is not None:
            return holes.join(image, (masks or Masks(kind)).of(item, size))
        return holes.cut(image, holes.centre(size) if kind == "inpaint:centre" else holes.rectangle(size, item))
    factor = blocks.factor_of(kind)
    if factor is not None:
        return blocks.reduced(image, factor)
    grey = np.array(Image.fromarray(image).convert("L"))
    return grey if kind == "grey" else edges(grey)


def explain(kind: str, size: Size, masks: Masks | None = None) -> str:
    """What is derived from pictures of (H, W), in words with sizes in pixels; empty if the name says it all."""
    (height, width), factor = size, blocks.factor_of(kind)
    pictures = f"of {width}x{height} pictures (width x height)"
    if factor is not None:
        small = f"{width // factor}x{height // factor}"
        return f"the low resolution is {small} {pictures}, each pixel repeated {factor} x {factor}"
    if masks is not None:
        number = f"one of {len(masks)} masks" if len(masks) > 1 else "the one mask"
        return f"the hole {pictures} is {number} in {masks.folder}, resized; {holes.BY_MASK}"
    if kind == "inpaint:centre":
        hole = holes.centre(size)
        return f"a hole of {hole.width}x{hole.height} in the middle {pictures}"
    if kind == "inpaint":
        (low, high), (left, right) = holes.lengths(height), holes.lengths(width)
        return f"a hole {left} to {right} wide and {low} to {high} high, at a random place {pictures}"
    return ""


def edges(grey: Pixels) -> Pixels:
    """White (255) where the grey level (H, W) changes by more than EDGE a pixel, black elsewhere; grain is smoothed."""
    smooth = np.array(Image.fromarray(grey).filter(ImageFilter.GaussianBlur(1)))
    padded = np.pad(smooth.astype(np.float32), 1, mode="edge")
    down = (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    right = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2
    return np.where(np.hypot(down, right) > EDGE, 255, 0).astype(np.uint8)
