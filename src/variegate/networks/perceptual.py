"""Feature stacks for perceptual distances. `forward` maps an image (B, 3, H, W) in [-1, 1] to a list of feature maps.

`laplacian` and `random` need no download; `vgg19` needs ImageNet weights.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PerceptualKind = Literal["laplacian", "random", "vgg19"]


class LaplacianPyramid(nn.Module):
    """Band-pass pictures of halving size and the remaining low-pass picture (Burt & Adelson, 1983)."""

    def __init__(self, levels: int = 5) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, image: Tensor) -> list[Tensor]:
        bands = []
        for _ in range(self.levels - 1):
            if min(image.shape[-2:]) < 4:
                break
            small = F.avg_pool2d(image, 2, ceil_mode=True)
            bands.append(image - F.interpolate(small, image.shape[-2:], mode="bilinear", align_corners=False))
            image = small
        return [*bands, image]


class VGG19(nn.Module):
    """Pixels and conv1_2 .. conv5_2 after their ReLU, with average pools, as CRN and conditional IMLE use them.

    Args:
        weights: state dict of torchvision's VGG-19; None gives fixed random filters drawn from a constant seed.
        width: share of each layer's channels (random filters only).
    """

    taps = (3, 8, 13, 22, 31)  # the ReLU after conv1_2, conv2_2, conv3_2, conv4_2, conv5_2

    def __init__(self, weights: dict[str, Tensor] | None, width: float = 1.0) -> None:
        super().__init__()
        self.features = vgg19_features(width if weights is None else 1.0)
        if weights is None:
            fill_with_fixed_noise(self.features)
        else:
            self.load_state_dict(weights, strict=False)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1), persistent=False)
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> list[Tensor]:
        x = ((image + 1) / 2 - self.mean) / self.std
        maps = [image]
        for i, layer in enumerate(self.features):
            if isinstance(layer, nn.AvgPool2d) and min(x.shape[-2:]) < 2:
                break
            x = layer(x)
            if i in self.taps:
                maps.append(x)
        return maps


def vgg19_features(width: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for block, (size, convs) in enumerate([(64, 2), (128, 2), (256, 4), (512, 4), (512, 2)]):
        if block:
            layers.append(nn.AvgPool2d(2, ceil_mode=True))
        for _ in range(convs):
            out = max(1, round(size * width))
            layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU()]
            channels = out
    return nn.Sequential(*layers)


@torch.no_grad()
def fill_with_fixed_noise(module: nn.Module) -> None:
    """He-normal filters that are the same on every machine and in every run."""
    stream = torch.Generator().manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            fan_in = part.weight[0].numel()
            part.weight.copy_(torch.randn(part.weight.shape, generator=stream) * (2 / fan_in) ** 0.5)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
