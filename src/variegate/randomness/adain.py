"""A style code that sets the statistics of feature maps: adaptive instance normalisation (Huang & Belongie, ICCV 2017).

As in MUNIT (Huang, Liu, Belongie, Kautz, ECCV 2018), one small network maps the code to the scale and shift of every
channel of every site, in place of that layer's own normalisation.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Unpack

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.errors import ConfigError
from ..core.interfaces import Conv, Shapes
from ..core.method import RandomnessConfig
from ..networks.blocks import init_kaiming
from .sites import AtSites, CodeLayer, convolution


class AdaINLayer(CodeLayer):
    """Convolution, then scale * (x - mean) / deviation + shift; mean and deviation over H and W of each channel.

    Args:
        first: offset of its values among those of all layers; `out_channels` shifts, then as many scales.
    """

    def __init__(self, in_channels: int, out_channels: int, first: int, **conv: Unpack[Conv]) -> None:
        super().__init__()
        self.conv = convolution(in_channels, out_channels, **conv)
        self.own, self.channels = slice(first, first + 2 * out_channels), out_channels

    def forward(self, x: Tensor, numbers: Tensor) -> Tensor:
        shift, scale = numbers[:, self.own, None, None].split(self.channels, dim=1)
        return F.instance_norm(self.conv(x)) * scale + shift


class AdaIN(AtSites):
    """A code of length `size`; `prepare` maps codes (B, D) to values for all layers (B, 2 x their channels)."""

    prior = "gaussian"

    def __init__(self, sites: tuple[str, ...], size: int, hidden: int) -> None:
        super().__init__(sites)
        self.size, self.hidden, self.total = size, hidden, 0

    def layer(self, site: str, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> nn.Module:
        made, stride = super().layer(site, in_channels, out_channels, **conv), conv.get("stride", 1)
        single = not conv.get("transposed") and max(conv.get("size", (0, 0))) == stride
        if single and site in self.sites:
            raise ConfigError(
                f"randomness.sites: the maps of {site} are single pixels, which have no deviation to set; name layers "
                "with larger maps, or use a shallower network"
            )
        return made

    def code_layer(self, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> AdaINLayer:
        layer = AdaINLayer(in_channels, out_channels, self.total, **conv)
        self.total += 2 * out_channels
        return layer

    def finish(self) -> None:
        super().finish()
        self.mlp = nn.Sequential(
            nn.Linear(self.size, self.hidden),
            nn.ReLU(),
            nn.Linear(self.hidden, self.hidden),
            nn.ReLU(),
            nn.Linear(self.hidden, self.total),
        )
        init_kaiming(self.mlp)

    def prepare(self, code: Tensor, condition: Tensor) -> Tensor:
        numbers: Tensor = self.mlp(code)
        return numbers


class AdaINConfig(RandomnessConfig):
    summary: ClassVar[str] = "the scale and shift of normalised features"

    kind: Literal["adain"] = "adain"
    sites: tuple[str, ...] = ("style*",)
    size: int = Field(8, ge=1)
    hidden: int = Field(256, ge=1, description="units of the network that maps the code to scales and shifts")

    def vector_length(self) -> int:
        return self.size

    def build(self, shapes: Shapes) -> AdaIN:
        return AdaIN(self.sites, self.size, self.hidden)
