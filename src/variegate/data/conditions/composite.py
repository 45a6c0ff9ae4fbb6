"""Several conditions at once, such as a class and an edge map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from ...core.errors import DataError, with_article
from ...core.interfaces import Size
from ..files.sources import OneSource, Source, named
from .condition import AnyCondition, C, Condition, PairParts
from .image import ImageCondition
from .labels import Labels
from .landmarks import Landmarks
from .normals import Normals


class CompositeCondition(Condition):
    """Concatenated conditions. Raw: float32, the planes of the parts in order; encoded: their channels in order."""

    suffixes: ClassVar[frozenset[str]] = frozenset()

    kind: Literal["composite"] = "composite"
    parts: tuple[AnyCondition, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _fit(self) -> CompositeCondition:
        points = [part for part in self.parts if isinstance(part, Landmarks)]
        maps = [part for part in self.parts if not part.constant and part not in points]
        alone = len(maps) < 2 or sorted(type(part).__name__ for part in maps) == ["Labels", "Normals"]
        if (
            len(points) > 1
            or not alone
            or not all(isinstance(part, ImageCondition | Labels | Normals) for part in maps)
        ):
            raise ValueError(
                "at most one of several conditions can be an image, or one a label map and one normals, and one "
                "landmarks; the others must be classes or vectors"
            )
        return self

    @property
    def channels(self) -> int:
        """K of encoded conditions."""
        return sum(part.channels for part in self.parts)

    @property
    def noun(self) -> str:
        return " and ".join(part.noun for part in self.parts)

    @property
    def planes(self) -> int:
        return sum(part.planes for part in self.parts)

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    @property
    def spelling(self) -> str:
        return "+".join(part.spelling for part in self.parts)

    @property
    def from_metadata(self) -> bool:
        return all(part.from_metadata for part in self.parts)

    def describe(self) -> str:
        return " and ".join(part.describe() for part in self.parts)

    def part(self, kind: type[C]) -> C | None:
        return next((part for part in self.parts if isinstance(part, kind)), None)

    def piece(self, kind: type[Condition], raw: Tensor) -> Tensor | None:
        return next((piece for part, piece in zip(self.parts, self.split(raw)) if isinstance(part, kind)), None)

    def class_of(self, raw: Tensor) -> str | None:
        told = (part.class_of(piece) for part, piece in zip(self.parts, self.split(raw)))
        return next((name for name in told if name is not None), None)

    def of_pair(self, pair: PairParts, size: Size) -> Tensor:
        if self.part(ImageCondition) is not None:
            return pair.original(size)
        return self.join([part.of_pair(pair, size) for part in self.parts])

    def with_image(self, image: Tensor, pair: PairParts) -> Tensor:
        """The raw condition (c, H, W) of a pair, given its derived part `image`."""
        size = (image.shape[1], image.shape[2])
        return self.join(
            [image if isinstance(part, ImageCondition) else part.of_pair(pair, size) for part in self.parts]
        )

    def read(self, source: Source, size: Size | None = None) -> Tensor:
        """Raw (c, H, W) at `size`, by default the size of its image.

        Args:
            source: one source for each part, in order; or text such as cat+drawing.png; or raw planes.

        Raises:
            DataError: the source does not fit the parts, or one of them cannot be read.
        """
        where = named(source, self.noun)
        given: Sequence[OneSource] = ()
        if isinstance(source, Tensor) and source.ndim == 3 and len(source) == self.planes:
            given = self.split(source)
        elif isinstance(source, str | Path):
            given = str(source).split("+", len(self.parts) - 1)
        elif isinstance(source, tuple):
            given = source
        if len(given) != len(self.parts):
            raise DataError(
                f"{where}: expected {len(self.parts)} conditions, {with_article(self.noun)}; give "
                f"{'+'.join(part.noun.upper() for part in self.parts)} as text, or a tuple of them"
            )
        read: dict[int, Tensor] = {}
        for i in sorted(range(len(given)), key=lambda i: self.parts[i].constant):
            read[i] = self.parts[i].read(given[i], size)
            size = size or (read[i].shape[1], read[i].shape[2])
        return self.join([read[i] for i in range(len(given))])

    def join(self, raws: Sequence[Tensor]) -> Tensor:
        """Concatenate the raw conditions of the parts, (c_i, H, W) each."""
        return torch.cat([raw.float() for raw in raws])

    def split(self, raw: Tensor) -> list[Tensor]:
        """Split raw (..., c, H, W) into the raw conditions of the parts, each in its own type."""
        pieces = raw.split([part.planes for part in self.parts], dim=-3)
        return [piece.to(part.dtype) for part, piece in zip(self.parts, pieces)]

    def pixels(self, source: Source, where: str) -> NDArray[Any]:
        return self.read(source).permute(1, 2, 0).numpy()

    def resize(self, pixels: NDArray[Any], size: Size, where: str = "the conditions") -> NDArray[Any]:
        return self.read(torch.from_numpy(pixels).permute(2, 0, 1), size).permute(1, 2, 0).numpy()

    def encode(self, raw: Tensor) -> Tensor:
        pieces = zip(self.parts, self.split(raw))
        return torch.cat([part.encode(piece) for part, piece in pieces], dim=1)

    def hole(self, raw: Tensor) -> Tensor | None:
        found = (part.hole(piece) for part, piece in zip(self.parts, self.split(raw)))
        return next((hole for hole in found if hole is not None), None)

    def to_image(self, raw: Tensor) -> Tensor:
        """The parts stacked vertically, each shrunk to its share of the height."""
        height, width = raw.shape[1:]
        shown = [part.to_image(piece) for part, piece in zip(self.parts, self.split(raw))]
        ends = np.linspace(0, height, len(shown) + 1).round().astype(int)
        bands = [shrink(tile, int(end - start)) for tile, start, end in zip(shown, ends, ends[1:])]
        page = torch.full((3, height, width), 255, dtype=torch.uint8)
        for band, start in zip(bands, ends):
            left = (width - band.shape[2]) // 2
            page[:, start : start + band.shape[1], left : left + band.shape[2]] = band
        return page

    def check_mirroring(self) -> None:
        for part in self.parts:
            part.check_mirroring()

    def mirror(self, raw: Tensor) -> Tensor:
        return self.join([part.mirror(piece) for part, piece in zip(self.parts, self.split(raw))])


def shrink(tile: Tensor, height: int) -> Tensor:
    """Resize uint8 (3, H, W) to another height, keeping the aspect ratio."""
    if height < 1:
        return tile[:, :0]
    size = (height, max(1, tile.shape[2] * height // tile.shape[1]))
    smaller = torch.nn.functional.interpolate(tile[None].float(), size, mode="bilinear", antialias=True)[0]
    return smaller.round().clamp(0, 255).to(torch.uint8)
