"""pix2pix's ResNet generator (Johnson et al. 2016; Isola et al. 2017): two halvings, residual blocks, two doublings."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ..interfaces import Conv, Part, Randomness, Size
from ..networks.blocks import Norm, init_normal, norm_layer
from .staged import Stage, Staged, State


class Outer(Stage):
    """A convolution outside the residual blocks, with its activation."""

    def __init__(self, layer: nn.Module, last: bool = False) -> None:
        super().__init__()
        self.layer, self.last = layer, last

    def forward(self, state: State, code: Tensor | None) -> State:
        x = self.layer(state[-1], code)
        return (torch.tanh(x) if self.last else F.relu(x),)


class Block(Stage):
    """x + conv(relu(conv(x))), no activation after the sum."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.conv1, self.conv2 = first, second

    def forward(self, state: State, code: Tensor | None) -> State:
        x = state[-1]
        return (x + self.conv2(F.relu(self.conv1(x, code)), code),)


class ResNet(Staged):
    """Layers `inner`, `down1 ..`, `block1.conv1`, `block1.conv2`, ..., `up1 ..`, `outer`."""

    def __init__(
        self,
        randomness: Randomness,
        condition_channels: int,
        image_channels: int,
        size: Size,
        width: int,
        downs: int,
        blocks: int,
        norm: Norm,
    ) -> None:
        factory = norm_layer(norm)
        bias = factory is None or norm == "instance"
        stages: dict[str, Stage] = {}

        def at(level: int, **conv: int | str | bool) -> Conv:
            return Conv(bias=bias, norm=factory, size=(size[0] >> level, size[1] >> level), **conv)  # type: ignore[typeddict-item]

        wide = at(0, kernel_size=7, padding=3, padding_mode="reflect")
        stages["inner"] = Outer(randomness.layer("inner", condition_channels, width, **wide))
        for k in range(downs):
            name, channels = f"down{k + 1}", width << k
            stages[name] = Outer(randomness.layer(name, channels, 2 * channels, **at(k, stride=2, padding=1)))
        channels, same = width << downs, at(downs, padding_mode="reflect")
        for k in range(1, blocks + 1):
            convs = [randomness.layer(f"block{k}.{conv}", channels, channels, **same) for conv in ("conv1", "conv2")]
            stages[f"block{k}"] = Block(*convs)
        for k in range(downs, 0, -1):
            name, channels = f"up{k}", width << k
            up = at(k, stride=2, padding=1, output_padding=1, transposed=True)
            stages[name] = Outer(randomness.layer(name, channels, channels // 2, **up))
        last = Conv(kernel_size=7, padding=3, padding_mode="reflect", size=size)
        stages["outer"] = Outer(randomness.layer("outer", width, image_channels, **last), last=True)
        super().__init__(stages, randomness, 2**downs, smallest=2 ** (downs + 1))
        init_normal(self.stages)


class ResNetConfig(Part):
    kind: Literal["resnet"] = "resnet"
    width: int = Field(64, ge=1)
    downs: int = Field(2, ge=1)
    blocks: int = Field(9, ge=1)
    norm: Norm = "batch"

    def build(self, randomness: Randomness, condition_channels: int, image_channels: int, size: Size) -> ResNet:
        return ResNet(
            randomness, condition_channels, image_channels, size, self.width, self.downs, self.blocks, self.norm
        )
