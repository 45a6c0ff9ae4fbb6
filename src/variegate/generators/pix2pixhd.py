"""pix2pixHD's local enhancer (Wang et al., CVPR 2018): a global network at half the size, refined at full size.

The global network alone is a `resnet` with 4 halvings and instance normalisation. Its stages keep their names here, so
that the weights of a trained one can be loaded.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from ..core.interfaces import Randomness, Shapes
from ..core.method import GeneratorConfig
from ..networks.blocks import Norm, init_normal
from ..networks.discriminators.patch import halve
from .resnet import Maker
from .staged import Stage, Staged, State


class Swap(Stage):
    """(half-size condition, current) -> (current, half-size condition): the global network reads the latter."""

    def forward(self, state: State, code: Tensor | None) -> State:
        return state[1], state[0]


class Merge(Stage):
    """Sum of the features of both networks."""

    def forward(self, state: State, code: Tensor | None) -> State:
        return (state[0] + state[1],)


class Enhancer(Staged):
    """Layers of the full-size branch are `fine_inner`, `fine_down`, `fine_block1 ..`, `fine_up`, `outer`."""

    def __init__(self, randomness: Randomness, shapes: Shapes, config: EnhancerConfig) -> None:
        (height, across), width, downs = shapes.size, config.width, config.downs
        fine = Maker(randomness, shapes.size, config.norm)
        stages: dict[str, Stage] = {
            "fine_inner": fine.wide("fine_inner", shapes.condition_channels, width),
            "fine_down": fine.down("fine_down", width, 0),
            "swap": Swap(),
        }
        half = Maker(randomness, (height // 2, across // 2), config.norm)
        stages |= half.body(shapes.condition_channels, 2 * width, downs, config.blocks)
        stages["merge"] = Merge()
        for k in range(1, config.fine_blocks + 1):
            stages[f"fine_block{k}"] = fine.block(f"fine_block{k}", 2 * width, 1)
        stages["fine_up"] = fine.up("fine_up", 2 * width, 1)
        stages["outer"] = fine.image("outer", width, shapes.image_channels)
        super().__init__(stages, randomness, 2 ** (downs + 1), smallest=2 ** (downs + 2))
        init_normal(self.stages)

    def start(self, condition: Tensor) -> State:
        return halve(condition), condition


class EnhancerConfig(GeneratorConfig):
    summary: ClassVar[str] = "pix2pixHD's global network and its local enhancer"

    kind: Literal["enhancer"] = "enhancer"
    width: int = Field(32, ge=1, description="of the full-size branch; the global network has twice this width")
    downs: int = Field(4, ge=1)
    blocks: int = Field(9, ge=1)
    fine_blocks: int = Field(3, ge=1)
    norm: Norm = "instance"

    def build(self, randomness: Randomness, shapes: Shapes) -> Enhancer:
        return Enhancer(randomness, shapes, self)
