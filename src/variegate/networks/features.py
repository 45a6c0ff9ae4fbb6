"""Feature maps of networks trained on ImageNet, the weights of LPIPS, and pooled features for Fréchet distances."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.errors import DataError, WeightsError, did_you_mean
from ..core.images import to_unit
from . import weights

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Backbone(NamedTuple):
    """A torchvision classifier and the layers of its `features` that LPIPS reads."""

    model: str  # torchvision's name of the architecture, and the name of its weights
    taps: tuple[int, ...]  # each the output of a ReLU or a Fire module
    channels: tuple[int, ...]
    least: int  # pixels of the smallest square that it can read


BACKBONES: dict[str, Backbone] = {
    "alex": Backbone("alexnet", (1, 4, 7, 9, 11), (64, 192, 384, 256, 256), 31),
    "squeeze": Backbone("squeezenet1_1", (1, 4, 7, 9, 10, 11, 12), (64, 128, 256, 384, 384, 512, 512), 17),
    "vgg": Backbone("vgg16", (3, 8, 15, 22, 29), (64, 128, 256, 512, 512), 16),
}


class FeatureMaps(nn.Module):
    """Frozen layers: (n, 3, H, W), normalised as the network expects, to one (n, C_l, H_l, W_l) per tap."""

    def __init__(self, layers: nn.Sequential, entry: Backbone, digest: str, source: str) -> None:
        super().__init__()
        self.layers = layers[: entry.taps[-1] + 1].eval().requires_grad_(False)
        self.entry, self.taps = entry, frozenset(entry.taps)
        self.digest = digest
        self.source = source

    def check_size(self, size: tuple[int, int]) -> None:
        """Raises DataError for images (H, W) that end in nothing before the last layer."""
        if min(size) < self.entry.least:
            (height, width), least = size, self.entry.least
            raise DataError(
                f"{self.entry.model} needs images of at least {least}x{least} pixels, got {width}x{height}; "
                "train at a larger --size, or leave metrics of networks out with --no-perceptual"
            )

    def forward(self, images: Tensor) -> list[Tensor]:
        self.check_size((images.shape[-2], images.shape[-1]))
        maps, x = [], images
        if x.device.type == "cpu":  # where pooling and SqueezeNet's convolutions take half as long in this layout
            x = x.contiguous(memory_format=torch.channels_last)
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in self.taps:
                maps.append(x)
        return maps


class PooledFeatures(nn.Module):
    """The features that a Fréchet distance compares: (n, 3, H, W) in [-1, 1] to (n, D).

    Images are resized to 224 x 224 (bilinear, antialiased) and normalised as for ImageNet; the last convolutional
    features are averaged over the plane.
    """

    side = 224
    mean: Tensor
    std: Tensor

    def __init__(self, maps: FeatureMaps, channels: int) -> None:
        super().__init__()
        self.maps = maps
        self.num_features = channels  # torchmetrics reads this name
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        size = (self.side, self.side)
        resized = F.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)
        normalised = (to_unit(resized) - self.mean) / self.std
        pooled: Tensor = self.maps(normalised)[-1].mean(dim=(2, 3))
        return pooled


def backbone(name: str) -> Backbone:
    if name not in BACKBONES:
        raise WeightsError(f"there is no feature network {name!r}; {did_you_mean(name, BACKBONES)}")
    return BACKBONES[name]


def feature_maps(name: str) -> FeatureMaps:
    """AlexNet ("alex", 5 taps), SqueezeNet 1.1 ("squeeze", 7) or VGG-16 ("vgg", 5), with ImageNet weights."""
    entry = backbone(name)
    loaded = weights.load(entry.model)
    return FeatureMaps(assemble(entry.model, loaded.state), entry, loaded.digest, loaded.source)


def unfilled_layers(name: str) -> nn.Sequential:
    """The layers of `feature_maps`, with uninitialised weights."""
    entry = backbone(name)
    layers = bare(entry.model)[: entry.taps[-1] + 1]
    return layers.to_empty(device="cpu").eval().requires_grad_(False)


def pooled_features(name: str) -> PooledFeatures:
    """Pooled features of one of the networks above."""
    return PooledFeatures(feature_maps(name), backbone(name).channels[-1])


def assemble(model: str, state: dict[str, Tensor]) -> nn.Sequential:
    """torchvision's `features` of an architecture, holding the given weights."""
    layers = bare(model)
    own = {key.removeprefix("features."): value for key, value in state.items() if key.startswith("features.")}
    try:
        layers.load_state_dict(own, assign=True)
    except RuntimeError as error:
        raise WeightsError(f"the weights found for {model} do not fit torchvision's network: {error}") from None
    return layers


def bare(model: str) -> nn.Sequential:
    """torchvision's `features` of an architecture, on the meta device."""
    from torchvision import models

    # Nothing is initialised there: AlexNet's unused classifier alone would draw 55 million numbers.
    with torch.device("meta"):
        layers = models.get_model_builder(model)(weights=None).get_submodule("features")
    if not isinstance(layers, nn.Sequential):
        raise WeightsError(f"torchvision's {model} has no sequential `features`")
    return layers


def lpips_weights(name: str, version: str) -> weights.Weights:
    """Non-negative channel weights of LPIPS (C_l,) per tap, which are part of the package `lpips`.

    Raises:
        WeightsError: the package is not installed, or has no such network or version.
    """
    from importlib.util import find_spec
    from pathlib import Path

    spec = find_spec("lpips")  # finds the package without importing it, which would take a second
    if spec is None or spec.origin is None:
        raise WeightsError(
            "LPIPS takes its channel weights from the package lpips: pip install 'variegate[evaluation]'; "
            "the diversity `pixel` works without it"
        )
    path = Path(spec.origin).parent / "weights" / f"v{version}" / f"{name}.pth"
    if not path.is_file():
        raise WeightsError(f"the package lpips has no weights for network {name!r}, version {version!r}: {path}")
    state = torch.load(path, map_location="cpu", weights_only=True)
    count = len(backbone(name).taps)
    channel = {str(tap): state[f"lin{tap}.model.1.weight"].flatten().float() for tap in range(count)}
    return weights.Weights(channel, weights.file_digest(path), f"lpips v{version}/{name}.pth")
