"""Whole convolution filters generated from the code: BasisGAN's ablation, which shows why bases are needed.

    w = T(z),  z ~ N(0, I),  w of L x L x C' x C values (Wang, Cheng, Sapiro, Qiu, 2019, section 3)

For 256 channels the generator of one 3x3 layer has 38 million parameters, a hundred times as many as bases and
coefficients, and the filters that it generates span a low-dimensional space.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Unpack

import torch
from pydantic import Field
from torch import Tensor, nn

from ..core.interfaces import Conv, Shapes
from ..core.method import RandomnessConfig
from .basis_filters import SampledConv
from .sites import AtSites

FILTER_STD = 0.02


class WholeConv(SampledConv):
    """A convolution whose filters a network computes from the code."""

    def __init__(
        self, in_channels: int, out_channels: int, latent: int, hidden: int, part: slice, **conv: Unpack[Conv]
    ) -> None:
        super().__init__(out_channels, **conv)
        self.part = part
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.shape = (first, second, self.kernel, self.kernel)
        self.filter_generator = nn.Sequential(
            nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, first * second * self.kernel**2)
        )
        # PyTorch's default would give filters a standard deviation of 0.25; the hosts have 0.02. Weights and biases are
        # made smaller alike, so that as much of the filters depends on z as of bases: about 62 %
        default = ((1 + 1 / latent) / 18 + 1 / (3 * hidden)) ** 0.5
        with torch.no_grad():
            for parameter in self.filter_generator[-1].parameters():
                parameter.mul_(FILTER_STD / default)

    def filters(self, code: Tensor) -> Tensor:
        filters: Tensor = self.filter_generator(code[:, self.part])
        return filters.unflatten(1, self.shape)


class WholeFilters(AtSites):
    prior = "gaussian"

    def __init__(self, sites: tuple[str, ...], latent: int, hidden: int) -> None:
        super().__init__(sites)
        self.latent, self.hidden = latent, hidden

    def code_layer(self, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> WholeConv:
        part = self.reserve(self.latent)
        return WholeConv(in_channels, out_channels, self.latent, self.hidden, part, **conv)


class WholeFiltersConfig(RandomnessConfig):
    summary: ClassVar[str] = "the convolution filters themselves"

    kind: Literal["whole_filters"] = "whole_filters"
    sites: tuple[str, ...] = ("block*.conv2",)
    latent: int = Field(64, ge=1)
    hidden: int = Field(64, ge=1)

    def build(self, shapes: Shapes) -> WholeFilters:
        return WholeFilters(self.sites, self.latent, self.hidden)
