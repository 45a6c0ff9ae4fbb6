"""Descriptors by which pairs are compared in the neighbour search (He, Schiele, Fritz, ECCV 2018, and released code).

Conditions become vectors whose L1 distance is in the unit that `unit` names; images become colour histograms, by which
neighbours are grouped if there are many.
"""

from __future__ import annotations

from functools import lru_cache, singledispatch
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms
from torch import Tensor
from torch.nn import functional as F

from ...core.errors import ConfigError
from ...core.progress import watched
from ..conditions import Condition, Labels, Landmarks
from ..conditions.landmarks import points_of
from ..dataset.pairs import Pairs
from ..files.images import resize

Floats = NDArray[np.float32]

TALL = 128  # landmarks are measured in pixels of an image of this height, that of the paper's faces
SIDE, LARGEST = 16, 2048  # most cells per side to which conditions are averaged, most values in total
SAMPLED, BINS, SPAN = 32, 100, 50  # pixels per side that a histogram counts, its bins, its largest |a| and |b|


class Described(NamedTuple):
    """Descriptors of a data set for the neighbour search."""

    conditions: Floats  # (N, D); L1 distances are in the unit of `unit`
    colours: Floats  # (N, 300)


def describe(pairs: Pairs) -> Described:
    """Compute the descriptors of all pairs, reading each pair once.

    Raises:
        ConfigError: conditions and images do not belong together, or there are no conditions.
    """
    if pairs.unpaired:
        raise ConfigError(
            f"neighbours are images of similar conditions, but the images of {pairs.name} are unpaired; "
            "leave training.neighbours.threshold at 0"
        )
    if not pairs.condition.channels:
        raise ConfigError(
            f"neighbours are images of similar conditions, but {pairs.name} has no conditions; "
            "leave training.neighbours.threshold at 0"
        )
    conditions, colours = [], []
    for k in watched(range(len(pairs)), "comparing conditions", len(pairs)):
        raw, image = pairs.raw(k)
        conditions.append(describe_condition(pairs.condition, raw))
        colours.append(histograms(image))
    return Described(fill(np.stack(conditions)), np.stack(colours))


@singledispatch
def unit(condition: Condition) -> str:
    """The unit of distances between conditions, and thus of the threshold."""
    return "mean difference of values in [-1, 1], 0 to 2"


@unit.register
def _(condition: Labels) -> str:
    return "share of the area whose class differs, 0 to 1"


@unit.register
def _(condition: Landmarks) -> str:
    return f"pixels in an image {TALL} high, summed over x and y of all points"


@singledispatch
def describe_condition(condition: Condition, raw: Tensor) -> Floats:
    """Turn a raw condition (c, H, W) into a vector (D,)."""
    cells = shrink(condition.encode(raw[None]))
    return scale(cells, 1 / cells.size)


@describe_condition.register
def _(condition: Labels, raw: Tensor) -> Floats:
    """Instance boundaries do not count. The factor is 1/2 because two planes differ wherever the class does."""
    cells = shrink(condition.encode(raw[None])[:, : condition.classes])
    return scale(cells, 0.5 / cells[0].size)


@describe_condition.register
def _(condition: Landmarks, raw: Tensor) -> Floats:
    """x and y of every point, (2 P,) in pixels of an image TALL high; NaN where a point is absent."""
    return (points_of(raw) * (TALL / raw.shape[1])).flatten().numpy()


def shrink(planes: Tensor) -> Floats:
    """Average (1, K, H, W) over areas to (K, h, w), at most 16x16, and fewer if there are many planes."""
    side = max(1, min(SIDE, int((LARGEST / planes.shape[1]) ** 0.5)))
    cells: Floats = F.interpolate(planes, size=[min(side, n) for n in planes.shape[2:]], mode="area")[0].numpy()
    return cells


def scale(values: NDArray[Any], factor: float) -> Floats:
    """Flatten and multiply by a factor."""
    return (values.reshape(-1) * factor).astype(np.float32)


def fill(values: Floats) -> Floats:
    """Replace NaN by the mean of the column's other values, or by 0 if there are none."""
    known = ~np.isnan(values)
    if known.all():
        return values
    sums = np.where(known, values, 0).sum(axis=0, dtype=np.float64)
    return np.where(known, values, (sums / np.maximum(known.sum(axis=0), 1)).astype(np.float32))


def histograms(image: Tensor) -> Floats:
    """Normalised histograms of CIE-Lab L (0 to 100), a and b (-50 to 50), concatenated: (300,).

    The image, uint8 (3 or 1, H, W), is subsampled to 32x32. Stronger colours count in the outermost bins.
    """
    pixels = resize(image.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy(), (SAMPLED, SAMPLED), nearest=True)
    light, a, b = lab(pixels).reshape(-1, 3).T
    counts = [np.histogram(light, BINS, (0, 100))[0]]
    counts += [np.histogram(np.clip(values, -SPAN, SPAN), BINS, (-SPAN, SPAN))[0] for values in (a, b)]
    return scale(np.concatenate(counts), 1 / (SAMPLED * SAMPLED))


def lab(pixels: NDArray[np.uint8]) -> Floats:
    """CIE-Lab of sRGB (H, W, 3) by LittleCMS, white D50: L in 0..100 in steps of 0.39, a and b in -128..127."""
    coded = np.asarray(ImageCms.applyTransform(Image.fromarray(pixels), _to_lab()))
    light = coded[..., :1].astype(np.float32) * (100 / 255)
    return np.concatenate([light, coded[..., 1:].view(np.int8).astype(np.float32)], axis=-1)


@lru_cache(maxsize=1)
def _to_lab() -> Any:
    return ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
