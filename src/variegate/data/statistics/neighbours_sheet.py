"""A sheet of what training uses as neighbours: some pairs with the images that were kept for their conditions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from ...core.config import Neighbours, from_mapping
from ..dataset.pairs import Pairs
from ..files import images as image_files
from .descriptors import describe, unit
from .neighbours import Found, neighbours, suggest
from .rarity_sheet import GAP, GREY, INK, LINE, PAPER, font, thumbnail_size

QUANTILES = {"10%": 0.1, "25%": 0.25, "50%": 0.5, "75%": 0.75, "90%": 0.9, "100%": 1.0}


class Sheet(NamedTuple):
    """The image that was written, and a description in words."""

    image: Path
    text: str


def neighbours_sheet(pairs: Pairs, folder: str | Path, threshold: float | None, most: int = 7, count: int = 6) -> Sheet:
    """Write `neighbours.png` and `neighbours.json` into `folder`.

    The image has a row for each of `count` pairs, from one with few neighbours to the one with the most: its condition,
    its image, and the neighbours that are kept, nearest first, with the distances of their conditions. The JSON has
    the neighbours of every pair by file.

    Args:
        threshold: see `config.Neighbours`; by default one at which half of the pairs have a neighbour.

    Raises:
        ConfigError: no pair has a neighbour, conditions and images are unpaired, scikit-learn is missing, or an
            argument is out of range.
    """
    settings = from_mapping(Neighbours, {"threshold": threshold or 0.0, "most": most}, "options")
    described = describe(pairs)
    if threshold is None:
        settings = settings.model_copy(update={"threshold": suggest(described)})
    found = neighbours(pairs, settings, described)
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    (place / "neighbours.json").write_text(json.dumps(record(pairs, settings, found), indent=1))
    sheet_of(pairs, found, spread(found.within, count)).save(place / "neighbours.png")
    return Sheet(place / "neighbours.png", explanation(pairs, settings, found, threshold is None))


def spread(within: NDArray[np.int32], count: int) -> list[int]:
    """Pairs with neighbours, evenly spaced from the one with the fewest to the one with the most."""
    order = np.argsort(within, kind="stable")
    order = order[within[order] > 0]
    return [
        int(order[i]) for i in np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int))
    ]


def explanation(pairs: Pairs, settings: Neighbours, found: Found, chosen: bool) -> str:
    """The threshold, its unit, and how many neighbours pairs have."""
    why = " (half of the pairs have a neighbour closer than this; --threshold sets another)" if chosen else ""
    shares = ", ".join(f"{name} of pairs {n}" for name, n in quantiles(found).items())
    return (
        f"threshold {settings.threshold:g}{why}\n"
        f"in {unit(pairs.condition)}\n"
        f"pairs with a neighbour: {(found.within > 0).mean():.0%} of {len(pairs)}\n"
        f"neighbours closer than the threshold, at most: {shares}\n"
        f"kept, at most {settings.most - 1} per pair: {found.kept.mean():.2g} on average"
    )


def quantiles(found: Found) -> dict[str, int]:
    """Quantiles, over pairs, of the number of neighbours within the threshold."""
    values = np.quantile(found.within, list(QUANTILES.values()), method="inverted_cdf")
    return dict(zip(QUANTILES, map(int, values)))


def record(pairs: Pairs, settings: Neighbours, found: Found) -> dict[str, Any]:
    """Every pair's neighbours by file, with distances to three digits."""
    rows = zip(pairs.files, found.others.tolist(), found.distances.tolist())
    return {
        "data": pairs.name,
        "threshold": settings.threshold,
        "unit": unit(pairs.condition),
        "most": settings.most,
        "within": quantiles(found),
        "neighbours": {
            file: {pairs.files[k]: float(f"{away:.3g}") for k, away in zip(others, distances) if k >= 0}
            for file, others, distances in rows
        },
    }


def sheet_of(pairs: Pairs, found: Found, shown: list[int]) -> Image.Image:
    """The page of all rows."""
    high, wide = thumbnail_size(pairs.size)
    columns = 2 + int(found.kept[shown].max())
    left = [GAP + i * (wide + GAP) + (2 * GAP if i > 1 else 0) for i in range(columns)]
    row_height = high + 2 * LINE + GAP
    page = Image.new("RGB", (left[-1] + wide + GAP, LINE + 2 * GAP + len(shown) * row_height), PAPER)
    pen = ImageDraw.Draw(page)
    for x, words in zip(left, ("condition", "image", "neighbours, by distance")):
        pen.text((x, GAP), words, INK, font(14))
    for i, k in enumerate(shown):
        top = LINE + 2 * GAP + i * row_height
        raw, image = pairs.raw(k)
        others = [int(number) for number in found.others[k] if number >= 0]
        tiles = [pairs.condition.to_image(raw), image, *(pairs.raw(number)[1] for number in others)]
        names = ["", *(Path(pairs.files[number]).stem for number in (k, *others))]
        marks = [f"{found.within[k]} near", "", *(f"{away:.3g}" for away in found.distances[k])]
        for x, tile, mark, name in zip(left, tiles, marks, names):
            page.paste(thumbnail(tile, (high, wide)), (x, top))
            under(pen, (x, top + high + 2), mark, name, wide)
    return page


def thumbnail(planes: Tensor, size: tuple[int, int]) -> Image.Image:
    """Resize an image uint8 (3 or 1, H, W) to `size` (H, W)."""
    return Image.fromarray(
        image_files.resize(planes.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy(), size, nearest=False)
    )


def under(pen: ImageDraw.ImageDraw, corner: tuple[int, int], word: str, file: str, wide: int) -> None:
    """Write a word and, below it, as much of the end of a file's name as fits."""
    x, y = corner
    pen.text((x, y), word, INK, font(12))
    while len(file) > 1 and pen.textlength(file, font(11)) > wide:
        file = file[1:]
    pen.text((x, y + LINE - 3), file, GREY, font(11))
