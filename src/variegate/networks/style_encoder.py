"""MUNIT's style encoder (Huang, Liu, Belongie, Kautz, ECCV 2018): the global style of an image, as a code."""

from __future__ import annotations

from itertools import pairwise
from math import log2

import torch
from torch import Tensor, nn

from ..core.interfaces import Size
from .blocks import init_kaiming


class StyleEncoder(nn.Module):
    """An image (B, C, H, W) to its style (B, D) and zeros (B, D).

    The zeros take the place of the log-variance of `networks.posteriors.Posterior`, so that both invert images through
    one interface. No normalisation: it would remove the statistics that make up the style. 4 halvings at 32x32 and
    above, as published, fewer for smaller images, which leave no border to reflect.
    """

    def __init__(self, image_channels: int, code_size: int, size: Size, width: int = 64) -> None:
        super().__init__()
        downs = max(1, min(4, int(log2(min(size))) - 1))
        widths = [width * min(2**k, 4) for k in range(downs + 1)]
        layers: list[nn.Module] = [nn.Conv2d(image_channels, width, 7, padding=3, padding_mode="reflect"), nn.ReLU()]
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1, padding_mode="reflect"), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Conv2d(widths[-1], code_size, 1))
        init_kaiming(self)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        style = self.layers(image).flatten(1)
        return style, torch.zeros_like(style)
