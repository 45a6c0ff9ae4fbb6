"""Calibration: are samples as uncertain as they should be? It needs no network, and one real image per condition.

If samples and the real image of a condition come from one distribution, the real image is a further sample. Then

    averaging gain     squared error of one sample / that of the mean of S samples = 2S / (S + 1)   (Bendel et al. 2023)
    spread             variance of the samples (S + 1) / S = squared error of their mean           (Fortin et al. 2014)
    ranks              of the real value among the sorted samples: all S + 1 are as likely         (Hamill 2001)

Below, samples are too much alike, or their mean is wrong. CRPS and energy score are proper: in expectation nothing
scores better than the true distribution; both are in their fair form, unbiased for any S (Ferro 2014).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from typing import NamedTuple

import torch
from torch import Tensor

from ...core.errors import DataError
from ...losses.deviation import calibrated_gain
from ...runs.measured import Better, Measured, Protocol, libraries
from .fidelity import pixels_of

ALIKE = 0.8  # spread over error, below which samples are too much alike
LEAST = {"interval_50": 3, "interval_90": 19}  # samples
NOTE = "one real image per condition; conditions count by how uncertain they are"


class Calibration(NamedTuple):
    """Sums over conditions.

    Attributes:
        one, together: squared errors of single samples and of their mean; variance: unbiased, of the samples.
        ranks: share of real values with rank 0 .. S among the samples, (S + 1,); ties are shared.
        crps, energy: one value per condition, on the scale 0..255.
    """

    one: float
    together: float
    variance: float
    ranks: Tensor
    crps: list[float]
    energy: list[float]

    @property
    def samples(self) -> int:
        return len(self.ranks) - 1

    def gain(self) -> float:
        """The averaging gain over 2S / (S + 1)."""
        return self.one / max(self.together, 1e-12) / calibrated_gain(self.samples)

    def spread_over_error(self) -> float:
        """Root of the mean variance, corrected for S, over the error of the mean."""
        return float((self.variance * (1 + 1 / self.samples) / max(self.together, 1e-12)) ** 0.5)

    def inside(self, nominal: float) -> float:
        """The share of real values in the central interval that should contain `nominal` of them.

        Ranks are spread evenly over their part of [0, 1]. This is right for every `nominal` if samples are calibrated;
        if not, only where the outermost ranks are outside, that is up to (S - 1) / (S + 1).
        """
        edges = torch.linspace(0, 1, len(self.ranks) + 1, dtype=self.ranks.dtype)
        low, high = (1 - nominal) / 2, (1 + nominal) / 2
        covered = (edges[1:].clamp(max=high) - edges[:-1].clamp(min=low)).clamp(min=0)
        return float((self.ranks * covered).sum() * len(self.ranks))

    def rank_error(self) -> float:
        """Half the L1 distance of the ranks from evenly distributed ones: 0 to 1."""
        return float((self.ranks - 1 / len(self.ranks)).abs().sum() / 2)

    def words(self) -> str:
        """What a user should know, in one sentence."""
        spread, count = self.spread_over_error(), self.samples
        between, expected = float(self.ranks[1:-1].sum()), (count - 1) / (count + 1)
        told = f"samples vary {spread:.2g} times as much as their mean is wrong, and {between:.0%} of the real values "
        told += f"lie between the lowest and the highest of {count} samples, where {expected:.0%} should"
        if spread < ALIKE:
            return f"Too certain: {told}."
        return f"Too uncertain: {told}." if spread > 1 / ALIKE else f"About as uncertain as it should be: {told}."


@torch.no_grad()
def calibration(batches: Iterable[tuple[Tensor, Tensor]], holes: Iterable[Tensor | None] = repeat(None)) -> Calibration:
    """Compare samples with the one real image of their condition.

    Args:
        batches: samples (B, S, C, H, W) and truth (B, C, H, W), in [-1, 1]; S is the same in all.
        holes: the pixels (H, W) that count, one for each batch; None: all.

    Raises:
        DataError: there are no samples, or fewer than two of a condition, or a condition leaves no pixel open.
    """
    sums, ranks = torch.zeros(3, dtype=torch.float64), None
    crps: list[float] = []
    energy: list[float] = []
    for (images, truth), hole in zip(batches, holes):
        for own, real in zip(images, truth):
            x, y = (pixels_of(each, hole).flatten(1).double() * 127.5 for each in (own, real[None]))
            if not x.numel():
                raise DataError(f"calibration needs pixels that are not given, but condition {len(crps)} has no hole")
            if len(x) < 2:
                raise DataError(f"calibration needs at least two samples of a condition, got {len(x)}")
            errors = [(x - y).square().mean(), (x.mean(dim=0) - y[0]).square().mean(), x.var(dim=0).mean()]
            sums += torch.stack(errors).cpu()
            ranks = ranks_of(x, y) if ranks is None else ranks + ranks_of(x, y)
            crps.append(float(fair_crps(x, y).mean()))
            energy.append(float(fair_energy_score(x, y)) / x.shape[1] ** 0.5)
    if ranks is None:
        raise DataError("calibration needs samples of at least one condition, got none")
    one, together, variance = sums.tolist()
    return Calibration(one, together, variance, ranks / ranks.sum(), crps, energy)


def averaging_gain(batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """The gain alone, as a multiple of the calibrated one; see `calibration`."""
    return calibration(batches).gain()


def ranks_of(x: Tensor, y: Tensor) -> Tensor:
    """How many values of y (1, n) have rank 0 .. S among samples x (S, n); a value tied with t samples has t + 1."""
    below, ties = (x < y).sum(dim=0), (x == y).sum(dim=0)
    change = torch.zeros(len(x) + 2, dtype=torch.float64, device=x.device)
    share = 1 / (ties + 1).double()
    change.index_add_(0, below, share).index_add_(0, below + ties + 1, -share)
    return change.cumsum(0)[:-1].cpu()


def fair_crps(x: Tensor, y: Tensor) -> Tensor:
    """The fair continuous ranked probability score (n,) of samples x (S, n) for y (1, n)."""
    count = len(x)
    weights = torch.arange(1 - count, count, 2, dtype=x.dtype, device=x.device)  # sum_{i<j} (x_(j) - x_(i))
    between = (weights[:, None] * x.sort(dim=0).values).sum(dim=0)
    return (x - y).abs().mean(dim=0) - between / (count * (count - 1))


def fair_energy_score(x: Tensor, y: Tensor) -> Tensor:
    """The fair energy score of samples x (S, n) for y (1, n): as the CRPS, of whole images by Euclidean distance."""
    count = len(x)
    return (x - y).norm(dim=1).mean() - torch.pdist(x).sum() / (count * (count - 1))


def calibration_metrics(found: Calibration, size: tuple[int, int]) -> dict[str, Measured]:
    """All of them by name; `interval_50` and `interval_90` only with samples enough, 3 and 19."""

    def protocol(name: str, metric: str, notes: tuple[str, ...] = (NOTE,)) -> Protocol:
        return Protocol(
            name=name,
            metric=metric,
            libraries=libraries("variegate", "torch"),
            value_range="0..255",
            inputs=len(found.crps),
            samples=found.samples,
            size=size,
            notes=notes,
        )

    whole: dict[str, tuple[str, float, Better, str]] = {
        "averaging_gain": (
            "squared error of one sample over that of the mean of S samples, over 2S / (S + 1)",
            found.gain(),
            "nearer to 1",
            "ratio",
        ),
        "spread_over_error": (
            "standard deviation of the samples, corrected for their number, over the error of their mean",
            found.spread_over_error(),
            "nearer to 1",
            "ratio",
        ),
        "interval_50": (
            "share of real values in the central half of the samples",
            found.inside(0.5),
            "nearer to 0.5",
            "share",
        ),
        "interval_90": (
            "share of real values in the central 90 % of the samples",
            found.inside(0.9),
            "nearer to 0.9",
            "share",
        ),
        "rank_error": (
            "half the L1 distance of the ranks of real values among samples from evenly distributed ones",
            found.rank_error(),
            "lower",
            "share",
        ),
    }
    results = {
        name: Measured(value=value, n=len(found.crps), unit=unit, better=better, protocol=protocol(name, metric))
        for name, (metric, value, better, unit) in whole.items()
        if found.samples >= LEAST.get(name, 2)
    }
    each = {
        "crps": ("fair continuous ranked probability score, mean over values", found.crps),
        "energy_score": ("fair energy score of whole images, over the root of the number of values", found.energy),
    }
    return results | {
        name: Measured.mean(values, unit="0..255", better="lower", protocol=protocol(name, metric, ()))
        for name, (metric, values) in each.items()
    }
