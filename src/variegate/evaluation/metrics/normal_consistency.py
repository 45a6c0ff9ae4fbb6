"""Do samples show the same surfaces as the real image? Angles between the normals estimated on each.

Six measures (latent dropout codes, ECCV 2018, and the works on normals it cites): mean, median and root mean square of
the angle in degrees, and the fraction of pixels below 11.25, 22.5 and 30 degrees. The normals estimated on the real
image are the ground truth.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ...core.errors import DataError
from ...runs.measured import Better, Measured, Protocol, libraries
from .aggregate import aggregations, complete_protocol, rank
from .plugged import Plugged

LIMITS = (11.25, 22.5, 30.0)  # degrees
BINS = 18_000  # of 0.01 degrees, for the median
WIDTH = 180 / BINS
ROUNDING = 1e-12  # relative error of sums of weights
FIXED = 3 + len(LIMITS)  # columns before the histogram: count, sum, sum of squares, counts below the limits
DEGREES = {"normal_mean": "mean", "normal_median": "median", "normal_rmse": "root mean square"}
SHARES = {f"normal_below_{int(limit)}": limit for limit in LIMITS}
NOTES = (
    "pooled over all pixels of the test set, as is custom; unverified for the paper of latent dropout codes",
    f"the median is read from a histogram of {WIDTH:g} degrees",
    "pixels where either image has no normal are left out",
)


def angles(a: Tensor, b: Tensor) -> Tensor:
    """Angle between vectors (..., 3, H, W) in degrees, (..., H, W) in float64; NaN where one of them is zero.

    arccos(a . b / (|a| |b|)), computed as atan2(|a x b|, a . b), which is accurate for small angles.
    """
    a, b = a.double(), b.double()
    a, b = torch.broadcast_tensors(a, b)
    cross = torch.linalg.vector_norm(torch.linalg.cross(a, b, dim=-3), dim=-3)
    found = torch.rad2deg(torch.atan2(cross, (a * b).sum(dim=-3)))
    absent = (a == 0).all(dim=-3) | (b == 0).all(dim=-3)
    return found.masked_fill(absent, torch.nan)


def pool(error: Tensor) -> Tensor:
    """Summable statistics of angles (S, H, W): count, sum, squares, counts below limits, histogram, (S, 6 + BINS)."""
    flat = error.flatten(1)
    valid = flat.isfinite()
    known = flat.nan_to_num(nan=0.0)
    below = [((flat < limit) & valid).sum(dim=1) for limit in LIMITS]
    columns = [valid.sum(dim=1), known.sum(dim=1), known.square().sum(dim=1), *below]
    place = (known / WIDTH).long().clamp(max=BINS - 1)
    histogram = torch.zeros(len(flat), BINS, dtype=torch.double).scatter_add_(1, place, valid.double())
    return torch.cat([torch.stack(columns, dim=1).double(), histogram], dim=1)


def measures(pooled: Tensor) -> dict[str, Tensor]:
    """The six measures of pools (..., 6 + BINS), each (...); NaN where a pool is empty."""
    count, total, squares = pooled[..., 0], pooled[..., 1], pooled[..., 2]
    found = {"normal_mean": total / count, "normal_median": median(pooled), "normal_rmse": (squares / count).sqrt()}
    return found | {name: pooled[..., 3 + column] / count for column, name in enumerate(SHARES)}


def median(pooled: Tensor) -> Tensor:
    """The midpoint of the last bin of the lower half of the pixels and the first bin of the upper half."""
    summed, half = pooled[..., FIXED:].cumsum(dim=-1), pooled[..., :1] / 2
    lower = torch.searchsorted(summed, half * (1 - ROUNDING))
    upper = torch.searchsorted(summed, half * (1 + ROUNDING))
    middle = (lower + upper + 1) * WIDTH / 2
    return torch.where(half > 0, middle, torch.nan).squeeze(-1)


def normal_consistency(
    batches: Iterable[tuple[Tensor, Tensor]], estimator: Plugged, notes: tuple[str, ...] = ()
) -> dict[str, Measured]:
    """`normal_mean`, `normal_median`, ..., each as `_best`, `_mean`, `_top10`, `_best_of_n` (see `aggregations`).

    An image contributes to a pool with the weight of its rank, so `best` pools the pixels of the best sample of each
    condition, and `mean` those of all samples. A condition whose real image has no normals is left out.

    Args:
        batches: samples (B, S, 3, H, W) and truth (B, 3, H, W), both in [-1, 1]; S is the same in all.
        estimator: returns unit normals (B, 3, H, W), zero where there is none.
        notes: further notes for every record.

    Raises:
        DataError: no pixel has a normal, S differs, or the estimator's output is not normals.
    """
    pools: dict[str, dict[str, Tensor]] = {}  # measure -> aggregation -> (6 + BINS,)
    size, samples, conditions = (0, 0), 0, 0
    for images, truth in batches:
        size = (images.shape[-2], images.shape[-1])
        if samples not in (0, images.shape[1]):
            raise DataError(f"all conditions need the same number of samples, got {samples} and {images.shape[1]}")
        samples = images.shape[1]
        for row, real in zip(images, truth):
            one = pool(angles(estimate_normals(estimator, row), estimate_normals(estimator, real[None])))
            if not one[:, 0].any():
                continue
            conditions += 1
            for measure, values in measures(one).items():
                order = rank(worst_if_unknown(values, better(measure)), better(measure))
                into = pools.setdefault(measure, {})
                for kind, how in aggregations(samples).items():
                    into[kind] = into.get(kind, 0) + how.weights @ one[order]
    if not conditions:
        raise DataError(f"{estimator.description}: found no normals on any pair of images, so no angle can be measured")
    return summary(pools, base(estimator, size, notes), samples, conditions)


def better(measure: str) -> Better:
    return "higher" if measure in SHARES else "lower"


def worst_if_unknown(values: Tensor, direction: Better) -> Tensor:
    """Replace unknown values by the worst one, so that an image without any normals is never the best."""
    return values.nan_to_num(nan=float("inf") if direction == "lower" else -1.0)


def estimate_normals(estimator: Plugged, images: Tensor) -> Tensor:
    """Estimate normals (B, 3, H, W) of images (B, 3, H, W)."""
    found = estimator(images)
    if found.shape != images.shape:
        raise DataError(
            f"{estimator.description}: must return a vector (x, y, z) for each pixel of images {tuple(images.shape)}, "
            f"got shape {tuple(found.shape)}"
        )
    return found


def base(estimator: Plugged, size: tuple[int, int], notes: tuple[str, ...]) -> Protocol:
    """The part of the protocol shared by all measures."""
    return Protocol(
        name="normals",
        metric="angle between normals estimated on a sample and on the real image",
        libraries=libraries("variegate", *estimator.packages),
        extractor=estimator.description,
        weights=estimator.weights,
        resize=estimator.resize,
        value_range=estimator.value_range,
        size=size,
        notes=(*NOTES, *estimator.notes, *notes),
    )


def summary(
    pools: dict[str, dict[str, Tensor]], protocol: Protocol, samples: int, conditions: int
) -> dict[str, Measured]:
    """The metrics of the pools. A pool is one set of pixels, not a mean over conditions, so it has no interval."""
    results = {}
    for measure, kinds in pools.items():
        words = (
            f"{DEGREES[measure]} of the"
            if measure in DEGREES
            else f"share of pixels below {SHARES[measure]:g} degrees,"
        )
        said = protocol.model_copy(update={"metric": f"{words} {protocol.metric}"})
        for kind, how in aggregations(samples).items():
            record = complete_protocol(said, f"{measure}_{kind}", how, conditions, samples)
            results[record.name] = Measured(
                value=float(measures(kinds[kind])[measure]),
                n=conditions,
                unit="degrees" if measure in DEGREES else "share",
                better=better(measure),
                protocol=record,
            )
    return results
