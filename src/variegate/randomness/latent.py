"""A latent vector: tiled over the picture and concatenated with the input of the layers named as sites.

At every down-sampling layer of a U-Net this is BicycleGAN's code (Zhu et al., NIPS 2017); at the first layer alone it
is the "+noise" baseline of the papers.
"""

from __future__ import annotations

from typing import Literal, Unpack

import torch
from pydantic import Field
from torch import Tensor

from ..interfaces import Conv, Part, Size
from .sites import AtSites, CodeLayer, PlainLayer, in_format_of


class LatentLayer(CodeLayer):
    def __init__(self, in_channels: int, out_channels: int, numbers: int, **conv: Unpack[Conv]) -> None:
        super().__init__()
        self.inner = PlainLayer(in_channels + numbers, out_channels, **conv)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        tiled = code[:, :, None, None].expand(-1, -1, *x.shape[-2:])
        return self.inner(torch.cat([x, in_format_of(tiled, x)], dim=1), None)


class Latent(AtSites):
    prior = "gaussian"

    def __init__(self, sites: tuple[str, ...], size: int) -> None:
        super().__init__(sites)
        self.size = size

    def code_layer(self, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> LatentLayer:
        return LatentLayer(in_channels, out_channels, self.size, **conv)


class LatentConfig(Part):
    kind: Literal["latent"] = "latent"
    sites: tuple[str, ...]
    size: int = Field(8, ge=1)

    def build(self, condition_channels: int, size: Size) -> Latent:
        return Latent(self.sites, self.size)
