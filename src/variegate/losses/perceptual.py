"""Distances between stacks of feature maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.errors import ConfigError


def feature_l1(
    a: Sequence[Tensor], b: Sequence[Tensor], weights: Sequence[float], mask: Tensor | None = None
) -> Tensor:
    """sum_l lambda_l mean |M_l (a_l - b_l)| per item: (B,).

    Conditional IMLE (Li et al., ICCV 2019), section 3; the mean runs over all elements and is not divided by the
    mask's sum, as in the released code.

    Args:
        a, b: feature maps (B, C_l, H_l, W_l); b may have a single row for all.
        mask: (B, 1, H, W), brought to each layer's size by area averaging.

    Raises:
        ConfigError: the number of weights is not that of feature maps.
    """
    if len(weights) != len(a):
        raise ConfigError(f"objective.weights must have {len(a)} values, one per feature map, got {len(weights)}")
    total = torch.zeros(len(a[0]), device=a[0].device)
    for x, y, weight in zip(a, b, weights, strict=True):
        gap = (x - y).abs()
        if mask is not None:
            gap = gap * F.adaptive_avg_pool2d(mask, (gap.shape[-2], gap.shape[-1]))
        total = total + weight * gap.mean(dim=(1, 2, 3))
    return total
