"""-log p(unknown pixels | known ones) in nats: exact, or by kernels around samples or around training images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

WIDTHS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)  # of kernels, in levels
REACHES = (1.0, 2.0, 3.0, 5.0, 8.0)  # of weights by the known pixels, in levels


def dequantised(levels: Tensor, seed: int = 0) -> Tensor:
    """Levels plus noise in [-1/2, 1/2): the mean of -log density is at least -log probability (Theis et al. 2016)."""
    return levels + torch.rand(levels.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 0.5


def kernel_nats(targets: Tensor, centres: Tensor, width: float, weights: Tensor | None = None) -> Tensor:
    """-log of the mean of Gaussians: targets (n, P), centres (n, S, P) or (S, P), log weights (n, S) -> (n,)."""
    apart = (targets[:, None] - centres).square().sum(dim=-1) / (2 * width**2)
    constant = targets.shape[1] * torch.log(torch.tensor(width * (2 * torch.pi) ** 0.5, dtype=torch.float64))
    logs = -apart - constant
    if weights is None:
        return -(logs.logsumexp(dim=1) - torch.log(torch.tensor(float(logs.shape[1]))))
    return -((logs + weights).logsumexp(dim=1) - weights.logsumexp(dim=1))


def best_width(nats: Callable[[float], Tensor]) -> float:
    """The kernel's width with the fewest nats on other digits than those it is reported on."""
    return min(WIDTHS, key=lambda width: float(nats(width).mean()))


def around_samples(tuning: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> tuple[Tensor, str]:
    """Kernels around each digit's own samples; each pair is targets (n, P) and samples (n, S, P)."""
    width = best_width(lambda w: kernel_nats(*tuning, w))
    return kernel_nats(*test, width), f"Gaussians of {width:g} levels around {test[1].shape[1]} samples"


def around_training(
    training: tuple[Tensor, Tensor], tuning: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]
) -> tuple[Tensor, str]:
    """Kernels around training digits, weighted by their known pixels; each pair is known (n, K) and unknown (n, P)."""

    def nats(of: tuple[Tensor, Tensor], width: float, reach: float) -> Tensor:
        known, unknown = of
        weights = -torch.cdist(known, training[0]).square() / (2 * reach**2)
        return kernel_nats(unknown, training[1], width, weights)

    every: Sequence[tuple[float, float]] = [(width, reach) for width in WIDTHS for reach in REACHES]
    width, reach = min(every, key=lambda pair: float(nats(tuning, *pair).mean()))
    told = f"Gaussians of {width:g} levels around {len(training[0])} training digits, by known pixels within {reach:g}"
    return nats(test, width, reach), told
