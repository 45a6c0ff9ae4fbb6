"""How a condition is made from a picture: edges, grey, a low-resolution copy, a hole to fill, the picture itself."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from ..errors import DataError, did_you_mean
from . import holes
from .pictures import Pixels, resize

PLAIN = ("edges", "grey", "inpaint", "inpaint:centre", "self")
DERIVED = (*PLAIN, "inpaint:FOLDER", "superres:K")
EDGE = 12.0  # grey levels per pixel; steeper than this is an edge


def check_derived(kind: str, unpaired: bool = False) -> None:
    """Raises DataError for a derived condition that does not exist, or that must not be taken from another picture."""
    name, _, factor = kind.partition(":")
    if name == "superres":
        if not (factor.isdecimal() and int(factor) >= 2):
            raise DataError(f"condition {kind!r}: superres needs a whole factor of 2 or more, such as superres:4")
    elif name == "inpaint" and factor and Path(factor).is_dir():
        holes.masks_in(factor)
    elif name == "inpaint" and "/" in factor:
        raise DataError(f"condition {kind!r}: there is no folder {factor}; give one of masks, white inside the hole")
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


def block(kind: str | None) -> int:
    """Side of the squares of equal pixels that a condition is made of: K of superres:K, else 1."""
    name, _, factor = (kind or "").partition(":")
    return int(factor) if name == "superres" else 1


def explained(kind: str) -> str:
    """In words, what is done to a picture."""
    name, _, more = kind.partition(":")
    if name == "superres":
        return f"the picture with sides 1/{more} as long, each pixel then repeated {more} x {more} times"
    if name == "inpaint":
        masks = f"one of {len(holes.masks_in(more))} masks, white inside the hole" if more not in ("", "centre") else ""
        return masks or (
            "the middle half of both sides" if more else "a rectangle of 3/8 to 1/2 of each side is cut out"
        )
    return {
        "edges": "white where brightness changes",
        "grey": "without colour",
        "self": "the picture itself",
    }[kind]


def derived_channels(kind: str) -> Literal[1, 3, 4]:
    return 4 if cuts_hole(kind) else 1 if kind in ("edges", "grey") else 3


def derive(kind: str, image: Pixels, item: int = 0) -> Pixels:
    """The condition of a picture (H, W, 3).

    Args:
        kind: edges and grey give (H, W), self and superres:K (H, W, 3), inpaint, inpaint:centre and inpaint:FOLDER
            (H, W, 4).
        item: number of the item in its data set, which decides the place of a random hole, or the mask.

    Raises:
        DataError: a superres factor that does not divide the picture, a picture too small for a hole.
    """
    height, width = image.shape[:2]
    if kind == "self":
        return image
    if cuts_hole(kind):
        size, folder = (height, width), kind.partition(":")[2]
        if folder not in ("", "centre"):
            return holes.join(image, holes.mask_of(folder, item, size))
        return holes.cut(image, holes.centre(size) if folder else holes.rectangle(size, item))
    if block(kind) > 1:
        return in_blocks(image, block(kind), (height, width))
    grey = np.array(Image.fromarray(image).convert("L"))
    return grey if kind == "grey" else edges(grey)


def in_blocks(image: Pixels, factor: int, size: tuple[int, int]) -> Pixels:
    """A picture reduced to (H / factor, W / factor) of `size` (H, W), each pixel then repeated factor x factor times.

    A network gets exactly the small picture back with `[..., ::factor, ::factor]`. What is made of such blocks already,
    and a picture that is small already, is kept as it is.
    """
    height, width = size
    if factor > min(size):
        raise DataError(f"superres:{factor} leaves nothing of a {width}x{height} picture; use a smaller factor")
    if height % factor or width % factor:
        low = [side // factor * factor for side in size]
        raise DataError(
            f"superres:{factor} needs sides that {factor} divides, but pictures are {height}x{width}; "
            f"use --size {low[0]}x{low[1]}"
        )
    if image.shape[:2] == size:
        repeated = repeat(image[::factor, ::factor], factor)
        if np.array_equal(repeated, image):
            return image
    return repeat(resize(image, (height // factor, width // factor), nearest=False), factor)


def repeat(image: Pixels, times: int) -> Pixels:
    return image.repeat(times, axis=0).repeat(times, axis=1)


def edges(grey: Pixels) -> Pixels:
    """White (255) where the grey level (H, W) changes by more than EDGE a pixel, black elsewhere; grain is smoothed."""
    smooth = np.array(Image.fromarray(grey).filter(ImageFilter.GaussianBlur(1)))
    padded = np.pad(smooth.astype(np.float32), 1, mode="edge")
    down = (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    right = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2
    return np.where(np.hypot(down, right) > EDGE, 255, 0).astype(np.uint8)
