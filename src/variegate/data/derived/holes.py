"""Images with a hole to fill: cut for training, or read from a user's transparent image or mask.

An image with a hole is uint8 (H, W, 4): RGB, white inside the hole, and the mask, 255 inside the hole and 0 outside.
The white fill and the centred hole follow DSGAN's inpainting (Yang et al., ICLR 2019), the random rectangle follows
GLCIC in MR-GAN (Lee, Ha, Kim, ICLR 2019): each side is uniform in 3/8 .. 1/2 of the image's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...core.errors import DataError
from ..files import images as image_files
from ..files.blobs import File
from ..files.images import Pixels
from ..files.sources import OneSource, Source, eight_bit, named, on_disk, planes_last

WHITE = 255  # inside the hole, in RGB and mask
MOST = 0.9  # fraction of the image; a larger hole is probably an inverted mask
HOLE_WORD = 2**64 - 2  # second word of the key: far from training codes (0, 1, ...), next to that of visits
BY_MASK = "white (255, or 1.0) marks the hole and black is kept"
BY_ALPHA = "transparent (alpha 0) marks the hole and opaque is kept"
WAYS = (
    "make the hole transparent (alpha 0), or give a mask, white inside the hole, "
    "in a pair (image, mask) or as the fourth channel of an array"
)


class Hole(NamedTuple):
    """A rectangle of pixels."""

    top: int
    left: int
    height: int
    width: int


def centre(size: tuple[int, int]) -> Hole:
    """The central half of the height and width (H, W)."""
    height, width = (side // 2 for side in large_enough(size))
    return Hole((size[0] - height) // 2, (size[1] - width) // 2, height, width)


def rectangle(size: tuple[int, int], item: int) -> Hole:
    """A rectangle in (H, W) that depends only on the item's number, with the same proportions at any size."""
    drawn, sides = chances(item), []
    for side, chance in zip(large_enough(size), drawn):
        least, most = lengths(side)
        sides.append(least + int(chance * (most - least + 1)))
    places = [int(chance * (side - own + 1)) for side, own, chance in zip(size, sides, drawn[2:])]
    return Hole(places[0], places[1], sides[0], sides[1])


def chances(item: int) -> NDArray[np.float64]:
    """Four uniform random numbers in [0, 1) that depend only on the item's number."""
    return np.random.Generator(np.random.Philox(key=np.array([item, HOLE_WORD], dtype=np.uint64))).random(4)


def lengths(side: int) -> tuple[int, int]:
    """Minimum and maximum side of a random hole in an image with this side."""
    most = side // 2
    return min(most, -(-side * 3 // 8)), most


def large_enough(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size (H, W). Raises DataError if it is too small to cut a hole into."""
    if min(size) < 2:
        raise DataError(f"a {size[1]}x{size[0]} image is too small to cut a hole into; use images of 2x2 or more")
    return size


def cut(image: Pixels, hole: Hole) -> Pixels:
    """Cut a hole into an image (H, W, 3): (H, W, 4)."""
    mask = np.zeros(image.shape[:2], dtype=np.uint8)
    mask[hole.top : hole.top + hole.height, hole.left : hole.left + hole.width] = WHITE
    return join(image, mask)


def join(image: Pixels, mask: Pixels) -> Pixels:
    """Join an image (H, W, 3) and a mask (H, W) of 0 and 255 to (H, W, 4), erasing the pixels inside the hole."""
    return np.dstack([np.where(mask[..., None] > 0, np.uint8(WHITE), image), mask])


def resize(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Resize to exactly (H, W): nothing leaks out of the hole, and every pixel that it touches belongs to it."""
    if pixels.shape[:2] == size:
        return pixels
    known = np.dstack([pixels[..., :3], WHITE - pixels[..., 3]])
    # Pillow weights colours by alpha, so the white of the hole does not affect colours outside it
    resized = np.array(Image.fromarray(known).resize((size[1], size[0]), Image.Resampling.BICUBIC))
    return join(resized[..., :3], image_files.resize_largest(pixels[..., 3], size))


def read(source: Source, where: str) -> Pixels:
    """Read a user's image with a hole, (H, W, 4), from any of these:

    * an image (file or PIL) with transparency: alpha below one half is the hole;
    * an array (H, W, 4) or tensor (4, H, W): the fourth channel is the mask, 255 (floats: 1.0) inside the hole, the
      opposite of alpha;
    * a pair (image, mask) of any two sources of equal size: the mask is white inside the hole.

    Raises:
        DataError: the mask is missing, has another size, or covers nothing, everything or nearly everything.
    """
    if isinstance(source, tuple):
        return _from_pair(source)
    if isinstance(source, str | File | Image.Image):
        return _from_alpha(on_disk(source), where)
    values = planes_last(source, where, right="(H, W, 4) or (4, H, W)")
    if values.ndim == 2 or values.shape[2] != 4:
        raise DataError(f"{where}: has no mask that marks its hole; {WAYS}")
    if values.size == 0:
        raise DataError(f"{where}: has no pixels (shape {values.shape})")
    values = eight_bit(values, where)
    return join(values[..., :3], _check_mask(_inside(values[..., 3]), where, BY_MASK))


def _from_alpha(source: File | Image.Image, where: str) -> Pixels:
    image = image_files.open_image(source) if isinstance(source, File) else source
    if not image.has_transparency_data:
        raise DataError(f"{where}: has no mask that marks its hole; {WAYS}")
    values = np.array(image.convert("RGBA"))
    return join(values[..., :3], _check_mask(values[..., 3] < 128, where, BY_ALPHA))


def _from_pair(source: tuple[OneSource, ...]) -> Pixels:
    if len(source) != 2:
        raise DataError(f"the given image: expected a pair (image, mask), got a tuple of {len(source)}")
    names = named(source[0], "image"), named(source[1], "mask")
    if not isinstance(source[0], str | File | Image.Image) and planes_last(source[0], names[0]).shape[2:] == (4,):
        raise DataError(f"{names[0]}: has a hole in its fourth channel; give a mask or that channel, not both")
    image, mask = (read_plain(part, planes, name) for part, planes, name in zip(source, (3, 1), names))
    if image.shape[:2] != mask.shape[:2]:
        (height, width), (tall, wide) = image.shape[:2], mask.shape[:2]
        raise DataError(
            f"{names[1]}: is {wide}x{tall}, but its image is {width}x{height}; "
            f"a mask must have the size of its image, and {BY_MASK}"
        )
    return join(image, _check_mask(_inside(mask), names[1], BY_MASK))


def read_plain(source: OneSource, planes: int, where: str, white: int = image_files.WHITE) -> Pixels:
    """Read an image without a hole: (H, W, 3) for 3 planes, (H, W) for 1; `white` is the value of white in 16 bits."""
    if isinstance(source, str | File | Image.Image):
        return image_files.read_image(on_disk(source), planes, where, white)
    values = eight_bit(planes_last(source, where), where, white)
    return image_files.read_image(Image.fromarray(values), planes, where) if values.size else values


def read_mask(file: Path) -> Pixels:
    """Read a mask file, white inside the hole, as 0 and 255, (H, W)."""
    return _check_mask(_inside(image_files.read_image(file, 1)), str(file), BY_MASK)


def _inside(mask: Pixels) -> NDArray[np.bool_]:
    """Where a mask of 0..255, or of integers 0 and 1, marks the hole: above half, because edges may be soft."""
    return mask > (0 if mask.size and mask.max() == 1 else 127)


def _check_mask(inside: NDArray[np.bool_], where: str, polarity: str) -> NDArray[Any]:
    """Convert the mask to 0 and 255. Raises DataError if it leaves nothing to fill or nothing to fill it from."""
    share = float(inside.mean()) if inside.size else 0.0
    if share == 0:
        raise DataError(f"{where}: its mask covers nothing, so there is no hole to fill; {polarity}")
    if share == 1:
        raise DataError(f"{where}: its mask covers the whole image, so there is nothing to fill it from; {polarity}")
    if share > MOST:
        raise DataError(
            f"{where}: its mask covers {100 * share:.0f} % of the image, so it seems to be inverted; "
            f"{polarity}: invert it"
        )
    return inside.astype(np.uint8) * np.uint8(WHITE)
