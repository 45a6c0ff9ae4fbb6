"""Averaging gain: do samples spread as much as there is uncertainty? It needs no network, and one answer per condition.

    gain = mean squared error of one sample / that of the mean of P samples

It is 2P / (P + 1) if samples and real images have the same distribution (Bendel et al., NeurIPS 2023), less if samples
spread too little, and 1 if they are all the same.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ..core.errors import DataError
from ..losses.deviation import calibrated_gain


@torch.no_grad()
def averaging_gain(batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """The gain of samples (B, P, C, H, W) and truth (B, C, H, W), as a multiple of the calibrated one.

    Errors are summed over all conditions before they are divided, so a condition counts as much as it is uncertain.

    Raises:
        DataError: there are no samples.
    """
    one, together, samples = 0.0, 0.0, 0
    for images, truth in batches:
        samples = images.shape[1]
        one += float((images - truth.unsqueeze(1)).square().mean(dim=(1, 2, 3, 4)).sum())
        together += float((images.mean(dim=1) - truth).square().mean(dim=(1, 2, 3)).sum())
    if not samples:
        raise DataError("the averaging gain needs samples of at least one condition, got none")
    return one / max(together, 1e-12) / calibrated_gain(samples)
