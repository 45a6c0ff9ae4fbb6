"""Several conditions at once, such as a class and a drawing of edges."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from ...core.errors import DataError
from ...core.interfaces import Size
from ..files.sources import OneSource, Source, named
from .base import BaseCondition
from .class_label import SMALL, ClassName
from .constant import Constant
from .image import Picture
from .vector import Vector

Part = Annotated[ClassName | Vector | Picture, Field(discriminator="kind")]


class Several(BaseCondition):
    """Conditions side by side. Raw: float32, the planes of the parts in their order; encoded: their channels."""

    suffixes: ClassVar[frozenset[str]] = frozenset()

    kind: Literal["several"] = "several"
    parts: tuple[Part, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _one_picture(self) -> Several:
        if sum(isinstance(part, Picture) for part in self.parts) > 1:
            raise ValueError("only one of several conditions can be a picture")
        return self

    @property
    def channels(self) -> int:
        """K of encoded conditions."""
        return sum(part.channels for part in self.parts)

    @property
    def noun(self) -> str:
        return " and ".join(part.noun for part in self.parts)

    def read(self, source: Source, size: Size | None = None) -> Tensor:
        """Raw (c, H, W) at `size`, or at that of its picture unless given.

        Args:
            source: one for each part, in their order; or text such as cat+drawing.png; or such planes themselves.

        Raises:
            DataError: what is wrong, and what would be right.
        """
        where = named(source, self.noun)
        given: Sequence[OneSource] = ()
        if isinstance(source, Tensor) and source.ndim == 3 and len(source) == sum(map(planes, self.parts)):
            given = self.taken_apart(source)
        elif isinstance(source, str | Path):
            given = str(source).split("+", len(self.parts) - 1)
        elif isinstance(source, tuple):
            given = source
        if len(given) != len(self.parts):
            raise DataError(
                f"{where}: right would be {len(self.parts)} conditions, a {self.noun}: "
                f"{'+'.join(part.noun.upper() for part in self.parts)} as text, or a tuple of them"
            )
        read: dict[int, Tensor] = {}
        for i in sorted(range(len(given)), key=lambda i: isinstance(self.parts[i], Constant)):
            read[i] = self.parts[i].read(given[i], size)
            size = size or (read[i].shape[1], read[i].shape[2])
        return self.joined([read[i] for i in range(len(given))])

    def joined(self, raws: Sequence[Tensor]) -> Tensor:
        """The raw conditions of the parts, (c_i, H, W) each, as one."""
        return torch.cat([raw.float() for raw in raws])

    def taken_apart(self, raw: Tensor) -> list[Tensor]:
        """Raw (..., c, H, W) into the raw conditions of the parts, each in its own type."""
        pieces = raw.split([planes(part) for part in self.parts], dim=-3)
        return [piece.to(kind_of(part)) for part, piece in zip(self.parts, pieces)]

    def pixels(self, source: Source, where: str) -> NDArray[Any]:
        return self.read(source).permute(1, 2, 0).numpy()

    def resize(self, pixels: NDArray[Any], size: Size, where: str = "the conditions") -> NDArray[Any]:
        return self.read(torch.from_numpy(pixels).permute(2, 0, 1), size).permute(1, 2, 0).numpy()

    def encode(self, raw: Tensor) -> Tensor:
        pieces = zip(self.parts, self.taken_apart(raw))
        return torch.cat([part.encode(piece) for part, piece in pieces], dim=1)

    def picture(self, raw: Tensor) -> Tensor:
        """The parts above each other, each reduced to its share of the height."""
        height, width = raw.shape[1:]
        shown = [part.picture(piece) for part, piece in zip(self.parts, self.taken_apart(raw))]
        ends = np.linspace(0, height, len(shown) + 1).round().astype(int)
        bands = [reduced(tile, int(end - start)) for tile, start, end in zip(shown, ends, ends[1:])]
        page = torch.full((3, height, width), 255, dtype=torch.uint8)
        for band, start in zip(bands, ends):
            left = (width - band.shape[2]) // 2
            page[:, start : start + band.shape[1], left : left + band.shape[2]] = band
        return page

    def mirrored(self, raw: Tensor) -> Tensor:
        return self.joined([part.mirrored(piece) for part, piece in zip(self.parts, self.taken_apart(raw))])


def reduced(tile: Tensor, height: int) -> Tensor:
    """uint8 (3, H, W) at another height, in the same shape."""
    if height < 1:
        return tile[:, :0]
    size = (height, max(1, tile.shape[2] * height // tile.shape[1]))
    smaller = torch.nn.functional.interpolate(tile[None].float(), size, mode="bilinear", antialias=True)[0]
    return smaller.round().clamp(0, 255).to(torch.uint8)


def planes(part: BaseCondition) -> int:
    """c of raw conditions."""
    if isinstance(part, ClassName):
        return 1
    assert isinstance(part, Vector | Picture)
    return part.channels


def kind_of(part: BaseCondition) -> torch.dtype:
    """The type of raw conditions."""
    if isinstance(part, Vector):
        return torch.float32
    return torch.int16 if isinstance(part, ClassName) and part.channels > SMALL else torch.uint8
