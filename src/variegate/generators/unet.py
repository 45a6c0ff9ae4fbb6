"""pix2pix's U-Net (Isola et al., CVPR 2017): 8 halvings at 256x256, fewer for smaller pictures."""

from __future__ import annotations

from math import log2
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import ConfigError
from ..interfaces import Conv, Part, Randomness, Size
from ..networks.blocks import Norm, init_normal, init_xavier, norm_layer
from .staged import Stage, Staged, State


class Down(Stage):
    def __init__(self, layer: nn.Module, activate: bool) -> None:
        super().__init__()
        self.layer, self.activate = layer, activate

    def forward(self, state: State, code: Tensor | None) -> State:
        x = F.leaky_relu(state[-1], 0.2) if self.activate else state[-1]
        current = self.layer(x, code)
        return (*state, current) if self.activate else (current,)  # the condition itself is no skip


class Up(Stage):
    def __init__(self, layer: nn.Module, last: bool) -> None:
        super().__init__()
        self.layer, self.last = layer, last

    def forward(self, state: State, code: Tensor | None) -> State:
        current = self.layer(F.relu(state[-1]), code)
        if self.last:
            return (torch.tanh(current),)
        *skips, skip = state[:-1]
        return (*skips, torch.cat([skip, current], dim=1))


class UNet(Staged):
    """Layers `down1 .. downN` and `upN .. up1`."""

    def __init__(
        self,
        randomness: Randomness,
        condition_channels: int,
        image_channels: int,
        size: Size,
        width: int,
        depth: int,
        norm: Norm,
        init: Literal["normal", "xavier"] = "normal",
    ) -> None:
        widths = [condition_channels, *(width * min(2**i, 8) for i in range(depth))]
        stages: dict[str, Stage] = {}

        def layer(name: str, inputs: int, outputs: int, level: int, normed: bool, transposed: bool) -> nn.Module:
            plain = norm_layer(norm) if normed else None
            conv = Conv(
                kernel_size=4,
                stride=2,
                padding=1,
                transposed=transposed,
                bias=norm in ("instance", "none") or name == "up1",
                norm=plain,
                size=(size[0] >> level, size[1] >> level),
            )
            return randomness.layer(name, inputs, outputs, **conv)

        for k in range(1, depth + 1):
            name, normed = f"down{k}", 1 < k < depth
            stages[name] = Down(layer(name, widths[k - 1], widths[k], k - 1, normed, False), k > 1)
        for k in range(depth, 0, -1):
            name, inputs = f"up{k}", widths[k] * (1 if k == depth else 2)
            outputs = widths[k - 1] if k > 1 else image_channels
            stages[name] = Up(layer(name, inputs, outputs, k, k > 1, True), k == 1)
        super().__init__(stages, randomness, 2**depth)
        (init_xavier if init == "xavier" else init_normal)(self.stages)


class UNetConfig(Part):
    kind: Literal["unet"] = "unet"
    width: int = Field(64, ge=1)
    depth: int | None = Field(None, ge=2, description="halvings; down to 1x1, at most 8, unless given")
    norm: Norm = "batch"
    init: Literal["normal", "xavier"] = Field("normal", description="pix2pix's or BicycleGAN's, both of scale 0.02")

    def build(self, randomness: Randomness, condition_channels: int, image_channels: int, size: Size) -> UNet:
        depth = self.depth or self.depth_for(size)
        if min(size) >> depth < 1:
            raise ConfigError(f"generator.depth: {depth} halvings do not fit into {size[0]}x{size[1]} pictures")
        return UNet(randomness, condition_channels, image_channels, size, self.width, depth, self.norm, self.init)

    @staticmethod
    def depth_for(size: Size) -> int:
        return max(2, min(8, int(log2(min(size)))))
