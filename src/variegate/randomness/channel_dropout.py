"""Latent dropout codes: whole channels are kept or dropped by the code (He, Schiele, Fritz, ECCV 2018).

    O(c, h, w) = I(c, h, w) [z_c > r] / (1 - r),   z_c ~ U(0, 1)                                              (eq 2)

The code holds z itself, not the mask, in training and afterwards: two codes are interpolated first and then compared
with r (eq 3). Unless r is 1/2, an interpolated code keeps fewer channels than its ends, as in the paper: at r = 2/3
the midpoint of two codes keeps 2/9 of them instead of 1/3.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Unpack

import torch
from pydantic import Field
from torch import Tensor

from ..core.interfaces import Conv, Shapes
from ..core.method import RandomnessConfig
from .sites import AtSites, CodeLayer, PlainLayer


class ChannelDropoutLayer(CodeLayer):
    """A convolution whose output channels the code keeps or drops; computed once for rows that codes share.

    A following leaky ReLU commutes with the mask, so this equals dropout after the activation, as published.
    """

    shares_rows = True

    def __init__(self, in_channels: int, out_channels: int, ratio: float, part: slice, **conv: Unpack[Conv]) -> None:
        super().__init__()
        self.inner = PlainLayer(in_channels, out_channels, **conv)
        self.ratio, self.part = ratio, part

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        out = self.inner(x, None)
        kept = (code[:, self.part] > self.ratio).to(out.dtype) / (1 - self.ratio)
        if out.shape[0] == code.shape[0]:
            return out * kept[..., None, None]
        return (out.unsqueeze(1) * kept.unflatten(0, (len(out), -1))[..., None, None]).flatten(0, 1)


class ChannelDropout(AtSites):
    prior = "uniform"

    def __init__(self, sites: tuple[str, ...], ratio: float) -> None:
        super().__init__(sites)
        self.ratio = ratio

    def code_layer(self, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> ChannelDropoutLayer:
        return ChannelDropoutLayer(in_channels, out_channels, self.ratio, self.reserve(out_channels), **conv)

    def fixed_codes(self, count: int) -> Tensor:
        """Channels that no code keeps are redrawn: new codes would use weights that were never trained."""
        codes = super().fixed_codes(count)
        while not codes.is_meta and (unused := (codes <= self.ratio).all(dim=0)).any():
            codes[:, unused] = torch.rand(count, int(unused.sum()))
        return codes


class ChannelDropoutConfig(RandomnessConfig):
    comparable: ClassVar[bool] = False
    summary: ClassVar[str] = "which channels of a layer are kept"

    kind: Literal["channel_dropout"] = "channel_dropout"
    sites: tuple[str, ...] = ("own*",)
    ratio: float = Field(
        0.5, ge=0, le=0.99, description="r: probability that a channel is dropped; above, few codes would ever keep one"
    )

    def build(self, shapes: Shapes) -> ChannelDropout:
        return ChannelDropout(self.sites, self.ratio)
