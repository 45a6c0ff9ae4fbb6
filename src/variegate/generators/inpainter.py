"""DSGAN's inpainting generator (Yang et al., ICLR 2019): a residual network whose output fills only the hole."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from ..core.errors import ConfigError
from ..core.interfaces import Features, Randomness, Shapes
from ..core.method import GeneratorConfig
from ..networks.blocks import Norm, init_normal
from .resnet import Maker
from .staged import Staged


class Inpainter(Staged):
    """Layers of a ResNet, and `fuse`, a 3x3 convolution at the smallest size where a latent vector is concatenated.

    The condition is the image with a hole followed by the mask: 1 inside the hole, -1 outside.
    """

    def __init__(self, randomness: Randomness, shapes: Shapes, config: InpainterConfig) -> None:
        make, downs = Maker(randomness, shapes.size, config.norm), config.downs
        stages = make.body(shapes.condition_channels, config.width, downs, config.blocks, fuse=True)
        stages["outer"] = make.image("outer", config.width, shapes.image_channels)
        super().__init__(stages, randomness, 2**downs, smallest=2 ** (downs + 1))
        init_normal(self.stages)

    def decode(self, features: Features, code: Tensor) -> Tensor:
        height, width = features.size
        given = features.condition[..., :height, :width]
        hole = (given[:, -1:] > 0).to(given.dtype)
        return hole * super().decode(features, code) + (1 - hole) * given[:, :-1]


class InpainterConfig(GeneratorConfig):
    fills_holes: ClassVar[bool] = True
    summary: ClassVar[str] = "a ResNet that fills only the hole"

    kind: Literal["inpainter"] = "inpainter"
    width: int = Field(64, ge=1)
    downs: int = Field(3, ge=1)
    blocks: int = Field(9, ge=1)
    norm: Norm = "instance"

    def build(self, randomness: Randomness, shapes: Shapes) -> Inpainter:
        if shapes.condition_channels != shapes.image_channels + 1:
            raise ConfigError("generator inpainter fills holes; give --condition inpaint")
        return Inpainter(randomness, shapes, self)
