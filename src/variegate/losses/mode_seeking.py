"""Terms that reward different images for two codes: the distance of images over the distance of their codes."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.processes import mean_of_all

EPSILON = 1e-5


def code_distance(codes: Tensor) -> Tensor:
    """mean |z_1 - z_2| of codes (B, 2, D): (B,). Codes of several layers count as one long vector."""
    return (codes[:, 0] - codes[:, 1]).abs().mean(dim=1)


def mode_seeking(distance: Tensor, codes: Tensor) -> Tensor:
    """1 / (mean d_I / mean d_z + 1e-5), the inverse of the ratio that MSGAN maximises (Mao et al., CVPR 2019).

    As in its code, means are taken over the whole batch (of all processes) before dividing. It reaches 1e5 when images
    coincide.

    Args:
        distance: d_I, mean absolute difference of two images of each condition, (B,).
        codes: the two codes, (B, 2, D).
    """
    return 1 / (mean_of_all(distance.mean()) / mean_of_all(code_distance(codes).mean()) + EPSILON)


def diversity_sensitive(distance: Tensor, codes: Tensor, margin: float | None) -> Tensor:
    """-mean min(d_I / d_z, tau), which DSGAN adds to the generator's loss (Yang et al., ICLR 2019).

    The released code clamps the negated ratio from above at +10, which has no effect; this is the paper's formula.

    Args:
        distance: d_I of each condition, (B,).
        codes: the two codes, (B, 2, D).
        margin: tau; None for no limit.
    """
    ratio = distance / (code_distance(codes) + EPSILON)
    return -(ratio if margin is None else ratio.clamp(max=margin)).mean()


def image_distance(images: Tensor) -> Tensor:
    """mean |I_1 - I_2| over pixels and channels of images (B, 2, C, H, W): (B,)."""
    return (images[:, 0] - images[:, 1]).abs().mean(dim=(1, 2, 3))


def feature_distance(scales: list[list[Tensor]]) -> Tensor:
    """The same on discriminator features, (B, 2, C, H, W) maps per scale, weighted as in feature matching: (B,)."""
    weighted = [4 / len(maps) * torch.stack([image_distance(m) for m in maps]).sum(dim=0) for maps in scales]
    return torch.stack(weighted).mean(dim=0)
