"""Streets, part three: the reader, which recovers the hidden factors of any image of a known layout.

It measures the mean colour of every class and compares it with the means that each of the 288 combinations of factors
would give. No learned network is involved, so the readings are exact.
"""

from __future__ import annotations

import itertools
from functools import lru_cache, reduce
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...core.errors import DataError
from .paint import MATERIALS, colours, enlarge, materials
from .scene import CLASSES, FACTORS, Bytes

COMBINATIONS = np.array(list(itertools.product(*(range(len(factor.values)) for factor in FACTORS))))  # (288, F)
SOFTNESS = (1, 3)  # passes of softening that an image may have had: as painted, and visibly blurred by a generator
HYPOTHESES = np.tile(COMBINATIONS, (len(SOFTNESS), 1))  # (A, F)
RATIO = 0.6  # most the best value's distance may be of the second best's; 1 would accept a half-and-half blend
FAR = 0.16  # RMS distance in RGB [0, 1] above which the colours match no value
PURITY = 4  # how strongly a class mean favours the interior of the class over its border, where colours mix
AREA_CAP = 0.03  # share of the image at which a class's weight is capped, so that small classes count


class Reading(NamedTuple):
    """The factors read from n images of one layout; columns in the order of FACTORS."""

    factors: Tensor  # (n, F) int64, index of the value; -1 where unreadable
    present: Tensor  # (F,) bool, whether the layout contains any class that this factor colours


class Expectation(NamedTuple):
    """What the reader needs to know about a layout."""

    weights: npt.NDArray[np.float32]  # (classes, H * W), averages over each class; zero rows for absent classes
    importance: npt.NDArray[np.float32]  # (classes,) capped area
    means: npt.NDArray[np.float32]  # (A, classes, 3) in [0, 1], one row per hypothesis


def read(images: Tensor, layout: Tensor | Bytes) -> Reading:
    """Read the factors of `images` (n, 3, H, W) in [-1, 1], all of one `layout` (H, W) or (1, H, W) of class ids.

    A factor is -1 if the layout lacks its classes, if two of its values explain the colours about equally well
    (a blend), or if none does. Without the time of day nothing is readable, since it affects every other colour.
    """
    labels = np.asarray(layout).astype(np.uint8).reshape(np.shape(layout)[-2:])
    if images.ndim != 4 or images.shape[1] != 3 or tuple(images.shape[2:]) != labels.shape:
        raise DataError(f"images {tuple(images.shape)} do not match a layout of {labels.shape}; give (n, 3, H, W)")
    known = expect(labels.tobytes(), labels.shape)
    pixels = images.detach().float().cpu().numpy().reshape(len(images), 3, -1) / 2 + 0.5
    means = (pixels @ known.weights.T).transpose(0, 2, 1).astype(np.float32, copy=False)  # (n, classes, 3)
    errors = squared_distances(means, known.means)
    best = (errors @ known.importance).argmin(1)
    columns = [judge(errors, known.importance, best, number) for number in range(len(FACTORS))]
    factors = np.stack(columns, 1)
    factors[factors[:, 0] < 0] = -1
    present = [known.importance[list(factor.classes)].any() for factor in FACTORS]
    return Reading(torch.from_numpy(factors), torch.tensor(present))


def squared_distances(seen: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Squared distances per class between colours (n, classes, 3) and (A, classes, 3): (n, A, classes)."""
    products = np.einsum("nkc,akc->nak", seen, expected, optimize=True)
    squares = np.square(seen).sum(-1)[:, None] + np.square(expected).sum(-1) - 2 * products
    return squares.clip(0)  # rounding may leave a zero slightly negative


def judge(
    errors: npt.NDArray[np.float32], importance: npt.NDArray[np.float32], best: npt.NDArray[np.int64], number: int
) -> npt.NDArray[np.int64]:
    """The value (n,) of one factor in the best combination, or -1 where the ratio or distance test fails."""
    classes = list(FACTORS[number].classes)
    weight = importance[classes]
    rows = np.arange(len(errors))
    values = HYPOTHESES[best, number]
    if not weight.any():
        return np.full(len(errors), -1)
    same = values[:, None] == HYPOTHESES[:, number]  # (n, A)
    other = np.where(same, np.inf, errors @ importance).argmin(1)
    distance = np.sqrt(errors[:, :, classes] @ weight / weight.sum())  # (n, A)
    near, second = distance[rows, best], distance[rows, other]
    return np.where((near < RATIO * second) & (near < FAR), values, -1)


@lru_cache(maxsize=256)
def expect(labels_bytes: bytes, size: tuple[int, int]) -> Expectation:
    """Compute everything about a layout that does not depend on the images. Takes bytes, so that it can be cached."""
    labels = np.frombuffer(labels_bytes, np.uint8).reshape(size)
    weights = np.zeros((len(CLASSES), labels.size), np.float32)
    areas = np.zeros(len(CLASSES), np.float32)
    for number in range(len(CLASSES)):
        area = labels == number
        if area.any():
            pure = (area * soften(area.astype(np.float32)) ** PURITY).ravel()
            weights[number] = pure / pure.sum()
            areas[number] = area.mean()
    return Expectation(weights, np.minimum(areas, AREA_CAP), expected_means(labels, weights))


def soften(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Soften a plane (H, W) as painting at a finer resolution would, on average over all positions of a border.

    A border inside a pixel mixes the colours of both sides: taps 1/8, 6/8, 1/8 along each axis.
    """
    padded = np.pad(plane, 1, mode="edge")
    rows = 0.75 * padded[1:-1] + 0.125 * (padded[:-2] + padded[2:])
    return (0.75 * rows[:, 1:-1] + 0.125 * (rows[:, :-2] + rows[:, 2:])).astype(np.float32, copy=False)


def expected_means(labels: Bytes, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Mean colour of each class under each combination, mixed with its neighbours' at the borders: (A, classes, 3).

    Softening the weights is equivalent to softening the image, so materials are counted once for all combinations.
    """
    material = materials(enlarge(labels)).ravel()
    shares = np.zeros((len(SOFTNESS), len(CLASSES), MATERIALS), np.float32)  # of each material in a class mean
    for number, weight in enumerate(weights.reshape(-1, *labels.shape)):
        for level, times in enumerate(SOFTNESS):
            spread = reduce(lambda plane, _: soften(plane), range(times), weight)
            shares[level, number] = np.bincount(material, enlarge(spread).ravel(), MATERIALS)
    shares /= shares.sum(-1, keepdims=True).clip(1e-9)
    return np.einsum("lkm,amc->lakc", shares, all_colours(), optimize=True).reshape(len(HYPOTHESES), -1, 3)


@lru_cache(maxsize=1)
def all_colours() -> npt.NDArray[np.float32]:
    """The colours of all materials under each combination: (288, materials, 3)."""
    names = [factor.name for factor in FACTORS]
    return np.stack([colours(dict(zip(names, row))) for row in COMBINATIONS.tolist()])
