"""What all kinds of conditions have in common: reading one, encoding a batch, showing one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.config import Config
from ...core.errors import DataError
from ...core.interfaces import Size
from ..files import images as pictures
from ..files.sources import Source, drawable, named


class BaseCondition(Config, ABC):
    """What every kind of condition can do. Raw: integers (c, H, W), uint8 but for normals.

    Attributes:
        suffixes: of the files it is read from; none for what is told in words, perhaps with a file among them.
    """

    suffixes: ClassVar[frozenset[str]] = pictures.SUFFIXES

    def read(self, source: Source, size: Size | None = None) -> Tensor:
        """Raw (c, H, W) from a path, PIL image, array (H, W[, c]) or tensor ([c, ]H, W); resized to `size`.

        Arrays and tensors hold integers 0..255 or floats in [0, 1]. What this returns can be read again.

        Raises:
            DataError: what is wrong, with which file, and what would be right.
        """
        where = named(source, self.noun)
        pixels = self.pixels(source, where)
        if 0 in pixels.shape:
            raise DataError(f"{where}: has no pixels, its shape is {pixels.shape}")
        return self.tensor(pixels, size, where)

    def tensor(self, pixels: NDArray[Any], size: Size | None = None, where: str = "the picture") -> Tensor:
        """Valid pixels (H, W[, c]) as raw (c, H, W), resized to `size`, or for their own size unless given."""
        height, width = pixels.shape[:2]
        pixels = self.resize(pixels, drawable(size or (height, width)), where)
        planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        return torch.from_numpy(np.ascontiguousarray(planes))

    @property
    @abstractmethod
    def noun(self) -> str:
        """What the user would call one condition."""

    @abstractmethod
    def pixels(self, source: Source, where: str) -> NDArray[Any]:
        """Checked values (H, W) or (H, W, c) at the source's own size, uint8 but for normals."""

    @abstractmethod
    def resize(self, pixels: NDArray[Any], size: Size, where: str = "the picture") -> NDArray[Any]:
        """Valid pixels at exactly `size`; `where` they come from, for errors."""

    @abstractmethod
    def encode(self, raw: Tensor) -> Tensor:
        """Raw (B, c, H, W) on any device to float (B, K, H, W) on the same."""

    @abstractmethod
    def picture(self, raw: Tensor) -> Tensor:
        """Raw (c, H, W) to RGB uint8 (3, H, W), for display."""

    def mirrored(self, raw: Tensor) -> Tensor:
        """Raw (c, H, W) with left and right swapped."""
        return raw.flip(-1)
