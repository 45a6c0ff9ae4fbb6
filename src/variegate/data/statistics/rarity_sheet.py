"""A sheet of what rebalancing considers rare: the commonest and the rarest appearances of each class it serves.

The scores are those of `rarity.py` (Li, Zhang, Malik, ICCV 2019, section 3.3).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ...core.errors import ConfigError
from ..conditions.labels import Labels
from ..dataset.pairs import Pairs
from ..files import images as image_files
from .rarity import FEWEST, FLOOR, SMALLEST, Rarity

TALL = 128  # approximate height of a thumbnail in pixels
GAP, LINE, NAMES = 6, 18, 150  # pixels: between thumbnails, height of a text line, width of the column of names
INK, GREY, PAPER, FRAME = (20, 20, 20), (110, 110, 110), (255, 255, 255), (230, 30, 60)
DIMMED, DARK, LIGHT = 0.2, 60, 215  # contrast outside the class, and the grey values it is centred on
FRAMED = 0.02  # classes with a smaller share of the image get a frame, so that they can be found


def rarity_sheet(
    pairs: Pairs, folder: str | Path, count: int = 5, classes: int = 5, smallest: float = SMALLEST
) -> Path:
    """Write `rarity.png` and `rarity.json` into `folder`; returns the image's path.

    The image has a row for each served class: on the left the `count` images in which it looks commonest, on the
    right those in which it looks rarest, all with only the class in colour, and a frame around it where it is small.
    Below each: the class's mean colour, the score, the file. The JSON has every score of every class by file.

    Args:
        classes: number of classes served, largest area first.
        smallest: share of the image up to which a class has no score.

    Raises:
        ConfigError: conditions are images, no class occurs in enough images, or an argument is out of range.
    """
    if count < 1 or classes < 1:
        raise ConfigError(f"--count and --classes must be at least 1, got {count} and {classes}")
    if not 0 <= smallest < 1:
        raise ConfigError(f"--smallest is a share of the image from 0 to 1, got {smallest:g}")
    rarity = Rarity(pairs, classes, smallest=smallest)
    rows = [(p, *extremes(rarity.even[:, p], count)) for p in rarity.served]
    place, page = Path(folder), sheet_of(pairs, rarity, rows, count)
    place.mkdir(parents=True, exist_ok=True)
    (place / "rarity.json").write_text(json.dumps(record(pairs, rarity), indent=1))
    page.save(place / "rarity.png")
    return place / "rarity.png"


def extremes(scores: NDArray[np.float64], count: int) -> tuple[list[int], list[int]]:
    """The images with the lowest scores, lowest first, and those with the highest, highest first; no image in both."""
    order = [int(k) for k in np.argsort(scores, kind="stable") if scores[k] > 0]
    count = min(count, len(order) // 2)
    return order[:count], order[::-1][:count]


def record(pairs: Pairs, rarity: Rarity) -> dict[str, Any]:
    """Scores by file of every class that has any, and their bounds."""
    assert isinstance(pairs.condition, Labels)
    names = pairs.condition.names
    scores = {
        name: {file: float(f"{s:.4g}") for file, s in zip(pairs.files, rarity.even[:, p]) if s > 0}
        for p, name in enumerate(names)
        if rarity.even[:, p].any()
    }
    bounds = {"lowest_density": FLOOR, "smallest_share": rarity.smallest, "fewest_images": FEWEST}
    return {"data": pairs.name, "served": [names[p] for p in rarity.served], **bounds, "scores": scores}


def explanation(smallest: float = SMALLEST) -> str:
    """Explain the scores and their bounds in words."""
    return (
        "A score is 1 / density of the class's mean colour among all images that contain the class, scaled to mean 1.\n"
        f"Densities below {FLOOR:.0%} of the class's largest are raised to it, so that no image fills the stream.\n"
        f"Images with at most {smallest:.1%} of a class, and classes in fewer than {FEWEST} images, get no score."
    )


def sheet_of(pairs: Pairs, rarity: Rarity, rows: list[tuple[int, list[int], list[int]]], count: int) -> Image.Image:
    """The page with all rows (class, commonest, rarest)."""
    assert isinstance(pairs.condition, Labels)
    high, wide = thumbnail_size(pairs.size)
    left = [NAMES + i * (wide + GAP) for i in range(count)]
    right = [x + count * (wide + GAP) + 4 * GAP for x in left]
    row_height = high + LINE + 2 * GAP
    page = Image.new("RGB", (right[-1] + wide + GAP, LINE + 2 * GAP + len(rows) * row_height), PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((left[0], GAP), "commonest", INK, font(14))
    pen.text((right[0], GAP), "rarest", INK, font(14))
    pen.text(
        (right[0] + 60, GAP + 2), "below each: mean colour, score (1 = as often as on average), file", GREY, font(11)
    )
    for i, (p, commonest, rarest) in enumerate(rows):
        top = LINE + 2 * GAP + i * row_height
        title(pen, (GAP, top), pairs.condition, p, int((rarity.even[:, p] > 0).sum()))
        for places, found in ((left, commonest), (right, rarest)):
            for x, k in zip(places, found):
                raw, image = pairs.raw(k)
                pixels, inside = image.expand(3, -1, -1).permute(1, 2, 0).numpy(), raw[0].numpy() == p
                shown = image_files.resize(highlight(pixels, inside), (high, wide), nearest=False)
                page.paste(Image.fromarray(shown), (x, top))
                if inside.mean() < FRAMED:
                    frame(pen, (x, top), inside, (high, wide))
                colour = pixels[inside].mean(axis=0)
                caption(pen, (x, top + high + 3), colour, float(rarity.even[k, p]), Path(pairs.files[k]).stem, wide)
    return page


def thumbnail_size(size: tuple[int, int]) -> tuple[int, int]:
    """(H, W) with H about TALL; small images are enlarged by an integer factor."""
    height, width = size
    if height <= TALL:
        return height * (TALL // height), width * (TALL // height)
    return TALL, round(width * TALL / height)


def highlight(image: NDArray[np.uint8], inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Turn everything outside the class (H, W) of an image (H, W, 3) grey and low in contrast: dark around a bright
    class, light around a dark one."""
    middle = DARK if image[inside].mean() > 127 else LIGHT
    grey = middle + DIMMED * (image.mean(axis=2, keepdims=True) - 128)
    return np.where(inside[..., None], image, np.broadcast_to(grey, image.shape).astype(np.uint8))


def frame(pen: ImageDraw.ImageDraw, corner: tuple[int, int], inside: NDArray[np.bool_], size: tuple[int, int]) -> None:
    """Draw a rectangle around all of a class (H, W) in a thumbnail of another size."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    tall, wide = size[0] / inside.shape[0], size[1] / inside.shape[1]
    (x, y), (last_x, last_y) = corner, (size[1] - 1, size[0] - 1)
    left, top = max(0, int(columns[0] * wide) - 3), max(0, int(rows[0] * tall) - 3)
    right, bottom = min(last_x, int((columns[-1] + 1) * wide) + 2), min(last_y, int((rows[-1] + 1) * tall) + 2)
    pen.rectangle((x + left, y + top, x + right, y + bottom), outline=FRAME)


def title(pen: ImageDraw.ImageDraw, corner: tuple[int, int], condition: Labels, p: int, images: int) -> None:
    """Draw the colour, name and number of scored images of a class."""
    x, y = corner
    pen.rectangle((x, y + 1, x + 14, y + 15), condition.palette[p], INK)
    pen.text((x + 22, y), condition.names[p], INK, font(14))
    pen.text((x + 22, y + LINE), f"{images} images", GREY, font(11))


def caption(
    pen: ImageDraw.ImageDraw, corner: tuple[int, int], colour: NDArray[Any], score: float, file: str, wide: int
) -> None:
    """Draw a class's mean colour in an image, its score, and as much of the end of the file's name as fits."""
    x, y = corner
    red, green, blue = (round(float(value)) for value in colour)
    pen.rectangle((x, y, x + 22, y + 12), (red, green, blue), GREY)
    pen.text((x + 28, y - 2), f"{score:.2g}", INK, font(13))
    while len(file) > 1 and pen.textlength(file, font(11)) > wide - 62:
        file = file[1:]
    pen.text((x + 62, y), file, GREY, font(11))


def font(points: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that comes with Pillow."""
    return ImageFont.load_default(points)
