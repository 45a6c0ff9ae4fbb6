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
        raise AssertionError("no randomness, no code layer")


class NoRandomnessConfig(RandomnessConfig):
    has_code: ClassVar[bool] = False
    summary: ClassVar[str] = "no code: one image per condition, unless the network samples by itself"

    kind: Literal["none"] = "none"

    def build(self, shapes: Shapes) -> NoRandomness:
        return NoRandomness()
