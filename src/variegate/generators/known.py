"""Holes that are filled by what is around them, smoothly."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

ROUNDS = 8  # of smoothing at every size


def filled(condition: Tensor) -> Tensor:
    """A condition (B, C + 1, H, W) whose holes, where the last channel is above 0, are filled smoothly."""
    hole = condition[:, -1:] > 0
    return torch.cat([smooth(condition[:, :-1], hole), condition[:, -1:]], dim=1)


def smooth(known: Tensor, hole: Tensor) -> Tensor:
    """Images (B, C, H, W) with holes (B, 1, H, W) filled: about the solution of Laplace's equation, coarse to fine.

    An image that is nothing but a hole becomes 0.
    """
    height, width = known.shape[-2:]
    weight = (~hole).to(known.dtype)
    if min(height, width) < 2:
        there = weight.sum(dim=(2, 3), keepdim=True)
        mean = (known * weight).sum(dim=(2, 3), keepdim=True) / there.clamp(min=1)
        return torch.where(hole, mean, known)
    share = F.avg_pool2d(weight, 2, ceil_mode=True)
    small = F.avg_pool2d(known * weight, 2, ceil_mode=True) / share.clamp(min=1e-6)
    coarse = smooth(small, share == 0)
    x = torch.where(hole, F.interpolate(coarse, (height, width), mode="bilinear"), known)
    for _ in range(ROUNDS):
        edge = F.pad(x, (1, 1, 1, 1), mode="replicate")
        around = edge[..., :-2, 1:-1] + edge[..., 2:, 1:-1] + edge[..., 1:-1, :-2] + edge[..., 1:-1, 2:]
        x = torch.where(hole, around / 4, x)
    return x
