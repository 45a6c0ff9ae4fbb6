"""Cascaded refinement network (Chen & Koltun, ICCV 2017): coarse to fine, with the layout as input to every level."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.errors import ConfigError
from ..core.given import Given
from ..core.interfaces import Conv, Features, Randomness, Shapes
from ..core.method import GeneratorConfig
from ..networks.blocks import Norm, init_glorot, norm_layer
from ..randomness.heads import HeadLayer
from ..randomness.sites import CodeLayer, PlainLayer
from .adoption import with_noise
from .staged import Stage, Staged, State


class Level(Stage):
    """[features of the coarser level, doubled with aligned corners; layout] -> two convolutions."""

    def __init__(self, first: nn.Module, second: nn.Module, coarsest: bool) -> None:
        super().__init__()
        self.conv1, self.conv2, self.coarsest = first, second, coarsest

    def forward(self, state: State, code: Tensor | None) -> State:
        *finer, x = state
        if not self.coarsest:
            layout = finer.pop()
            x = torch.cat([F.interpolate(x, layout.shape[-2:], mode="bilinear", align_corners=True), layout], dim=1)
        x = F.leaky_relu(self.conv1(x, code), 0.2)
        return (*finer, F.leaky_relu(self.conv2(x, code), 0.2))


class Output(Stage):
    """1x1 convolution without activation: images are unbounded and are clipped only when saved."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        # for a plain layer, the convolution itself: saved models know its weights by this name
        self.conv = layer.conv if isinstance(layer, PlainLayer) else layer

    def forward(self, state: State, code: Tensor | None) -> State:
        return (self.conv(state[-1], code) if isinstance(self.conv, CodeLayer) else self.conv(state[-1]),)


class CRN(Staged):
    """Layers `level1.conv1`, `level1.conv2`, `level2.conv1`, ..., `output`, coarse to fine at any image size."""

    def __init__(self, randomness: Randomness, shapes: Shapes, widths: list[int], norm: Norm) -> None:
        count, size = len(widths), shapes.size
        factory = norm_layer(norm)
        stages: dict[str, Stage] = {}
        previous = 0
        for i, width in enumerate(widths):
            halvings = count - 1 - i
            name = f"level{i + 1}"
            conv = Conv(bias=factory is None, norm=factory, size=(size[0] >> halvings, size[1] >> halvings))
            first = randomness.layer(f"{name}.conv1", previous + shapes.condition_channels, width, **conv)
            second = randomness.layer(f"{name}.conv2", width, width, **conv)
            stages[name] = Level(first, second, coarsest=i == 0)
            previous = width
        last = randomness.layer("output", previous, shapes.image_channels, kernel_size=1, size=size)
        stages["output"] = Output(last)
        super().__init__(stages, randomness, 2 ** (count - 1))
        self.levels = count
        init_glorot(self.stages)

    def start(self, condition: Tensor) -> State:
        """The layout at every level, finest first, by repeated 2x2 means."""
        pyramid = [condition]
        for _ in range(self.levels - 1):
            last = pyramid[-1]
            pyramid.append(F.avg_pool2d(last, 2) if last.shape[1] else last[..., ::2, ::2])  # nothing is not averaged
        return tuple(pyramid)

    def decode_all(self, features: Features, code: Tensor) -> Tensor:
        """Features are not copied for every code where heads make all images of a condition at once."""
        if self.split < self.levels or not isinstance(self.get_submodule("stages.output.conv"), HeadLayer):
            return super().decode_all(features, code)
        return self.decode(features, code.flatten(0, 1)).unflatten(0, (-1, code.shape[1]))

    def adopt(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights of a network without noise are extended by this one's; see `adoption`."""
        return with_noise(weights, self.state_dict())


class CRNConfig(GeneratorConfig):
    """Widths by height as published: 1024 up to 64, 512 at 128 and 256, 128 at 512, 32 at 1024; times `scale`."""

    summary: ClassVar[str] = "a cascade of refinement modules, coarse to fine"

    kind: Literal["crn"] = "crn"
    scale: float = Field(1.0, gt=0, description="multiplies every width")
    widths: tuple[int, ...] | None = Field(None, description="one per level, coarse to fine; instead of `scale`")
    coarsest: int = Field(4, ge=1, description="height of the first level")
    norm: Norm = "layer"

    def check_data(self, condition: Given) -> None:
        """Without a condition it draws from noise alone, if its first level reads some."""

    def build(self, randomness: Randomness, shapes: Shapes) -> CRN:
        size = shapes.size
        if not shapes.condition_channels and not randomness.feeds("level1.conv1"):
            raise ConfigError(
                "generator crn draws without a condition only from noise that its first level reads; give a condition, "
                "or train cimle"
            )
        if self.widths:
            widths = list(self.widths)
        else:
            heights = [size[0]]
            while heights[-1] % 2 == 0 and heights[-1] // 2 >= self.coarsest:
                heights.append(heights[-1] // 2)
            if heights[-1] >= 2 * self.coarsest:
                near = self.coarsest * 2 ** max(0, round(math.log2(size[0] / self.coarsest)))
                raise ConfigError(
                    f"generator.coarsest: a height of {size[0]} pixels halves to {heights[-1]}, not to "
                    f"{self.coarsest}; use a height such as {near}, or set generator.coarsest or generator.widths"
                )
            widths = [max(1, round(published_width(height) * self.scale)) for height in reversed(heights)]
        if min(size) >> (len(widths) - 1) < 1 or any(side % 2 ** (len(widths) - 1) for side in size):
            raise ConfigError(
                f"generator.widths: {len(widths)} levels need height and width divisible by {2 ** (len(widths) - 1)}, "
                f"got {size[0]}x{size[1]}; use fewer levels or another --size"
            )
        return CRN(randomness, shapes, widths, self.norm)


def published_width(height: int) -> int:
    for limit, width in ((64, 1024), (256, 512), (512, 128)):
        if height <= limit:
            return width
    return 32
