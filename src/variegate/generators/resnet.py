"""pix2pix's ResNet generator (Johnson et al. 2016; Isola et al. 2017): two halvings, residual blocks, two doublings."""

from __future__ import annotations

from typing import ClassVar, Literal, Unpack

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.interfaces import Conv, Randomness, Shapes, Size
from ..core.method import GeneratorConfig
from ..networks.blocks import UPSAMPLING, Norm, Upsampling, doubled, init_normal, norm_layer
from .staged import Stage, Staged, State


class Outer(Stage):
    """A convolution outside the residual blocks, with its activation; of a resized image, if it grows."""

    def __init__(self, layer: nn.Module, last: bool = False, grows: bool = False) -> None:
        super().__init__()
        self.layer, self.last, self.grows = layer, last, grows

    def forward(self, state: State, code: Tensor | None) -> State:
        *others, x = state
        x = self.layer(doubled(x) if self.grows else x, code)
        return (*others, torch.tanh(x) if self.last else F.relu(x))


class Block(Stage):
    """x + conv(relu(conv(x))), no activation after the sum."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.conv1, self.conv2 = first, second

    def forward(self, state: State, code: Tensor | None) -> State:
        *others, x = state
        return (*others, x + self.conv2(F.relu(self.conv1(x, code)), code))


class Maker:
    """Makes the stages of this family of networks; layers are named after their stages.

    Args:
        size: H, W of the images; `level` in the methods counts halvings of it.
    """

    def __init__(self, randomness: Randomness, size: Size, norm: Norm, upsampling: Upsampling = "transposed") -> None:
        self.randomness, self.size, self.upsampling = randomness, size, upsampling
        self.norm, self.bias = norm_layer(norm), norm in ("none", "instance")

    def conv(self, level: int, **conv: Unpack[Conv]) -> Conv:
        size = (self.size[0] >> level, self.size[1] >> level)
        return Conv(bias=self.bias, norm=self.norm, size=size) | conv

    def wide(self, name: str, inputs: int, outputs: int) -> Outer:
        """7x7 at full size."""
        conv = self.conv(0, kernel_size=7, padding=3, padding_mode="reflect")
        return Outer(self.randomness.layer(name, inputs, outputs, **conv))

    def image(self, name: str, inputs: int, image_channels: int) -> Outer:
        """7x7 to the image, without normalisation."""
        conv = Conv(kernel_size=7, padding=3, padding_mode="reflect", size=self.size)
        return Outer(self.randomness.layer(name, inputs, image_channels, **conv), last=True)

    def fuse(self, name: str, channels: int, level: int) -> Outer:
        """3x3 without normalisation: instance norm would subtract whatever a tiled code adds."""
        conv = self.conv(level, padding_mode="reflect") | Conv(norm=None, bias=True)
        return Outer(self.randomness.layer(name, channels, channels, **conv))

    def down(self, name: str, channels: int, level: int) -> Outer:
        """Halve the size, double the channels."""
        return Outer(self.randomness.layer(name, channels, 2 * channels, **self.conv(level, stride=2, padding=1)))

    def up(self, name: str, channels: int, level: int) -> Outer:
        """Double the size, halve the channels."""
        if self.upsampling == "resize":
            conv = self.conv(level - 1, padding_mode="reflect")
            return Outer(self.randomness.layer(name, channels, channels // 2, **conv), grows=True)
        conv = self.conv(level, stride=2, padding=1, output_padding=1, transposed=True)
        return Outer(self.randomness.layer(name, channels, channels // 2, **conv))

    def block(self, name: str, channels: int, level: int) -> Block:
        conv = self.conv(level, padding_mode="reflect")
        first, second = (self.randomness.layer(f"{name}.{c}", channels, channels, **conv) for c in ("conv1", "conv2"))
        return Block(first, second)

    def body(
        self, condition_channels: int, width: int, downs: int, blocks: int, fuse: bool = False
    ) -> dict[str, Stage]:
        """`inner`, `down1 ..`, [`fuse`], `block1 ..`, `up1`: everything but the last convolution."""
        stages: dict[str, Stage] = {"inner": self.wide("inner", condition_channels, width)}
        for k in range(downs):
            stages[f"down{k + 1}"] = self.down(f"down{k + 1}", width << k, k)
        if fuse:
            stages["fuse"] = self.fuse("fuse", width << downs, downs)
        for k in range(1, blocks + 1):
            stages[f"block{k}"] = self.block(f"block{k}", width << downs, downs)
        for k in range(downs, 0, -1):
            stages[f"up{k}"] = self.up(f"up{k}", width << k, k)
        return stages


class ResNet(Staged):
    """Layers `inner`, `down1 ..`, `block1.conv1`, `block1.conv2`, ..., `up1 ..`, `outer`."""

    def __init__(self, randomness: Randomness, shapes: Shapes, config: ResNetConfig) -> None:
        make, downs = Maker(randomness, shapes.size, config.norm, config.upsampling), config.downs
        stages = make.body(shapes.condition_channels, config.width, downs, config.blocks)
        stages["outer"] = make.image("outer", config.width, shapes.image_channels)
        super().__init__(stages, randomness, 2**downs, smallest=2 ** (downs + 1))
        init_normal(self.stages)


class ResNetConfig(GeneratorConfig):
    summary: ClassVar[str] = "down-sampling, residual blocks, up-sampling"

    kind: Literal["resnet"] = "resnet"
    width: int = Field(64, ge=1)
    downs: int = Field(2, ge=1)
    blocks: int = Field(9, ge=1)
    norm: Norm = "batch"
    upsampling: Upsampling = Field("transposed", description=UPSAMPLING)

    def build(self, randomness: Randomness, shapes: Shapes) -> ResNet:
        return ResNet(randomness, shapes, self)
