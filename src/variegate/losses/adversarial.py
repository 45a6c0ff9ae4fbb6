"""Adversarial losses on lists of logit maps, one per scale (the last map of each scale of a discriminator)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Mode = Literal["vanilla", "lsgan"]


def towards(logits: Tensor, target: float, mode: Mode) -> Tensor:
    """Mean loss of logits against a label: cross-entropy (Goodfellow et al. 2014) or squares (Mao et al. 2017)."""
    labels = torch.full_like(logits, target)
    return F.binary_cross_entropy_with_logits(logits, labels) if mode == "vanilla" else F.mse_loss(logits, labels)


def discriminator_loss(real: Sequence[Tensor], fake: Sequence[Tensor], mode: Mode) -> Tensor:
    """(1/2) [real against 1 + fake against 0], summed over scales (pix2pix, section 3)."""
    terms = [towards(r, 1.0, mode) + towards(f, 0.0, mode) for r, f in zip(real, fake, strict=True)]
    return torch.stack(terms).sum() / 2


def generator_loss(fake: Sequence[Tensor], mode: Mode) -> Tensor:
    """Fake against 1 (the non-saturating form), summed over scales."""
    return torch.stack([towards(f, 1.0, mode) for f in fake]).sum()


def feature_matching(real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
    """(1/S) sum_scales (4/L) sum_layers mean |D_l(real) - D_l(fake)|, without gradient to the real side.

    pix2pixHD (Wang et al., CVPR 2018), section 3.2, with the layer weights of its code. Maps (B, C_l, H_l, W_l) of L
    layers per scale, without the logits.
    """
    scales = [
        4 / len(r) * torch.stack([F.l1_loss(y, x.detach()) for x, y in zip(r, f, strict=True)]).sum()
        for r, f in zip(real, fake, strict=True)
    ]
    return torch.stack(scales).mean()
