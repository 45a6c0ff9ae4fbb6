"""VGG-16 as used by latent dropout codes (He, Schiele, Fritz, ECCV 2018, released code).

Average pools of 3x3 (the fourth keeps the size), features before their ReLU, and the image in the upper left corner of
a canvas one pixel larger, filled with the mean colour. The released network is Caffe's, fed with images at 1/127 of its
usual range; this is torchvision's with the usual range, which its weights were trained for.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.images import to_unit
from .features import IMAGENET_MEAN, IMAGENET_STD
from .weights import fill

# weights of sums over all elements: pixels, conv1_2, conv2_2, conv3_2, conv4_2, conv5_2
PUBLISHED = (1.0, 1.0, 1 / 2.3, 1 / 1.8, 1 / 2.8, 10 / 0.8)
BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 2))  # conv5_3 is not read


class VGG16(nn.Module):
    """(B, 3, H, W) in [-1, 1] to the image and five feature maps.

    Args:
        weights: state dict of torchvision's VGG-16; None leaves random filters.
    """

    def __init__(self, weights: dict[str, Tensor] | None) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self.taps, channels = set(), 3
        for block, (width, convs) in enumerate(BLOCKS):
            if block:
                layers.append(nn.AvgPool2d(3, 1 if block == 4 else 2, padding=1, ceil_mode=True))
            for conv in range(convs):
                layers.append(nn.Conv2d(channels, width, 3, padding=1))
                if conv == 1:
                    self.taps.add(len(layers) - 1)
                layers.append(nn.ReLU())
                channels = width
        self.features = nn.Sequential(*layers)
        if weights is not None:
            fill(self, weights, "vgg16")
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> list[Tensor]:
        x = F.pad((to_unit(image) - self.mean) / self.std, (0, 1, 0, 1))
        maps = [image]
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in self.taps:
                maps.append(x)
        return maps
