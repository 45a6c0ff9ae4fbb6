"""MUNIT's discriminator (Huang, Liu, Belongie, Kautz, ECCV 2018).

Unlike `discriminators.PatchGAN`, it has neither normalisation nor a convolution of stride 1 before its 1x1 output,
doubles its width at every layer, and uses reflection padding.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from ..blocks import init_normal
from .patch import Judgement, halve


class StridedPatches(nn.Module):
    """Strided 4x4 convolutions and a 1x1 output at every position: a list of layers, the logits last."""

    def __init__(self, in_channels: int, width: int = 64, layers: int = 4) -> None:
        super().__init__()
        widths = [in_channels, *(width << k for k in range(layers))]
        self.blocks = nn.ModuleList()
        for before, after in pairwise(widths):
            conv = nn.Conv2d(before, after, 4, stride=2, padding=1, padding_mode="reflect")
            self.blocks.append(nn.Sequential(conv, nn.LeakyReLU(0.2)))
        self.blocks.append(nn.Conv2d(widths[-1], 1, 1))

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return maps


class MUNITDiscriminator(nn.Module):
    """One `StridedPatches` for the image (B, C, H, W) and one for each of its halvings; sees no condition."""

    def __init__(self, in_channels: int, width: int = 64, layers: int = 4, scales: int = 3) -> None:
        super().__init__()
        self.scales = nn.ModuleList(StridedPatches(in_channels, width, layers) for _ in range(scales))
        init_normal(self)

    def forward(self, image: Tensor) -> Judgement:
        judgement: Judgement = []
        for k, patches in enumerate(self.scales):
            image = halve(image) if k else image
            judgement.append(patches(image))
        return judgement
