"""How the hues of images are spread: data of one hue cannot show much variety (conditional IMLE, figure 3)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..dataset.pairs import Pairs

BINS = 12  # of 30 degrees, the first around red
IMAGES, SIDE = 100, 32
LEAST = 0.15  # saturation, and value, from which a pixel counts as coloured
BARS = "▁▂▃▄▅▆▇█"


class Hues(NamedTuple):
    """Shares of the coloured pixels in bins of 30 degrees, the first around red, and the share that is coloured."""

    shares: NDArray[np.float64]
    coloured: float

    def __str__(self) -> str:
        top = max(float(self.shares.max()), 1e-9)
        bars = "".join(BARS[round(float(share) / top * (len(BARS) - 1))] for share in self.shares)
        return f"{bars}  red, orange, yellow, ... to pink; {self.coloured:.0%} of the pixels are coloured"


def hues(pairs: Pairs) -> Hues:
    """Those of at most 100 evenly spaced images, at 32x32; grey images have none."""
    small, count = pairs.resized((SIDE, SIDE)), min(IMAGES, len(pairs))
    counts, pixels = np.zeros(BINS), 0
    for i in range(count):
        image = small.raw(i * len(pairs) // count)[1].expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()
        hue, saturation, value = np.moveaxis(np.array(Image.fromarray(image).convert("HSV")).astype(float) / 255, 2, 0)
        seen = (saturation >= LEAST) & (value >= LEAST)
        bins = (hue[seen] * BINS + 0.5).astype(int) % BINS
        counts += np.bincount(bins, minlength=BINS)
        pixels += seen.size
    return Hues(counts / max(1.0, counts.sum()), float(counts.sum()) / pixels)
