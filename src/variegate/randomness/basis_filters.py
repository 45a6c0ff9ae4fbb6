"""BasisGAN: convolution filters sampled as a combination of sampled bases (Wang, Cheng, Sapiro, Qiu, 2019).

    w(u, c', c) = sum_k psi_k(u) a_k(c', c),   psi = T(z),  z ~ N(0, I)

The basis generator T maps a code of length 64 to K bases of L x L values; the coefficients a are ordinary parameters
shared by all samples. Filters are made once per sample, so a batch has as many different filters as codes.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from itertools import pairwise
from typing import ClassVar, Literal, Unpack

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.interfaces import Conv, Shapes
from ..core.method import RandomnessConfig
from .sites import AtSites, CodeLayer, in_format_of, normalisation, row_by_row

WIDE = 256  # maps from which on sampling in two steps is faster on a CPU


class SampledConv(CodeLayer):
    """A convolution whose filters depend on the code, one set per row of the batch."""

    def __init__(self, out_channels: int, **conv: Unpack[Conv]) -> None:
        super().__init__()
        self.kernel = conv.get("kernel_size", 3)
        self.dilation = conv.get("dilation", 1)
        self.padding = conv.get("padding", self.dilation * (self.kernel - 1) // 2)
        self.stride, self.transposed = conv.get("stride", 1), conv.get("transposed", False)
        self.output_padding, self.reflect = conv.get("output_padding", 0), conv.get("padding_mode") == "reflect"
        self.bias = nn.Parameter(torch.zeros(out_channels)) if conv.get("bias", True) else None
        self.norm = normalisation(out_channels, conv.get("norm"))

    @abstractmethod
    def filters(self, code: Tensor) -> Tensor:
        """(B, D) -> (B, C_out, C_in, L, L); for transposed convolutions (B, C_in, C_out, L, L)."""

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        return self.norm(self.convolve(x, self.filters(code)))

    def convolve(self, x: Tensor, filters: Tensor) -> Tensor:
        """Convolve row b of x with filters b."""
        x, padding = self.padded(x)
        return self.biased(row_by_row(x, filters, partial(self.plain, padding=padding)))

    def padded(self, x: Tensor) -> tuple[Tensor, int]:
        """x with its reflection around it, and the zeros that are still to be added on each side."""
        if self.reflect and self.padding:
            return F.pad(x, (self.padding,) * 4, mode="reflect"), 0
        return x, self.padding

    def biased(self, x: Tensor) -> Tensor:
        return x if self.bias is None else x + self.bias[:, None, None]

    def plain(self, x: Tensor, weight: Tensor, groups: int = 1, *, padding: int) -> Tensor:
        if self.transposed:
            return F.conv_transpose2d(x, weight, None, self.stride, padding, self.output_padding, groups, self.dilation)
        return F.conv2d(x, weight, None, self.stride, padding, self.dilation, groups)


class BasisConv(SampledConv):
    """Filters composed of sampled bases.

    Args:
        config: K and the basis generator's sizes.
        part: entries of the code that this layer reads.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        config: BasisFiltersConfig,
        part: slice,
        **conv: Unpack[Conv],
    ) -> None:
        super().__init__(out_channels, **conv)
        self.bases, self.latent, self.part = config.bases, config.latent, part
        numbers = self.kernel**2 * (1 if config.separate else self.bases)
        widths = [config.latent, *[config.hidden] * config.depth]
        layers = [layer for sizes in pairwise(widths) for layer in (nn.Linear(*sizes), nn.ReLU())]
        self.basis_generator = nn.Sequential(*layers, nn.Linear(config.hidden, numbers))
        # a ~ N(0, 1 / (C' K)) keeps the sampled filters near the N(0, 0.02) of the hosts at 256 channels
        first, last = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.coefficients = nn.Parameter(torch.randn(first, self.bases, last) / (in_channels * self.bases) ** 0.5)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        out, numbers, channels = self.coefficients.shape
        wide = min(out, channels) >= WIDE and numbers < self.kernel**2 and not self.transposed
        if torch.is_grad_enabled() or x.device.type != "cpu" or not wide:
            return super().forward(x, code)
        return self.norm(self.in_two_steps(x, code))

    def in_two_steps(self, x: Tensor, code: Tensor) -> Tensor:
        """Convolve every map with the K bases, then combine the results: the same numbers as with composed filters.

        That takes K / L^2 of the multiplications and no filters, but results of K times the size of x, too much to keep
        for gradients.
        """
        padded, padding = self.padded(x)
        bases = self.psi(code).unflatten(2, (1, self.kernel, self.kernel))  # (B, K, 1, L, L)
        rows = []
        for row, own in zip(padded, bases):
            maps = F.conv2d(row.contiguous().unsqueeze(1), own, None, self.stride, padding, self.dilation)
            if len(maps) < maps[0, 0].numel():  # of coefficients (C, K, C') and maps (C', K, H, W), reorder the smaller
                mixing, read = self.coefficients.transpose(1, 2), maps
            else:
                mixing, read = self.coefficients, maps.transpose(0, 1)
            rows.append((mixing.flatten(1) @ read.flatten(0, 1).flatten(1)).unflatten(1, maps.shape[2:]))
        return self.biased(in_format_of(torch.stack(rows), x))

    def psi(self, code: Tensor) -> Tensor:
        """The bases of codes (B, D): (B, K, L L)."""
        drawn: Tensor = self.basis_generator(code[:, self.part].unflatten(1, (-1, self.latent)))
        return drawn.reshape(code.shape[0], self.bases, self.kernel**2)

    def filters(self, code: Tensor) -> Tensor:
        psi = self.psi(code).unsqueeze(1).transpose(2, 3)  # (B, 1, L L, K)
        filters = (psi @ self.coefficients).unflatten(2, (self.kernel, self.kernel))  # (B, C, L, L, C')
        return filters.permute(0, 1, 4, 2, 3)  # already in the memory layout of channels-last convolutions


class BasisFilters(AtSites):
    prior = "gaussian"

    def __init__(self, config: BasisFiltersConfig) -> None:
        super().__init__(config.sites)
        self.config = config

    def code_layer(self, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> BasisConv:
        numbers = self.config.latent * (self.config.bases if self.config.separate else 1)
        part = slice(0, numbers) if self.config.shared and self.size else self.reserve(numbers)
        return BasisConv(in_channels, out_channels, self.config, part, **conv)


class BasisFiltersConfig(RandomnessConfig):
    summary: ClassVar[str] = "the bases that convolution filters are composed of"

    kind: Literal["basis_filters"] = "basis_filters"
    sites: tuple[str, ...] = ("block*.conv2",)
    bases: int = Field(5, ge=1, description="K: 5 in the text; other implementations use 7")
    latent: int = Field(64, ge=1)
    hidden: int = Field(64, ge=1, description="units of the basis generator's hidden layers")
    depth: int = Field(1, ge=1, description="their number")
    separate: bool = Field(False, description="one code per basis through a shared network")
    shared: bool = Field(False, description="one code for all layers (BasisGAN + DSGAN)")

    def build(self, shapes: Shapes) -> BasisFilters:
        return BasisFilters(self)
