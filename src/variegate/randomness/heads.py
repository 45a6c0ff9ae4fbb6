"""Fixed heads: a layer has k versions and the code selects one (Chen & Koltun, ICCV 2017, section 3.4).

A code is one uniform value u, and the head is floor(k u), so there are exactly k images of a condition.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal, Unpack

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ..core import codes
from ..core.interfaces import Conv, Shapes
from ..core.method import RandomnessConfig
from .sites import AtSites, CodeLayer, convolution, in_format_of, normalisation, row_by_row


class HeadLayer(CodeLayer):
    """One convolution makes the channels of all heads, colour by colour as released: 9 R, 9 G, 9 B for nine heads.

    All heads of a row are computed together, so rows of x may be shared: with x (B, C, H, W) and codes (B * S, D) the
    result is (B * S, C', H, W), where S consecutive rows belong to one of x. For a row with a single code, only that
    code's head is computed.
    """

    shares_rows = True

    def __init__(self, in_channels: int, out_channels: int, heads: int, **conv: Unpack[Conv]) -> None:
        super().__init__()
        self.inner = convolution(in_channels, out_channels * heads, **conv)
        self.norm = normalisation(out_channels, conv.get("norm"))
        self.heads = heads

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        chosen = (code[:, 0] * self.heads).long().clamp(0, self.heads - 1)
        if x.shape[0] == code.shape[0] and isinstance(self.inner, nn.Conv2d) and self.inner.padding_mode == "zeros":
            return self.norm(self.own(x, self.inner, chosen))
        rows = torch.arange(len(code), device=code.device) // (len(code) // len(x))
        images = self.inner(x).unflatten(1, (-1, self.heads)).transpose(1, 2).flatten(0, 1)  # (B * k, C', H, W)
        return self.norm(in_format_of(images.index_select(0, rows * self.heads + chosen), x))

    def own(self, x: Tensor, conv: nn.Conv2d, chosen: Tensor) -> Tensor:
        """Each row of x through its chosen head only."""
        filters = conv.weight.unflatten(0, (-1, self.heads)).transpose(0, 1).index_select(0, chosen)
        same = {"stride": conv.stride, "padding": conv.padding, "dilation": conv.dilation}
        out = row_by_row(x, filters, partial(F.conv2d, **same))
        if conv.bias is None:
            return out
        return out + conv.bias.unflatten(0, (-1, self.heads)).T.index_select(0, chosen)[..., None, None]


class Heads(AtSites):
    prior = "uniform"

    def __init__(self, sites: tuple[str, ...], heads: int) -> None:
        super().__init__(sites)
        self.heads, self.size, self.alternatives = heads, 1, heads

    def fixed_codes(self, count: int) -> Tensor:
        """The middle of each head's interval in [0, 1]."""
        assert count == self.heads, "there must be one code per head"
        return codes.every_choice(count)

    def code_layer(self, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> HeadLayer:
        return HeadLayer(in_channels, out_channels, self.heads, **conv)


class HeadsConfig(RandomnessConfig):
    comparable: ClassVar[bool] = False
    summary: ClassVar[str] = "which of k versions of a layer makes the image"

    kind: Literal["heads"] = "heads"
    sites: tuple[str, ...] = ("output",)
    heads: int = Field(9, ge=2, description="k: images per condition")

    def alternatives(self) -> int:
        return self.heads

    def build(self, shapes: Shapes) -> Heads:
        return Heads(self.sites, self.heads)
