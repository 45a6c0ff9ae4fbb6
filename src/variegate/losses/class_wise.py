"""Every class of a layout picks the best of several images (Chen & Koltun, ICCV 2017, section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.errors import ConfigError


def class_distances(
    images: Sequence[Tensor],
    target: Sequence[Tensor],
    weights: Sequence[float],
    labels: Tensor,
    mask: Tensor | None = None,
) -> Tensor:
    """e_ip = sum_l lambda_l mean over H, W of [ label_p(down-sampled) * mean over channels |Phi_l(y) - Phi_l(y~_i)| ].

    Args:
        images: feature maps of k images of each condition, (B, k, C_l, H_l, W_l).
        target: feature maps of the real ones, (B, C_l, H_l, W_l).
        labels: (B, P, H, W), which sum to one over P; brought to each layer's size by area averaging.
        mask: (B, 1, H, W) weights of pixels, averaged together with their labels; see `feature_l1`.

    Returns:
        (B, k, P). Summed over P it is `feature_l1` of every image.

    Raises:
        ConfigError: the number of weights is not that of feature maps.
    """
    if len(weights) != len(target):
        raise ConfigError(f"objective.weights must have {len(target)} values, one per feature map, got {len(weights)}")
    labels = labels if mask is None else labels * mask
    total = torch.zeros(1, device=labels.device)
    for x, y, weight in zip(images, target, weights, strict=True):
        gap = (x - y.unsqueeze(1)).abs().mean(dim=2)  # (B, k, H_l, W_l)
        share = F.adaptive_avg_pool2d(labels, (gap.shape[-2], gap.shape[-1]))
        total = total + weight * torch.einsum("bkhw,bphw->bkp", gap, share) / gap[0, 0].numel()
    return total


def class_wise_best(distances: Tensor, others: float = 0.001) -> Tensor:
    """L = (1 - a) sum_p min_i e_ip + a sum_p mean_i e_ip, of (B, k, P): (B,).

    Args:
        others: a, which keeps images alive that no class picks; 0.001 as published.
    """
    best, mean = distances.amin(dim=1).sum(dim=1), distances.mean(dim=1).sum(dim=1)
    return (1 - others) * best + others * mean
