"""No randomness: one condition, one image. The deterministic baseline."""

from __future__ import annotations

from typing import ClassVar, Literal, Unpack

from ..core.interfaces import Conv, Shapes
from ..core.method import RandomnessConfig
from .sites import AtSites, CodeLayer


class NoRandomness(AtSites):
    def __init__(self) -> None:
        super().__init__(())

    def code_layer(self, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> CodeLayer:
        raise AssertionError("a randomness without sites has no code layer")


class NoRandomnessConfig(RandomnessConfig):
    has_code: ClassVar[bool] = False
    summary: ClassVar[str] = "there is none: one image of a condition, unless the network draws by itself"

    kind: Literal["none"] = "none"

    def build(self, shapes: Shapes) -> NoRandomness:
        return NoRandomness()
