"""SRGAN's discriminator (Ledig et al. 2017) as MR-GAN uses it (Lee, Ha, Kim, ICLR 2019): one verdict per image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .patch import Judgement


class SRGANDiscriminator(nn.Module):
    """Eight 3x3 convolutions, every second one strided, an average over the image, and two 1x1 layers.

    It accepts images of any size. Weights have PyTorch's default initialisation, as in MR-GAN's code.

    Args:
        image_channels: those of the image, plus the condition's if it sees one (the paper's does not).
    """

    def __init__(self, image_channels: int, width: int = 64) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        channels = image_channels
        for k in range(8):
            outputs, stride = width << k // 2, 1 + k % 2
            norm = nn.BatchNorm2d(outputs) if k else nn.Identity()
            conv = nn.Conv2d(channels, outputs, 3, stride, padding=1)
            self.blocks.append(nn.Sequential(conv, norm, nn.LeakyReLU(0.2)))
            channels = outputs
        self.verdict = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, 2 * channels, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * channels, 1, 1),
        )

    def forward(self, condition: Tensor | None, image: Tensor) -> Judgement:
        """The maps of every convolution of images (B, C, H, W) in [-1, 1], then the logits (B, 1, 1, 1)."""
        x = image if condition is None else torch.cat([condition, image], dim=1)
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return [[*maps, self.verdict(x)]]
