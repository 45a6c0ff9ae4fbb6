"""Conditions that are the same at every pixel: none, a class, a vector."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from ...core.errors import DataError, with_article
from ...core.interfaces import Size
from ..files.sources import Source, drawable, named
from .condition import Condition, PairParts
from .metadata import Metadata

TILE = 8  # minimum size of stripes and tiles, so that they are visible


class Constant(Condition):
    """c values for the whole image.

    Raw and encoded planes are views of (c, 1, 1) and (B, K, 1, 1) with strides of 0, which take no memory; the strides
    tell a network that they are constant.
    """

    suffixes: ClassVar[frozenset[str]] = frozenset()
    constant: ClassVar[bool] = True

    frame: tuple[int, int] | None = Field(None, description="default H, W of the image to sample")

    def read(self, source: Source, size: Size | None = None) -> Tensor:
        """Raw (c, H, W) at `size`, by default that of the source planes or `frame`.

        Args:
            source: what `values` takes, or raw planes.

        Raises:
            DataError: the source is not valid for this condition, or there is no size.
        """
        where = named(source, self.noun)
        if isinstance(source, Tensor) and source.ndim == 3:
            if source.numel() and not torch.equal(source, source[:, :1, :1].expand_as(source)):
                raise DataError(f"{where}: varies between pixels; expected the same values at every pixel")
            return self.spread(self.values(source[:, 0, 0], where), size or (source.shape[1], source.shape[2]))
        return self.spread(self.values(source, where), size)

    @property
    def from_metadata(self) -> bool:
        return True

    def of_pair(self, pair: PairParts, size: Size) -> Tensor:
        return self.of_metadata(pair.metadata(), size)

    @abstractmethod
    def of_metadata(self, metadata: Metadata, size: Size) -> Tensor:
        """Raw planes (c, H, W) from an image's metadata."""

    def spread(self, values: NDArray[Any], size: Size | None = None) -> Tensor:
        """Expand checked values (c,) to raw (c, H, W), a view."""
        place = size or self.frame
        if place is None:
            raise DataError(
                f"{with_article(self.noun)} has no height and width of its own; give the size of the image to sample"
            )
        return torch.from_numpy(np.array(values)).view(-1, 1, 1).expand(-1, *drawable(place))

    @abstractmethod
    def values(self, source: Source, where: str) -> NDArray[Any]:
        """Read and check values (c,), in the type of raw conditions."""

    @abstractmethod
    def encode_values(self, values: Tensor) -> Tensor:
        """Convert raw values (B, c) to float (B, K)."""

    def pixels(self, source: Source, where: str) -> NDArray[Any]:
        return self.values(source, where)[None, None]

    def resize(self, pixels: NDArray[Any], size: Size, where: str = "the condition") -> NDArray[Any]:
        return np.broadcast_to(pixels[:1, :1], (*size, pixels.shape[2]))

    def encode(self, raw: Tensor) -> Tensor:
        return self.encode_values(raw[:, :, 0, 0])[..., None, None].expand(-1, -1, *raw.shape[2:])

    def mirror(self, raw: Tensor) -> Tensor:
        return raw


class Unconditional(Constant):
    """No condition at all, for a model of images alone. Raw: uint8 (0, H, W); encoded: (B, 0, H, W)."""

    kind: Literal["none"] = "none"

    @property
    def channels(self) -> int:
        """K of encoded conditions."""
        return 0

    @property
    def noun(self) -> str:
        return "condition none"

    def describe(self) -> str:
        return "none: a model of images alone"

    def of_metadata(self, metadata: Metadata, size: Size) -> Tensor:
        return self.read("none", size)

    def values(self, source: Source, where: str) -> NDArray[np.uint8]:
        empty = source.numel() == 0 if isinstance(source, Tensor) else str(source) == "none"
        if not empty:
            raise DataError(f"{where}: this model is unconditional; give none as the condition")
        return np.zeros(0, np.uint8)

    def encode_values(self, values: Tensor) -> Tensor:
        return values.float()

    def to_image(self, raw: Tensor) -> Tensor:
        """Mid grey."""
        return torch.full((3, *raw.shape[1:]), 128, dtype=torch.uint8)
