"""Sets of images with their conditions: does an image fit its condition, and how much of the variety is left by it?

Conditional Fréchet distance (Soloveitchik et al. 2021): the expected squared Wasserstein distance between Gaussians of
the features y of real images and of samples, given the condition x. Conditional and information Vendi score (Jalali et
al. 2024): the Vendi score of all samples is the product of what varies given the condition and what follows from it.

A condition is embedded as its picture, made 8 x 8 pixels; no network is needed for it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ...core.errors import DataError
from ...core.images import to_float
from ...runs.measured import Measured
from .extractors import Extractor
from .features import Features
from .frechet import bias, frechet_distance
from .neighbourhoods import MOST, distances, entropy_of, similarities

SIDE = 8  # pixels of a condition's picture
EACH = 10  # conditions for each direction of them that is used
DIRECTIONS = 16  # at most


def embed_conditions(pictures: Tensor) -> Tensor:
    """Pictures of conditions (n, 3, H, W), uint8, as (n, 192), float64."""
    small = F.interpolate(to_float(pictures), (SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True)
    return small.flatten(1).double()


def directions(conditions: Tensor, count: int) -> Tensor:
    """The first principal directions of conditions (n, E): (E, count)."""
    return torch.linalg.svd(conditions - conditions.mean(dim=0), full_matrices=False).Vh[:count].T


def regress(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Least squares of y (n, D) on x (n, r) and 1: coefficients (r + 1, D), and residuals (n, D) of right variance."""
    design = torch.cat([x, x.new_ones(len(x), 1)], dim=1)
    coefficients = torch.linalg.pinv(design) @ y
    free = max(1, len(x) - design.shape[1])  # so that the covariance of what is left is unbiased
    return coefficients, (y - design @ coefficients) * ((len(x) - 1) / free) ** 0.5


def conditional_frechet(real_x: Tensor, real_y: Tensor, fake_x: Tensor, fake_y: Tensor) -> float:
    """E_x of the squared Wasserstein distance between Gaussians of real and fake y given x, in closed form.

    Given x, both have a mean that is linear in x and a constant covariance, that of the residuals; with the same x in
    both sets this is the paper's closed form. The expectation is over `fake_x`.

    Args:
        real_x, fake_x: conditions (n, r) and (m, r); real_y, fake_y: features (n, D) and (m, D).
    """
    (of_real, real_rest), (of_fake, fake_rest) = regress(real_x, real_y), regress(fake_x, fake_y)
    design = torch.cat([fake_x, fake_x.new_ones(len(fake_x), 1)], dim=1)
    means = (design @ (of_real - of_fake)).square().sum(dim=1).mean()
    return float(means) + frechet_distance(real_rest, fake_rest)


def conditional_vendi(features: Tensor, conditions: Tensor) -> tuple[float, float]:
    """(Conditional, information) Vendi score of features (n, D), by cosines, given conditions (n, E), by a Gaussian.

    The Gaussian's deviation is half the median distance of different conditions. If all are far from each other, the
    first is the geometric mean of each condition's own Vendi score.
    """
    apart = distances(conditions, conditions)
    different = apart[apart > 0]
    if not len(different):
        raise DataError("all conditions look the same; conditional metrics need different ones")
    of_conditions = torch.exp(-2 * (apart / different.median()).square())
    of_images = similarities(features)
    both, given, alone = (entropy_of(one) for one in (of_images * of_conditions, of_conditions, of_images))
    return float(torch.exp(both - given)), float(torch.exp(alone + given - both))


def frechet_metrics(
    real: Features, shown: Tensor, fake: Features, pictures: Tensor, extractor: Extractor
) -> dict[str, Measured]:
    """The conditional Fréchet distance by name.

    Args:
        shown: pictures of the conditions of real images, uint8 (n, 3, H, W).
        pictures: of samples, which come condition after condition, equally many of each: uint8 (B, 3, H, W).
    """
    count = min(DIRECTIONS, len(pictures) // EACH, len(shown) // EACH)
    if count < 1:
        raise DataError(f"it needs at least {EACH} conditions, got {min(len(pictures), len(shown))}")
    samples = len(fake.values) // len(pictures)
    real_x, own = embed_conditions(shown), embed_conditions(pictures)
    way = directions(real_x, count)
    value = conditional_frechet(real_x @ way, real.values, own.repeat_interleave(samples, dim=0) @ way, fake.values)
    name = f"conditional_{extractor.frechet}"
    record = extractor.protocol(
        real.size,
        name=name,
        metric="mean squared Wasserstein distance of Gaussians given the condition (Soloveitchik et al.)",
        inputs=len(pictures),
        samples=samples,
        notes=(
            f"{len(fake.values)} samples against {len(real.values)} real images",
            f"conditions: their picture at {SIDE}x{SIDE}, the first {count} principal directions of it",
            *extractor.notes,
            *bias(min(len(real.values), len(fake.values)), extractor.features),
        ),
    )
    return {name: Measured(value=value, n=len(pictures), unit="squared", better="lower", protocol=record)}


def vendi_metrics(fake: Features, pictures: Tensor, extractor: Extractor) -> dict[str, Measured]:
    """Conditional and information Vendi score by name; of the first conditions, if there are more than MOST samples."""
    samples = len(fake.values) // len(pictures)
    used = min(len(pictures), max(1, MOST // samples))
    conditions = embed_conditions(pictures[:used]).repeat_interleave(samples, dim=0)
    within, between = conditional_vendi(fake.values[: used * samples], conditions)
    notes = (f"cosines of features; a Gaussian of conditions, their picture at {SIDE}x{SIDE}", *extractor.notes)

    def score(kind: str, metric: str, value: float) -> dict[str, Measured]:
        name = f"{kind}_vendi_{extractor.name}"
        record = extractor.protocol(fake.size, name=name, metric=metric, inputs=used, samples=samples, notes=notes)
        return {name: Measured(value=value, n=used, unit="images", better="higher", protocol=record)}

    given = "Vendi score of samples given their condition (Jalali et al.)"
    told = "the part of the samples' Vendi score that follows from their condition (Jalali et al.)"
    return score("conditional", given, within) | score("information", told, between)
