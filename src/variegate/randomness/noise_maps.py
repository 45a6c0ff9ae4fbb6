"""Noise maps: fresh N(0, 1) feature maps concatenated with the input of each site (MR-GAN's decoder noise)."""

from __future__ import annotations

from typing import ClassVar, Literal, Unpack

import torch
from pydantic import Field
from torch import Tensor, nn

from ..core.interfaces import Conv, Shapes
from ..core.method import RandomnessConfig
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
    """Noise maps at all sites, or only at those with small inputs.

    Args:
        largest: only at layers whose input is at most this high or wide; MR-GAN's decoder has 1x1, 2x2 and 4x4.
    """

    prior = "gaussian"

    def __init__(self, sites: tuple[str, ...], channels: int, largest: int | None = None) -> None:
        super().__init__(sites)
        self.channels, self.largest = channels, largest

    def layer(self, site: str, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> nn.Module:
        if self.largest is not None and min(conv["size"]) > self.largest:
            self.asked.append(site)
            return PlainLayer(in_channels, out_channels, **conv)
        return super().layer(site, in_channels, out_channels, **conv)

    def code_layer(self, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> NoiseMapLayer:
        height, width = conv["size"]
        part = self.reserve(self.channels * height * width)
        return NoiseMapLayer(in_channels, out_channels, self.channels, part=part, **conv)


class NoiseMapsConfig(RandomnessConfig):
    appends: ClassVar[bool] = True
    summary: ClassVar[str] = "noise maps concatenated with the features of some layers"

    kind: Literal["noise_maps"] = "noise_maps"
    sites: tuple[str, ...]
    channels: int = Field(32, ge=1)
    largest: int | None = Field(None, ge=1, description="only at layers whose input is at most this high or wide")

    def any_size(self) -> bool:
        return False

    def build(self, shapes: Shapes) -> NoiseMaps:
        return NoiseMaps(self.sites, self.channels, self.largest)
