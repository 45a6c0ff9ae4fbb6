"""How a condition is made from a picture: edges, grey, a low-resolution copy, a hole to fill, the picture itself."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from ..errors import DataError, did_you_mean
from . import holes
from .pictures import Pixels, resize

PLAIN = ("edges", "grey", "inpaint", "inpaint:centre", "self")
DERIVED = (*PLAIN, "superres:K")
EDGE = 12.0  # grey levels per pixel; steeper than this is an edge


def check_derived(kind: str, unpaired: bool = False) -> None:
    """Raises DataError for a derived condition that does not exist, or that must not be taken from another picture."""
    name, _, factor = kind.partition(":")
    if name == "superres":
        if not (factor.isdecimal() and int(factor) >= 2):
            raise DataError(f"condition {kind!r}: superres needs a whole factor of 2 or more, such as superres:4")
    elif kind not in PLAIN:
        raise DataError(f"there is no derived condition {kind!r}; {did_you_mean(kind, DERIVED)}")
    if unpaired and cuts_hole(kind):
        raise DataError(
            f"condition {kind!r} cannot be unpaired: a hole is filled in the picture it was cut out of; "
            "leave one of them out"
        )


def cuts_hole(kind: str | None) -> bool:
    """Whether it is an inpainting condition."""
    return kind is not None and kind.partition(":")[0] == "inpaint"


def derived_channels(kind: str) -> Literal[1, 3, 4]:
    return 4 if cuts_hole(kind) else 1 if kind in ("edges", "grey") else 3


def derive(kind: str, image: Pixels, item: int = 0) -> Pixels:
    """The condition of a picture (H, W, 3).

    Args:
        kind: edges and grey give (H, W), self and superres:K (H, W, 3), inpaint and inpaint:centre (H, W, 4).
        item: number of the item in its data set, which decides the place of a random hole.

    Raises:
        DataError: a superres factor larger than the picture, a picture too small for a hole.
    """
    height, width = image.shape[:2]
    if kind == "self":
        return image
    if cuts_hole(kind):
        size = (height, width)
        return holes.cut(image, holes.centre(size) if kind == "inpaint:centre" else holes.rectangle(size, item))
    if kind.startswith("superres:"):
        factor = int(kind.partition(":")[2])
        if factor > min(height, width):
            raise DataError(f"superres:{factor} leaves nothing of a {width}x{height} picture; use a smaller factor")
        small = resize(image, (round(height / factor), round(width / factor)), nearest=False)
        return resize(small, (height, width), nearest=False)
    grey = np.array(Image.fromarray(image).convert("L"))
    return grey if kind == "grey" else edges(grey)


def edges(grey: Pixels) -> Pixels:
    """White (255) where the grey level (H, W) changes by more than EDGE a pixel, black elsewhere; grain is smoothed."""
    smooth = np.array(Image.fromarray(grey).filter(ImageFilter.GaussianBlur(1)))
    padded = np.pad(smooth.astype(np.float32), 1, mode="edge")
    down = (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    right = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2
    return np.where(np.hypot(down, right) > EDGE, 255, 0).astype(np.uint8)
