"""Noise channels at every level of a network, through a noise encoder (Li, Zhang, Malik, ICCV 2019).

A code is either a full-resolution field of N(0, 1) noise (the released code) or one short vector, mapped and tiled
over the image (one reading of the paper's "lower-dimensional noise"). The noise encoder sees it together with the
condition; its output is brought to each level by striding. Averaging instead would shrink white noise 64-fold over six
halvings and silently remove the coarse noise that carries global style.

With a vector, classes of a label map may have numbers of their own besides, which only their pixels see (`per_class`):
the whole image is bright or dark, but a car of 4 % of its pixels has any paint.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Unpack

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from ..core.errors import ConfigError
from ..core.interfaces import Conv, Shapes, Size
from ..core.method import RandomnessConfig
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
        """Truncated normal weights of standard deviation 0.15, as released; called again by two-phase training.

        The last layer has no normalisation after it, so it is scaled to the output strength of the released 100
        channels.
        """
        for module in self:
            if isinstance(module, nn.Conv2d):
                last = module.kernel_size == (1, 1)
                std = 0.15 * (100 / module.in_channels) ** 0.5 if last else 0.15
                nn.init.trunc_normal_(module.weight, std=std, a=-2 * std, b=2 * std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.GroupNorm):
                module.reset_parameters()


def mapping_network(vector: int, hidden: int, channels: int) -> nn.Sequential:
    """Map a short Gaussian vector nonlinearly before it is tiled, so that few values select among many appearances."""
    first, second, last = nn.Linear(vector, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, channels)
    for layer in (first, second, last):
        nn.init.kaiming_normal_(layer.weight, a=0.2)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(first, nn.LeakyReLU(0.2), second, nn.LeakyReLU(0.2), last)


class ClassNumbers(nn.Module):
    """Spread a vector's numbers over the image: (B, D) and a layout (B, K, H, W) to (B, n + c, H, W).

    The first D - K c are mapped and tiled; of the others, each pixel gets the c of its class.
    """

    def __init__(self, mapping: nn.Module, classes: int, each: int) -> None:
        super().__init__()
        self.mapping, self.classes, self.each = mapping, classes, each

    def forward(self, code: Tensor, layout: Tensor) -> Tensor:
        whole, own = code.split([code.shape[1] - self.classes * self.each, self.classes * self.each], dim=1)
        numbers = own.unflatten(1, (self.classes, self.each)).to(layout.dtype)
        local = torch.einsum("bkc,bkhw->bchw", numbers, layout)
        tiled = self.mapping(whole)[:, :, None, None].expand(-1, -1, *layout.shape[-2:])
        return torch.cat([tiled, local], dim=1)


class NoiseInput(AtSites):
    prior = "gaussian"

    def __init__(
        self, sites: tuple[str, ...], channels: int, shape: Size, mapping: nn.Module | None, encoder: nn.Module | None
    ) -> None:
        super().__init__(sites)
        self.channels, self.mapping, self.encoder = channels, mapping, encoder
        self.shape = (channels, *shape)
        self.size = math.prod(self.shape)

    def code_layer(self, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> NoiseInputLayer:
        return NoiseInputLayer(in_channels, out_channels, self.channels, **conv)

    def feeds(self, site: str) -> bool:
        return self.matches(site)

    def prepare(self, code: Tensor, condition: Tensor) -> Tensor:
        if isinstance(self.mapping, ClassNumbers):
            field = self.mapping(code, condition)
        else:
            noise = code if self.mapping is None else self.mapping(code)
            field = tile_to(noise.unflatten(1, self.shape), (condition.shape[-2], condition.shape[-1]))
        noise = in_format_of(field, condition)
        return noise if self.encoder is None else self.encoder(torch.cat([condition, noise], dim=1))


class NoiseInputConfig(RandomnessConfig):
    appends: ClassVar[bool] = True
    summary: ClassVar[str] = "noise at every level, through a noise encoder"

    kind: Literal["noise_input"] = "noise_input"
    sites: tuple[str, ...] = ("level*.conv1",)
    channels: int = Field(10, ge=1)
    vector: int = Field(0, ge=0, description="length of a vector to tile; 0: full-resolution noise, as released")
    mapping: int = Field(64, ge=0, description="hidden units of the network that maps the vector first; 0: none")
    per_class: int = Field(
        0, ge=0, description="numbers of each class of a label map besides the vector, seen by its own pixels only"
    )
    encoder: bool = True
    hidden: int = Field(100, ge=1)

    @model_validator(mode="after")
    def _class_numbers_add_to_a_vector(self) -> NoiseInputConfig:
        if self.per_class and not self.vector:
            raise ConfigError("randomness.per_class adds to a vector; set randomness.vector, e.g. to 5")
        return self

    def any_size(self) -> bool:
        return self.vector > 0

    def by_class(self) -> bool:
        return self.per_class > 0

    def vector_length(self) -> int | None:
        return (self.vector or None) if not self.per_class else None

    def build(self, shapes: Shapes) -> NoiseInput:
        channels, classes = self.channels + self.per_class, shapes.condition_channels
        encoder = NoiseEncoder(classes, channels, self.hidden) if self.encoder else None
        if not self.vector:
            return NoiseInput(self.sites, self.channels, shapes.size, None, encoder)
        mapping: nn.Module = nn.Identity()
        if self.mapping:
            mapping = mapping_network(self.vector, self.mapping, self.channels)
        if not self.mapping and self.vector != self.channels:
            raise ConfigError("randomness.vector must equal randomness.channels if randomness.mapping is 0")
        if not self.per_class:
            randomness = NoiseInput(self.sites, self.channels, (1, 1), mapping, encoder)
            randomness.size = self.vector
            return randomness
        mapping = ClassNumbers(mapping, classes, self.per_class)
        randomness = NoiseInput(self.sites, channels, (1, 1), mapping, encoder)
        randomness.parts = (self.vector, *[self.per_class] * classes)
        randomness.size = sum(randomness.parts)
        return randomness
