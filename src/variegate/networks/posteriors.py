"""Encoders from an image to a code, which BicycleGAN trains alongside its generator and which later invert images."""

from __future__ import annotations

from math import log2

from torch import Tensor, nn
from torch.nn import functional as F

from ..core.interfaces import Size
from .blocks import init_xavier


class PosteriorBlock(nn.Module):
    """[instance norm, LeakyReLU, conv] twice, then a halving; the shortcut halves before its 1x1 convolution."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, in_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.leaky_relu(F.instance_norm(x), 0.2))
        y = self.conv2(F.leaky_relu(F.instance_norm(y), 0.2))
        return F.avg_pool2d(y, 2) + self.shortcut(F.avg_pool2d(x, 2))


class Posterior(nn.Module):
    """BicycleGAN's residual encoder: an image (B, C, H, W) to mean and log-variance (B, D) of its code.

    4 blocks at 256x256 as published, fewer for smaller images, so that at least 4x4 positions remain to be averaged.
    """

    def __init__(self, image_channels: int, code_size: int, size: Size, width: int = 64) -> None:
        super().__init__()
        blocks = max(1, min(4, int(log2(min(size))) - 3))
        widths = [width * min(k, 4) for k in range(1, blocks + 2)]
        self.first = nn.Conv2d(image_channels, width, 4, stride=2, padding=1)
        self.blocks = nn.Sequential(*map(PosteriorBlock, widths[:-1], widths[1:]))
        self.mean, self.log_variance = nn.Linear(widths[-1], code_size), nn.Linear(widths[-1], code_size)
        init_xavier(self)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        features = F.leaky_relu(self.blocks(self.first(image)), 0.2).mean(dim=(2, 3))
        return self.mean(features), self.log_variance(features)
