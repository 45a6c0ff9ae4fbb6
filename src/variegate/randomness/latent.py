"""A latent vector: tiled over the image and concatenated with the input of each site.

At every down-sampling layer of a U-Net this is BicycleGAN's code (Zhu et al., NIPS 2017); at the first layer alone it
is the "+noise" baseline of the papers.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import ClassVar, Literal, Unpack

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from ..core.interfaces import Conv, Shapes
from ..core.method import RandomnessConfig
from .sites import AtSites, CodeLayer, PlainLayer, in_format_of


class LatentLayer(CodeLayer):
    def __init__(self, in_channels: int, out_channels: int, numbers: int, slope: float, **conv: Unpack[Conv]) -> None:
        super().__init__()
        self.inner = PlainLayer(in_channels + numbers, out_channels, **conv)
        self.slope = slope

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        code = F.leaky_relu(code, self.slope)  # a slope of 1 leaves it as it is
        tiled = code[:, :, None, None].expand(-1, -1, *x.shape[-2:])
        return self.inner(torch.cat([x, in_format_of(tiled, x)], dim=1), None)


class Latent(AtSites):
    prior = "gaussian"

    def __init__(self, sites: tuple[str, ...], size: int, leaky: tuple[str, ...] = ()) -> None:
        super().__init__(sites)
        self.size, self.leaky = size, leaky

    def code_layer(self, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> LatentLayer:
        leaky = any(fnmatchcase(self.asked[-1], pattern) for pattern in self.leaky)
        return LatentLayer(in_channels, out_channels, self.size, 0.2 if leaky else 1.0, **conv)


class LatentConfig(RandomnessConfig):
    appends: ClassVar[bool] = True
    summary: ClassVar[str] = "a vector tiled and concatenated with the features"

    kind: Literal["latent"] = "latent"
    sites: tuple[str, ...]
    size: int = Field(8, ge=1)
    leaky: tuple[str, ...] = Field(
        (), description="sites where the code passes LeakyReLU 0.2 with the features, as in BicycleGAN's released code"
    )

    def vector_length(self) -> int:
        return self.size

    def build(self, shapes: Shapes) -> Latent:
        return Latent(self.sites, self.size, self.leaky)
