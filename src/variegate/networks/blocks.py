"""Normalisations and initialisation that several networks share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Norm = Literal["batch", "instance", "layer", "none"]
Upsampling = Literal["transposed", "resize"]
UPSAMPLING = "transposed convolutions, as published, or resizing before a convolution, which leaves no checker pattern"


def doubled(x: Tensor) -> Tensor:
    """(B, C, H, W) to (B, C, 2H, 2W), every pixel four times."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def norm_layer(kind: Norm) -> Callable[[int], nn.Module] | None:
    """A factory from channels to a module.

    `layer` normalises over (C, H, W) jointly with a gain and bias per channel, as CRN does; that is a group norm with
    one group. `instance` has no parameters, as in pix2pixHD and BicycleGAN.
    """
    if kind == "batch":
        return nn.BatchNorm2d
    if kind == "instance":
        return nn.InstanceNorm2d
    if kind == "layer":
        return lambda channels: nn.GroupNorm(1, channels, eps=1e-12)
    return None


@torch.no_grad()
def init_normal(module: nn.Module, std: float = 0.02) -> None:
    """pix2pix's initialisation: convolutions N(0, std), zero bias, norm gains N(1, std).

    Linear layers keep PyTorch's default: the basis generators among them would be almost dead at std 0.02.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(part.weight, 0.0, std)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 1.0, std)
            nn.init.zeros_(part.bias)


@torch.no_grad()
def init_glorot(module: nn.Module) -> None:
    """CRN's initialisation: Glorot uniform convolutions, zero bias."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


@torch.no_grad()
def init_leaky(module: nn.Module, slope: float = 0.2) -> None:
    """He normal convolutions for a leaky ReLU of this slope, zero bias."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, slope)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


@torch.no_grad()
def init_xavier(module: nn.Module, gain: float = 0.02) -> None:
    """BicycleGAN's initialisation: Xavier normal weights with a small gain, zero bias."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.xavier_normal_(part.weight, gain)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


@torch.no_grad()
def init_kaiming(module: nn.Module) -> None:
    """MUNIT's initialisation of generators and encoders: He normal weights, zero bias."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
