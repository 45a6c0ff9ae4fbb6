"""Noise channels at every level of a network, through a noise encoder (Li, Zhang, Malik, ICCV 2019).

A code is either a full-resolution field of N(0, 1) noise (the released code) or one short vector spread over the
picture (the paper's "lower-dimensional noise"). The noise encoder sees it together with the condition; the result is
brought to each level by striding. Averaging instead would shrink white noise 64-fold over six halvings and silently
remove the coarse noise that carries global style.
"""

from __future__ import annotations

from typing import Literal, Unpack

import torch
from pydantic import Field
from torch import Tensor, nn

from ..interfaces import Conv, Part, Size
from .sites import AtSites, CodeLayer, PlainLayer, in_format_of, tile_to


class NoiseInputLayer(CodeLayer):
    """Reads the encoded noise (B, n, H, W), strided to the size of its own input."""

    def __init__(self, in_channels: int, out_channels: int, channels: int, **conv: Unpack[Conv]) -> None:
        super().__init__()
        self.inner = PlainLayer(in_channels + channels, out_channels, **conv)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        step = noise.shape[-2] // x.shape[-2]
        return self.inner(torch.cat([x, noise[..., ::step, ::step]], dim=1), None)


class NoiseEncoder(nn.Sequential):
    """Three convolutions at full resolution: (B, K + n, H, W) -> (B, n, H, W)."""

    def __init__(self, condition_channels: int, channels: int, hidden: int) -> None:
        super().__init__(
            nn.Conv2d(condition_channels + channels, hidden, 3, padding=1, bias=False),
            nn.GroupNorm(1, hidden, eps=1e-12),
            nn.LeakyReLU(0.2),
            nn.Conv2d(hidden, hidden, 3, padding=1, bias=False),
            nn.GroupNorm(1, hidden, eps=1e-12),
            nn.LeakyReLU(0.2),
            nn.Conv2d(hidden, channels, 1),
        )
        self.reset()

    def reset(self) -> None:
        """Truncated normal weights of standard deviation 0.15, as released; used again by two-phase training.

        The last layer, which no normalisation follows, keeps its output as strong as with the released 100 channels.
        """
        for module in self:
            if isinstance(module, nn.Conv2d):
                last = module.kernel_size == (1, 1)
                std = 0.15 * (100 / module.in_channels) ** 0.5 if last else 0.15
                nn.init.trunc_normal_(module.weight, std=std, a=-2 * std, b=2 * std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


class NoiseInput(AtSites):
    prior = "gaussian"

    def __init__(
        self, sites: tuple[str, ...], channels: int, field: bool, encoder: NoiseEncoder | None, size: Size
    ) -> None:
        super().__init__(sites)
        self.channels, self.encoder = channels, encoder
        self.shape = (channels, *size) if field else (channels, 1, 1)
        self.size = channels * self.shape[1] * self.shape[2]

    def code_layer(self, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> NoiseInputLayer:
        return NoiseInputLayer(in_channels, out_channels, self.channels, **conv)

    def prepare(self, code: Tensor, condition: Tensor) -> Tensor:
        field = tile_to(code.unflatten(1, self.shape), (condition.shape[-2], condition.shape[-1]))
        noise = in_format_of(field, condition)
        return noise if self.encoder is None else self.encoder(torch.cat([condition, noise], dim=1))


class NoiseInputConfig(Part):
    kind: Literal["noise_input"] = "noise_input"
    sites: tuple[str, ...] = ("level*.conv1",)
    channels: int = Field(10, ge=1)
    field: bool = Field(True, description="full-resolution noise (as released); false: one vector, spread")
    encoder: bool = True
    hidden: int = Field(100, ge=1)

    def build(self, condition_channels: int, size: Size) -> NoiseInput:
        encoder = NoiseEncoder(condition_channels, self.channels, self.hidden) if self.encoder else None
        return NoiseInput(self.sites, self.channels, self.field, encoder, size)
