"""MUNIT's auto-encoder (Huang, Liu, Belongie, Kautz, ECCV 2018): content of one image, style from the code.

With AdaIN at the residual blocks `style*`, `encode` is the content encoder and `decode` the decoder. The style encoder
belongs to training (objectives.munit); a trained generator samples its styles.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.interfaces import Randomness, Shapes, Size
from ..core.method import GeneratorConfig
from ..networks.blocks import init_kaiming
from .resnet import Maker, Outer
from .staged import Stage, Staged, State


class Enlarge(Outer):
    """Repeat every pixel twice in each direction, then convolve."""

    def forward(self, state: State, code: Tensor | None) -> State:
        *others, x = state
        return super().forward((*others, F.interpolate(x, scale_factor=2.0, mode="nearest")), code)


class ContentMaker(Maker):
    """The family's outer convolutions and blocks, with MUNIT's down- and up-sampling.

    All layers have biases; the layer norm after up-sampling has a gain and a bias per channel.
    """

    def __init__(self, randomness: Randomness, size: Size) -> None:
        super().__init__(randomness, size, "instance")
        self.joint = Maker(randomness, size, "layer")  # normalises all channels jointly

    def down(self, name: str, channels: int, level: int) -> Outer:
        """4x4 with reflection padding: halve the size, double the channels."""
        conv = self.conv(level, kernel_size=4, stride=2, padding=1, padding_mode="reflect")
        return Outer(self.randomness.layer(name, channels, 2 * channels, **conv))

    def up(self, name: str, channels: int, level: int) -> Enlarge:
        """5x5 after nearest-neighbour up-sampling: double the size, halve the channels."""
        conv = self.joint.conv(level - 1, kernel_size=5, padding=2, padding_mode="reflect", bias=True)
        return Enlarge(self.randomness.layer(name, channels, channels // 2, **conv))

    def encoder(self, channels: int, width: int, downs: int, blocks: int) -> dict[str, Stage]:
        """`inner`, `down1 ..`, `content1 ..`."""
        stages: dict[str, Stage] = {"inner": self.wide("inner", channels, width)}
        for k in range(downs):
            stages[f"down{k + 1}"] = self.down(f"down{k + 1}", width << k, k)
        for k in range(1, blocks + 1):
            stages[f"content{k}"] = self.block(f"content{k}", width << downs, downs)
        return stages

    def decoder(self, channels: int, width: int, downs: int, blocks: int) -> dict[str, Stage]:
        """`style1 ..`, `up1 ..`, `outer`."""
        stages: dict[str, Stage] = {}
        for k in range(1, blocks + 1):
            stages[f"style{k}"] = self.block(f"style{k}", width << downs, downs)
        for k in range(downs, 0, -1):
            stages[f"up{k}"] = self.up(f"up{k}", width << k, k)
        stages["outer"] = self.image("outer", width, channels)
        return stages


class ContentStyle(Staged):
    """Layers `inner`, `down1 ..`, `content1.conv1`, ..., `style1.conv1`, `style1.conv2`, ..., `up2`, `up1`, `outer`."""

    def __init__(self, randomness: Randomness, shapes: Shapes, config: ContentStyleConfig) -> None:
        make, downs = ContentMaker(randomness, shapes.size), config.downs
        stages = make.encoder(shapes.condition_channels, config.width, downs, config.blocks)
        stages |= make.decoder(shapes.image_channels, config.width, downs, config.blocks)
        super().__init__(stages, randomness, 2**downs, smallest=2 ** (downs + 1))
        init_kaiming(self.stages)
        init_gains(self.stages)


@torch.no_grad()
def init_gains(module: nn.Module) -> None:
    """Draw the gains of layer norms from U(0, 1), as in the released code."""
    for part in module.modules():
        if isinstance(part, nn.GroupNorm):
            nn.init.uniform_(part.weight)


class ContentStyleConfig(GeneratorConfig):
    summary: ClassVar[str] = "MUNIT's content encoder and decoder"

    kind: Literal["content_style"] = "content_style"
    width: int = Field(64, ge=1, description="channels at full size; each halving doubles them")
    downs: int = Field(2, ge=1)
    blocks: int = Field(4, ge=1, description="residual blocks in the content encoder and again in the decoder")

    def build(self, randomness: Randomness, shapes: Shapes) -> ContentStyle:
        return ContentStyle(randomness, shapes, self)
