"""No randomness: one condition, one image. The deterministic baseline."""

from __future__ import annotations

from typing import Literal, Unpack

from ..core.interfaces import Conv, Part, Size
from .sites import AtSites, CodeLayer


class NoRandomness(AtSites):
    def __init__(self) -> None:
        super().__init__(())

    def code_layer(self, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> CodeLayer:
        raise AssertionError("a randomness without sites has no code layer")


class NoRandomnessConfig(Part):
    kind: Literal["none"] = "none"

    def build(self, condition_channels: int, size: Size) -> NoRandomness:
        return NoRandomness()
