"""Whole convolution filters generated from the code: BasisGAN's ablation, which shows why bases are needed.

    w = T(z),  z ~ N(0, I),  w of L x L x C' x C values (Wang, Cheng, Sapiro, Qiu, 2019, section 3.2)

For 256 channels the generator of one 3x3 layer has 38 million parameters, a hundred times as many as bases and
coefficients, and the filters that it generates span a low-dimensional space.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Unpack

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
        # PyTorch's default would give filters a standard deviation of 0.24; the hosts have 0.02
        last = self.filter_generator[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, 0.0, FILTER_STD / (hidden / 3) ** 0.5)
        nn.init.normal_(last.bias, 0.0, FILTER_STD / 2**0.5)

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
