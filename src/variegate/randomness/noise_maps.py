"""Noise maps: fresh N(0, 1) feature maps concatenated with the input of each site (MR-GAN's decoder noise)."""

from __future__ import annotations

from typing import Literal, Unpack

import torch
from pydantic import Field
from torch import Tensor

from ..interfaces import Conv, Part, Size
from .sites import AtSites, CodeLayer, PlainLayer, in_format_of, tile_to


class NoiseMapLayer(CodeLayer):
    def __init__(self, in_channels: int, out_channels: int, channels: int, part: slice, **conv: Unpack[Conv]) -> None:
        super().__init__()
        self.inner = PlainLayer(in_channels + channels, out_channels, **conv)
        self.shape, self.part = (channels, *conv["size"]), part

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        noise = tile_to(code[:, self.part].unflatten(1, self.shape), (x.shape[-2], x.shape[-1]))
        return self.inner(torch.cat([x, in_format_of(noise, x)], dim=1), None)


class NoiseMaps(AtSites):
    prior = "gaussian"

    def __init__(self, sites: tuple[str, ...], channels: int) -> None:
        super().__init__(sites)
        self.channels = channels

    def code_layer(self, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> NoiseMapLayer:
        height, width = conv["size"]
        part = self.reserve(self.channels * height * width)
        return NoiseMapLayer(in_channels, out_channels, self.channels, part=part, **conv)


class NoiseMapsConfig(Part):
    kind: Literal["noise_maps"] = "noise_maps"
    sites: tuple[str, ...]
    channels: int = Field(32, ge=1)

    def build(self, condition_channels: int, size: Size) -> NoiseMaps:
        return NoiseMaps(self.sites, self.channels)
