"""Are the landmarks of the images where the condition says? (Latent dropout codes, ECCV 2018, faces.)"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ...core.errors import DataError
from ...runs.measured import Measured, Protocol, libraries
from .aggregate import aggregate
from .plugged import Plugged

UNIT = "image widths"
NOTES = (
    "a sum over the points, as in the paper of latent dropout codes; divide by their number for one point",
    "that paper's detector is TCDCN, on the output and for the truth; with another detector the numbers differ",
    "points that a condition lacks do not count, and conditions without any are left out",
    "true points are whole pixels, and those outside of the image were moved to its border",
)


def distances(found: Tensor, true: Tensor, width: int) -> Tensor:
    """Sum over points of the Euclidean distance / image width: (S, P, 2) and (P, 2) in pixels to (S,).

    Points that the condition lacks (NaN) do not count; NaN if it has none.
    """
    apart = torch.linalg.vector_norm(found.double() - true.double(), dim=-1)
    total = apart.nan_to_num(nan=0.0).sum(dim=-1) / width
    return total if bool(true.isfinite().any()) else torch.full_like(total, torch.nan)


def landmark_error(
    conditions: Iterable[tuple[Tensor, Tensor]], detector: Plugged, notes: tuple[str, ...] = ()
) -> dict[str, Measured]:
    """`landmark_error_best`, `_mean`, `_top10`, `_best_of_n` (see `aggregations`), in image widths; lower is better.

    Args:
        conditions: samples (S, 3, H, W) in [-1, 1] and true landmarks (P, 2), pixels (x, y), one condition at a time.
        detector: gives landmarks (B, P, 2), pixels (x, y).
        notes: further notes for every record.

    Raises:
        DataError: the detector finds a different number of points, no condition has any, or S differs.
    """
    rows: list[Tensor] = []
    size, points = (0, 0), 0
    for images, true in conditions:
        size, points = (images.shape[-2], images.shape[-1]), len(true)
        found = detector(images)
        if found.shape[1:] != true.shape:
            raise DataError(
                f"{detector.description}: gives landmarks of shape {tuple(found.shape[1:])}, but the condition has "
                f"{tuple(true.shape)}; use a detector of the same points"
            )
        rows.append(distances(found, true, size[1]))
    counts = sorted({len(row) for row in rows})
    rows = [row for row in rows if bool(row.isfinite().all())]
    if counts and not rows:
        raise DataError("landmark error: no condition has any landmarks; omit --detector, or fix the data")
    if len(counts) != 1:
        raise DataError(f"all conditions need the same number of samples, got {counts or 'no conditions'}")
    protocol = Protocol(
        name="landmark_error",
        metric=f"sum over {points} points of the distance from the detected to the true landmark / image width",
        libraries=libraries("variegate", *detector.packages),
        extractor=detector.description,
        weights=detector.weights,
        resize=detector.resize,
        value_range=detector.value_range,
        size=size,
        notes=(*NOTES, *detector.notes, *notes),
    )
    return aggregate("landmark_error", torch.stack(rows), UNIT, "lower", protocol)
