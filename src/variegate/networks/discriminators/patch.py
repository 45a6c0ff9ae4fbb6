"""Discriminators. All return a list over scales of a list over layers; the last layer of each scale is the logits."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..blocks import Norm, init_normal, norm_layer

Judgement = list[list[Tensor]]


class PatchGAN(nn.Module):
    """pix2pix's patch discriminator; 3 layers give 70x70 patches (Isola et al., CVPR 2017)."""

    def __init__(
        self, in_channels: int, width: int = 64, layers: int = 3, norm: Norm = "batch", padding: int = 1
    ) -> None:
        super().__init__()
        widths = [in_channels, *(width * min(2**i, 8) for i in range(layers + 1))]
        self.blocks = nn.ModuleList()
        for i, (previous, current) in enumerate(pairwise(widths)):
            inner = norm_layer(norm) if i else None
            bias = inner is None or norm == "instance"
            conv = nn.Conv2d(previous, current, 4, 2 if i < layers else 1, padding, bias=bias)
            self.blocks.append(nn.Sequential(conv, inner(current) if inner else nn.Identity(), nn.LeakyReLU(0.2)))
        self.blocks.append(nn.Conv2d(widths[-1], 1, 4, 1, padding))
        init_normal(self)

    def forward(self, condition: Tensor | None, image: Tensor) -> Judgement:
        x = image if condition is None else torch.cat([condition, image], dim=1)
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return [maps]


class MultiScale(nn.Module):
    """The same discriminator on the image and on its halvings (pix2pixHD, Wang et al., CVPR 2018)."""

    def __init__(self, discriminators: list[PatchGAN]) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(discriminators)

    def forward(self, condition: Tensor | None, image: Tensor) -> Judgement:
        scales: Judgement = []
        for discriminator in self.discriminators:
            scales += discriminator(condition, image)
            image = halve(image)
            condition = None if condition is None else halve(condition)
        return scales


def logits(judgement: Judgement) -> list[Tensor]:
    """The last map of every scale."""
    return [maps[-1] for maps in judgement]


def halve(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
