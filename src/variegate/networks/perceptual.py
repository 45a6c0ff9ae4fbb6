"""Feature stacks for perceptual distances. `forward` maps an image (B, 3 or 1, H, W) in [-1, 1] to a list of feature
maps.

`laplacian` and `random` need no download; `vgg16`, `vgg19`, `squeeze` and `alex` need ImageNet weights.
"""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Any, Literal, NamedTuple

import torch
from pydantic import BeforeValidator
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.errors import ConfigError
from ..core.images import to_unit
from . import weights as network_weights
from .features import BACKBONES, IMAGENET_MEAN, IMAGENET_STD, feature_maps, unfilled_layers
from .vgg16 import PUBLISHED, VGG16

PerceptualKind = Literal["laplacian", "random", "vgg16", "vgg19", "squeeze", "alex"]


def _weights(value: Any) -> Any:
    """Validate `objective.weights`, with one error instead of one for each type of the union."""
    if value is None or value == "calibrated":
        return value
    try:
        numbers = () if isinstance(value, str) else tuple(float(number) for number in value)
    except (TypeError, ValueError):
        numbers = ()
    if not any(numbers) or not all(v >= 0 and isfinite(v) for v in numbers):
        raise ConfigError(
            "objective.weights must be calibrated, or one number per feature map, none below 0 and not all 0, "
            f"got {value}"
        )
    return numbers


# one per feature map, measured on the data, or default
LayerWeights = Annotated[tuple[float, ...] | Literal["calibrated"] | None, BeforeValidator(_weights)]

# Weights of mean differences for pixels and conv1_2 .. conv5_2 of `vgg19` (Chen & Koltun, ICCV 2017, released code):
# the inverse of each layer's loss at epoch 100. They were measured with MatConvNet's VGG-19 on 0..255; torchvision's
# layers have other scales, and `calibrated` weights are measured on the training data.
CITYSCAPES = (1.0, 1 / 1.6, 1 / 2.3, 1 / 1.8, 1 / 2.8, 10 / 0.8)  # 256 pixels high
CITYSCAPES_LARGER = (1.0, 1 / 2.6, 1 / 4.8, 1 / 3.7, 1 / 5.6, 10 / 1.5)  # 512 and 1024
GTA = (1.0, 1 / 1.4, 1 / 1.8, 1 / 1.3, 1 / 2.2, 10 / 0.62)  # 256; also those of conditional IMLE


class LaplacianPyramid(nn.Module):
    """Band-pass images of successively halved size and the remaining low-pass image (Burt & Adelson, 1983)."""

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


class Reading(NamedTuple):
    """How a paper reads VGG-19."""

    taps: tuple[int, ...]  # layers whose output is compared
    pool: type[nn.AvgPool2d | nn.MaxPool2d]
    normalised: bool  # images are normalised by ImageNet's mean and deviation first
    pixels: bool  # the image itself is compared too


CRN_READING = Reading((3, 8, 13, 22, 31), nn.AvgPool2d, True, True)  # ReLU after conv1_2, 2_2, 3_2, 4_2, 5_2
HD_READING = Reading((1, 6, 11, 20, 29), nn.MaxPool2d, False, False)  # ReLU after conv1_1, 2_1, 3_1, 4_1, 5_1
HD_WEIGHTS = [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0]


class VGG19(nn.Module):
    """Feature maps of VGG-19, read as CRN and conditional IMLE do, or as pix2pixHD does.

    Args:
        weights: state dict of torchvision's VGG-19; None gives fixed random filters drawn from a constant seed.
        width: share of each layer's channels (random filters only).
    """

    def __init__(self, weights: dict[str, Tensor] | None, width: float = 1.0, reading: Reading = CRN_READING) -> None:
        super().__init__()
        self.reading = reading
        self.features = vgg19_features(width if weights is None else 1.0, reading.pool)
        if weights is None:
            fill_with_fixed_noise(self.features)
        else:
            network_weights.fill(self, weights, "vgg19")
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> list[Tensor]:
        x = (to_unit(image) - self.mean) / self.std if self.reading.normalised else image.expand(-1, 3, -1, -1)
        maps = [image] if self.reading.pixels else []
        for i, layer in enumerate(self.features):
            if isinstance(layer, self.reading.pool) and min(x.shape[-2:]) < 2:
                break
            x = layer(x)
            if i in self.reading.taps:
                maps.append(x)
        return maps


class Tapped(nn.Module):
    """The layers of SqueezeNet 1.1 or AlexNet that LPIPS reads (Zhang et al., CVPR 2018), with ImageNet weights.

    Args:
        layers: the network's layers, as in `feature_maps`.
        pixels: compare the image itself too, as CRN does.
    """

    def __init__(self, name: Literal["squeeze", "alex"], layers: nn.Sequential, pixels: bool = True) -> None:
        super().__init__()
        self.layers, self.taps, self.pixels = layers, BACKBONES[name].taps, pixels
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> list[Tensor]:
        x = (to_unit(image) - self.mean) / self.std
        maps = [image] if self.pixels else []
        for i, layer in enumerate(self.layers):
            if isinstance(layer, nn.MaxPool2d) and min(x.shape[-2:]) < 3:
                break
            x = layer(x)
            if i in self.taps:
                maps.append(x)
        return maps


def perceptual(
    kind: PerceptualKind, weights: LayerWeights, published: tuple[float, ...] = GTA
) -> tuple[nn.Module, tuple[float, ...] | None]:
    """Features of a perceptual regression and one weight per feature map; None for equal weights.

    Args:
        weights: as configured; with None `vgg19` has the `published` ones, `vgg16` its own, which are for sums over
            elements, and all others equal ones.

    Raises:
        ConfigError: the weights are `calibrated` and not measured yet.
        WeightsError: the network's weights are not available.
    """
    if weights == "calibrated":
        raise ConfigError(
            "objective.weights calibrated stands for values that `variegate train` measures on its data; give numbers"
        )
    if kind == "laplacian":
        return LaplacianPyramid(), weights
    if kind == "random":
        return VGG19(None, width=0.25), weights
    if kind == "vgg19":
        return VGG19(network_weights.load("vgg19").state), weights or published
    if kind == "vgg16":
        return VGG16(network_weights.load("vgg16").state), weights or PUBLISHED
    return Tapped(kind, feature_maps(kind).layers), weights


def build_unfilled(kind: PerceptualKind) -> nn.Module:
    """The same features, in a network with placeholder weights."""
    if kind == "vgg19":
        return VGG19(None)
    if kind == "vgg16":
        return VGG16(None).requires_grad_(False)
    if kind in ("squeeze", "alex"):
        return Tapped(kind, unfilled_layers(kind))
    return perceptual(kind, None)[0]


def hd_features(kind: PerceptualKind) -> tuple[nn.Module, list[float]]:
    """Features and weights of pix2pixHD's perceptual term (Wang et al., CVPR 2018), or of its stand-ins."""
    if kind == "laplacian":
        return LaplacianPyramid(), []
    if kind == "random":
        return VGG19(None, 0.25, HD_READING), HD_WEIGHTS
    if kind in ("squeeze", "alex"):
        return Tapped(kind, feature_maps(kind).layers, pixels=False), []
    if kind == "vgg16":
        raise ConfigError("objective.perceptual must be vgg19, squeeze, alex, random or laplacian here, got vgg16")
    return VGG19(network_weights.load("vgg19").state, reading=HD_READING), HD_WEIGHTS


def vgg19_features(width: float, pool: type[nn.AvgPool2d | nn.MaxPool2d]) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for block, (size, convs) in enumerate([(64, 2), (128, 2), (256, 4), (512, 4), (512, 2)]):
        if block:
            layers.append(pool(2, ceil_mode=True))
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
