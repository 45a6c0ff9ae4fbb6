"""A picture as a condition, given or derived from the image."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from ...core.errors import DataError
from ...core.interfaces import Size
from ..derived import blocks, holes
from ..derived.derived import cuts_hole
from ..files import images as pictures
from ..files.sources import Source
from .base import BaseCondition


class Picture(BaseCondition):
    """A picture. Raw: uint8 (1, 3 or 4, H, W); encoded: [-1, 1].

    Four channels are a picture with a hole to fill: RGB, white inside the hole, and the mask, raw 255 and encoded 1
    inside the hole, 0 and -1 outside.
    """

    kind: Literal["picture"] = "picture"
    channels: Literal[1, 3, 4] = 3
    derived: str | None = Field(default=None, description="how training made it from the image: superres:4, ...")

    @model_validator(mode="after")
    def _consistent(self) -> Picture:
        if cuts_hole(self.derived) and self.channels != 4:
            raise ValueError(f"{self.derived} has 4 channels, RGB and the mask of the hole, not {self.channels}")
        return self

    @property
    def noun(self) -> str:
        return "picture"

    def pixels(self, source: Source, where: str) -> pictures.Pixels:
        """See `holes.read` for the ways to say where the hole is."""
        if self.channels == 4:
            return holes.read(source, where)
        if isinstance(source, tuple):
            raise DataError(f"{where}: is a pair, but this model fills no holes; give one picture without a mask")
        return holes.read_plain(source, self.channels, where)

    def resize(self, pixels: pictures.Pixels, size: Size, where: str = "the picture") -> pictures.Pixels:
        """At exactly `size`, (H, W); for superres:K as K x K blocks, each a pixel of the low-resolution picture.

        A picture of (H / K, W / K) is that low-resolution picture, kept exactly; any other is resized to it, unless
        it has the full size and is made of such blocks already. A picture read at its own size (`--size native`) is
        taken to have the full size: to enlarge a small one, ask for K times its size.

        Raises:
            DataError: K does not divide the sides of `size`.
        """
        if pixels.ndim == 3 and pixels.shape[2] == 4:
            return holes.resize(pixels, size)
        factor = blocks.factor_of(self.derived)
        if factor is not None:
            return blocks.fitted(pixels, size, factor, where)
        return pictures.resize(pixels, size, nearest=False)

    def encode(self, raw: Tensor) -> Tensor:
        return raw.float() / 127.5 - 1

    def picture(self, raw: Tensor) -> Tensor:
        """Grey as RGB, a hole in mid grey."""
        if self.channels == 4:
            return torch.where(raw[3:] > 127, torch.full_like(raw[:3], 128), raw[:3])
        return raw.expand(3, -1, -1).contiguous()
