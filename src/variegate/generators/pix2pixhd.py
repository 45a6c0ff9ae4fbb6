"""pix2pixHD's local enhancer (Wang et al., CVPR 2018): a global network at half the size, refined at full size.

The global network alone is a `resnet` with 4 halvings and instance normalisation. Its stages keep their names here, so
that a trained one can be taken over.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from ..core.interfaces import Part, Randomness, Size
from ..networks.blocks import Norm, init_normal
from ..networks.discriminators.patch import halve
from .resnet import Maker
from .staged import Stage, Staged, State


class Swap(Stage):
    """(half-size condition, current) -> (current, half-size condition): the global network goes on with the latter."""

    def forward(self, state: State, code: Tensor | None) -> State:
        return state[1], state[0]


class Merge(Stage):
    """Sum of what both networks found."""

    def forward(self, state: State, code: Tensor | None) -> State:
        return (state[0] + state[1],)


class Enhancer(Staged):
    """Layers of the full-size branch are `fine_inner`, `fine_down`, `fine_block1 ..`, `fine_up`, `outer`."""

    def __init__(
        self,
        randomness: Randomness,
        condition_channels: int,
        image_channels: int,
        size: Size,
        width: int,
        downs: int,
        blocks: int,
        fine_blocks: int,
        norm: Norm,
    ) -> None:
        fine = Maker(randomness, size, norm)
        stages: dict[str, Stage] = {
            "fine_inner": fine.wide("fine_inner", condition_channels, width),
            "fine_down": fine.down("fine_down", width, 0),
            "swap": Swap(),
        }
        half = Maker(randomness, (size[0] // 2, size[1] // 2), norm)
        stages |= half.body(condition_channels, 2 * width, downs, blocks)
        stages["merge"] = Merge()
        for k in range(1, fine_blocks + 1):
            stages[f"fine_block{k}"] = fine.block(f"fine_block{k}", 2 * width, 1)
        stages["fine_up"] = fine.up("fine_up", 2 * width, 1)
        stages["outer"] = fine.image("outer", width, image_channels)
        super().__init__(stages, randomness, 2 ** (downs + 1), smallest=2 ** (downs + 2))
        init_normal(self.stages)

    def start(self, condition: Tensor) -> State:
        return halve(condition), condition


class EnhancerConfig(Part):
    kind: Literal["enhancer"] = "enhancer"
    width: int = Field(32, ge=1, description="of the full-size branch; the global network has twice as many")
    downs: int = Field(4, ge=1)
    blocks: int = Field(9, ge=1)
    fine_blocks: int = Field(3, ge=1)
    norm: Norm = "instance"

    def build(self, randomness: Randomness, condition_channels: int, image_channels: int, size: Size) -> Enhancer:
        numbers = (self.width, self.downs, self.blocks, self.fine_blocks)
        return Enhancer(randomness, condition_channels, image_channels, size, *numbers, self.norm)
