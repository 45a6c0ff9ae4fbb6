"""Coarse to fine without normalisation, split into two paths near the output (He, Schiele, Fritz, ECCV 2018, Fig. 2).

All levels before the split run once per condition, and so does the deterministic path of the split level: only its
stochastic path, the finer levels and the output depend on the code. The randomness determines which layers read it:

    shared early split      channel dropout at own*
    separate early split    heads at own*, fine* and output: every branch has its own filters after the split
    late split              heads at output, as a cascaded refinement network has them
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.errors import ConfigError, with_article
from ..core.given import Given
from ..core.interfaces import Features, Randomness, Shapes, Size
from ..core.method import GeneratorConfig
from ..networks.blocks import init_leaky, init_normal
from ..randomness.sites import CodeLayer, side_by_side
from .staged import Stage, Staged, State

Pyramid = Literal["mean", "sum"]
RELEASED_STD = 0.002  # for widths of 256 to 1024; narrow networks would start dead


def double(x: Tensor) -> Tensor:
    """Bilinear up-sampling with zeros outside: the released transposed convolution, kernel 4, stride 2, padding 1."""
    return F.interpolate(F.pad(x, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)[..., 2:-2, 2:-2]


class TwoLayers(Stage):
    """Two convolutions, each with a leaky ReLU."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.conv1, self.conv2 = first, second

    def refine(self, shared: Tensor, own: Tensor | None, code: Tensor | None) -> Tensor:
        """Both convolutions on `shared` (B, ...), concatenated with `own` (B * S, ...) if there is one."""
        x = self.conv1(shared, code) if own is None else side_by_side(self.conv1, shared, own, code)
        return F.leaky_relu(self.conv2(F.leaky_relu(x, 0.2), code), 0.2)


class Coarsest(TwoLayers):
    """(..., layout) to (..., x)."""

    def forward(self, state: State, code: Tensor | None) -> State:
        return (*state[:-1], self.refine(state[-1], None, code))


class Level(TwoLayers):
    """[layout; features of the coarser level, doubled]: (..., layout, x) to (..., x)."""

    def forward(self, state: State, code: Tensor | None) -> State:
        *finer, layout, x = state
        return (*finer, self.refine(layout, double(x), code))


class Shared(TwoLayers):
    """The deterministic path of the split: (..., layout, x) to (..., both, deterministic)."""

    def forward(self, state: State, code: Tensor | None) -> State:
        *finer, layout, x = state
        both = torch.cat([layout, double(x)], dim=1)
        return (*finer, both, self.refine(both, None, code))


class Own(TwoLayers):
    """The stochastic path: (..., both, deterministic) to (..., deterministic, stochastic)."""

    def forward(self, state: State, code: Tensor | None) -> State:
        *finer, both, shared = state
        return (*finer, shared, self.refine(both, None, code))


class Join(TwoLayers):
    """The level after the split: (..., layout, deterministic, stochastic) to (..., x)."""

    def forward(self, state: State, code: Tensor | None) -> State:
        *finer, layout, shared, own = state
        return (*finer, self.refine(torch.cat([layout, double(shared)], dim=1), double(own), code))


class Output(Stage):
    """1x1 convolution without activation, of both paths if they are not joined yet: images are unbounded."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, state: State, code: Tensor | None) -> State:
        return (side_by_side(self.layer, *state, code) if len(state) == 2 else self.layer(state[0], code),)


class SplitCRN(Staged):
    """Layers `level1.conv1`, `level1.conv2`, ..., `shared.conv1`, `own.conv1`, ..., `fine.conv1`, ..., `output`.

    Args:
        widths: channels of every level, coarse to fine; each path of the split level has half of that level's.
        std: standard deviation of initial filters, except those of the output; 0: He et al.'s (ICCV 2015).
    """

    def __init__(
        self, randomness: Randomness, shapes: Shapes, config: SplitCRNConfig, widths: list[int], std: float
    ) -> None:
        size, count, place = shapes.size, len(widths), len(widths) - config.split
        stages: dict[str, Stage] = {}
        previous = 0
        for i, width in enumerate(widths):
            halvings = count - 1 - i
            at = (size[0] >> halvings, size[1] >> halvings)

            def pair(name: str, inputs: int, width: int, at: Size = at) -> tuple[nn.Module, nn.Module]:
                return (
                    randomness.layer(f"{name}.conv1", inputs, width, size=at),
                    randomness.layer(f"{name}.conv2", width, width, size=at),
                )

            inputs = previous + shapes.condition_channels
            if i == place:
                stages["shared"] = Shared(*pair("shared", inputs, width - width // 2))
                stages["own"] = Own(*pair("own", inputs, width // 2))
            elif i < place:
                stages[f"level{i + 1}"] = (Level if i else Coarsest)(*pair(f"level{i + 1}", inputs, width))
            else:
                name = "fine" if i == place + 1 else f"fine{i + 1}"
                stages[name] = (Join if i == place + 1 else Level)(*pair(name, inputs, width))
            previous = width
        stages["output"] = Output(randomness.layer("output", previous, shapes.image_channels, kernel_size=1, size=size))
        super().__init__(stages, randomness, 2 ** (count - 1))
        self.levels, self.pyramid = count, config.pyramid
        readers = [layer for layer in self.stages.modules() if isinstance(layer, CodeLayer)]
        splits_behind_shared = list(stages).index("own") <= self.split < len(stages)
        self.shares_rows = splits_behind_shared and all(layer.shares_rows for layer in readers)
        init_leaky(self.stages)
        if std:
            for name, stage in self.stages.items():
                if name != "output":
                    init_normal(stage, std)

    def start(self, condition: Tensor) -> State:
        """The layout at every level, finest first."""
        pyramid = [condition]
        for _ in range(self.levels - 1):
            pyramid.append(F.avg_pool2d(pyramid[-1], 2) * (4 if self.pyramid == "sum" else 1))
        return tuple(pyramid)

    def decode_all(self, features: Features, code: Tensor) -> Tensor:
        """Features are not copied for every code if all layers that read it can share rows."""
        if not self.shares_rows:
            return super().decode_all(features, code)
        return self.decode(features, code.flatten(0, 1)).unflatten(0, (-1, code.shape[1]))


class SplitCRNConfig(GeneratorConfig):
    """Widths as released, fine to coarse: 256 (two paths of 128 where it is split), 256, 512, then 1024; times `scale`.

    The coarsest level is 3 pixels high for images of height 96, and 4 for images of height 128.
    """

    summary: ClassVar[str] = "a cascade without normalisation, split near the output"

    kind: Literal["split_crn"] = "split_crn"
    scale: float = Field(1.0, gt=0, description="multiplies every width")
    widths: tuple[int, ...] | None = Field(None, description="one per level, coarse to fine; instead of `scale`")
    coarsest: int = Field(3, ge=1, description="smallest height of the first level")
    split: int = Field(
        2, ge=1, description="level with two paths: 1 is the finest, 2 is at half the size; not the coarsest"
    )
    pyramid: Pyramid = Field("mean", description="of the layout: 2x2 means, or sums, which count binary landmarks")
    std: float | None = Field(
        None, ge=0, description="of initial filters, 0: He normal; default: 0.002 at released widths, else 0"
    )

    def check_data(self, condition: Given) -> None:
        """Reject single points in a pyramid of means, which fades them out, and anything else in one of sums."""
        super().check_data(condition)
        parts = condition.spelling.split("+")
        if "landmarks" in parts and self.pyramid != "sum":
            raise ConfigError(
                "the conditions are landmarks, single points that a pyramid of means fades out; give --task landmarks, "
                "which sums them, or --condition landmarks:1.5, which makes them blobs"
            )
        if self.pyramid == "sum" and any(part.partition(":")[0] != "landmarks" for part in parts):
            raise ConfigError(
                f"--task landmarks sums points, but the condition here is {with_article(condition.noun)}, whose values "
                "would grow fourfold from level to level; give --task normals, which averages them"
            )

    def build(self, randomness: Randomness, shapes: Shapes) -> SplitCRN:
        size = shapes.size
        widths = list(self.widths) if self.widths else self.published_widths(size[0])
        if min(size) >> (len(widths) - 1) < 1 or any(side % 2 ** (len(widths) - 1) for side in size):
            raise ConfigError(
                f"generator.widths: {len(widths)} levels need height and width divisible by {2 ** (len(widths) - 1)}, "
                f"got {size[0]}x{size[1]}; use fewer levels or another --size"
            )
        if self.split >= len(widths) or widths[-self.split] < 2:
            raise ConfigError(
                f"generator.split: level {self.split} of {len(widths)} cannot be split; choose a level other than the "
                "coarsest with a width of at least 2"
            )
        std = self.std if self.std is not None else 0.0 if self.widths or self.scale != 1 else RELEASED_STD
        return SplitCRN(randomness, shapes, self, widths, std)

    def published_widths(self, height: int) -> list[int]:
        """Widths for an image of this height, coarse to fine."""
        count = 1
        while height % 2 == 0 and height // 2 >= self.coarsest:
            height, count = height // 2, count + 1
        fine_to_coarse = [256, 256, 512, *[1024] * max(0, count - 3)][:count]
        return [max(1, round(width * self.scale)) for width in reversed(fine_to_coarse)]
