"""Fixed heads: a layer has k versions and the code names one of them (Chen & Koltun, ICCV 2017, section 3.4).

A code is one uniform number u, and the head is floor(k u). There are k images of a condition and no more.
"""

from __future__ import annotations

from typing import Literal, Unpack

import torch
from pydantic import Field
from torch import Tensor

from ..interfaces import Conv, Part, Size
from .sites import AtSites, CodeLayer, convolution, in_format_of, normalisation


class HeadLayer(CodeLayer):
    """One convolution makes the channels of all heads, colour by colour as released: 9 R, 9 G, 9 B for nine heads.

    All heads of a row are computed together, so rows of x may be shared: with x (B, C, H, W) and codes (B * S, D) the
    result is (B * S, C', H, W), where S rows in a row belong to one of x.
    """

    def __init__(self, in_channels: int, out_channels: int, heads: int, **conv: Unpack[Conv]) -> None:
        super().__init__()
        self.inner = convolution(in_channels, out_channels * heads, **conv)
        self.norm = normalisation(out_channels, conv.get("norm"))
        self.heads = heads

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        chosen = (code[:, 0] * self.heads).long().clamp(0, self.heads - 1)
        rows = torch.arange(len(code), device=code.device) // (len(code) // len(x))
        images = self.inner(x).unflatten(1, (-1, self.heads)).transpose(1, 2).flatten(0, 1)  # (B * k, C', H, W)
        return self.norm(in_format_of(images.index_select(0, rows * self.heads + chosen), x))


class Heads(AtSites):
    prior = "uniform"

    def __init__(self, sites: tuple[str, ...], heads: int) -> None:
        super().__init__(sites)
        self.heads, self.size = heads, 1

    def code_layer(self, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> HeadLayer:
        return HeadLayer(in_channels, out_channels, self.heads, **conv)


class HeadsConfig(Part):
    kind: Literal["heads"] = "heads"
    sites: tuple[str, ...] = ("output",)
    heads: int = Field(9, ge=2, description="k: images that a condition has")

    def build(self, condition_channels: int, size: Size) -> Heads:
        return Heads(self.sites, self.heads)
