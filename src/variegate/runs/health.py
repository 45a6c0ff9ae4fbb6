"""Is the code ignored, and does a method cover its data? Cheap metrics on a fixed panel of samples."""

from __future__ import annotations

import math
from statistics import fmean

import torch
from torch import Tensor

IGNORED = 0.05  # below this, images of one condition differ so little that people see a single image
ROUNDING = 1e-5  # of the distance between codes: conditions that change less than this change nothing but last bits


def code_sensitivity(images: Tensor, hole: Tensor | None = None) -> float:
    """Mean L1 distance between codes of one condition over mean L1 distance between conditions of one code.

    About 0 means that the code is ignored; NaN for a single condition, and if conditions change nothing.

    Args:
        images: (B, S, C, H, W) with the same S codes for every condition.
        hole: bool (B, 1, H, W), not empty: which pixels of a condition are compared, as others are given; default: all.
    """
    if len(images) < 2:
        return math.nan  # one condition has nothing to compare with
    if hole is None:
        between_codes = mean_distance(images.transpose(0, 1).flatten(2))
        between_conditions = mean_distance(images.flatten(2))
    else:
        inside = [(i, images[..., own]) for i, own in enumerate(hole[:, 0]) if own.any()]  # (B, S, C, pixels) each
        between_codes = fmean(mean_distance(pixels[i]) for i, pixels in inside)
        between_conditions = fmean(
            mean_distance(pixels[[i, j]]) for i, pixels in inside for j in range(len(images)) if j != i
        )
    if between_codes and between_conditions <= ROUNDING * between_codes:
        return math.nan  # conditions change nothing, as when there are none
    return between_codes / max(between_conditions, 1e-12)


def mean_distance(items: Tensor) -> float:
    """Mean absolute difference over all pairs of the first axis, averaged over the second: (N, M, ...)."""
    count = len(items)
    if count < 2:
        return 0.0
    total = sum(float((items[i] - items[j]).abs().mean()) for i in range(count) for j in range(i))
    return total / (count * (count - 1) / 2)


def best_of_n(images: Tensor, truth: Tensor) -> float:
    """Mean over conditions of the smallest mean absolute error of the S samples, in [0, 1] units.

    Low only if the samples are good and one of them resembles the real image; decides which checkpoint is best.
    images: (B, S, C, H, W) and truth (B, C, H, W) in [-1, 1].
    """
    errors = (images.clamp(-1, 1) - truth.unsqueeze(1)).abs().mean(dim=(2, 3, 4)) / 2
    return float(errors.min(dim=1).values.mean())


def branch_use(images: Tensor, truth: Tensor) -> Tensor:
    """Number of real images that each branch is nearest to, by mean absolute error: int64 (n,).

    images: (B, n, C, H, W), the same n fixed codes for every condition, and truth (B, C, H, W).
    """
    errors = (images - truth.unsqueeze(1)).abs().mean(dim=(2, 3, 4))
    return torch.bincount(errors.argmin(dim=1), minlength=images.shape[1])


def verdict(sensitivity: float, code_size: int) -> str | None:
    """A warning if the code is ignored, else None."""
    if code_size == 0:
        return None
    if sensitivity < IGNORED:
        return (
            "the code is ignored: images of one condition differ by only "
            f"{sensitivity:.1%} of the difference between conditions, so every seed will give the same image; "
            "train a method that covers its data (cimle, basisgan), or lower the weight of the reconstruction term"
        )
    return None
