"""A vector as a condition, such as the embedding of a face (van den Oord et al., NIPS 2016, section 3.3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field
from torch import Tensor

from ...core.errors import DataError
from ...core.interfaces import Size
from ..files.blobs import Blob
from ..files.sources import Source, numbers
from ..files.vectors import read_vectors
from .constant import Constant
from .metadata import Metadata


class Vector(Constant):
    """A vector of D values. Raw: float32 (D, H, W), a view of D values; encoded: the same."""

    kind: Literal["vector"] = "vector"
    length: int = Field(ge=1, description="D")
    file: str | None = Field(None, description="the vector file used for training")

    @property
    def channels(self) -> int:
        """K of encoded conditions."""
        return self.length

    @property
    def noun(self) -> str:
        return "vector"

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    @property
    def spelling(self) -> str:
        return f"vectors:{self.file}"

    def describe(self) -> str:
        return f"vectors of {self.length} values in {self.file}"

    def of_metadata(self, metadata: Metadata, size: Size) -> Tensor:
        assert metadata.vector is not None
        return self.read(metadata.vector, size)

    def values(self, source: Source, where: str) -> NDArray[np.float32]:
        """Read float32 (D,) from an array, or from FILE:ROW or FILE:NAME, with or without the prefix `vector:`.

        Without a row, the file must contain exactly one vector.
        """
        if str(source).startswith("class:"):
            raise DataError(f"{where}: is a class, but this model takes vectors; give one as vector:FILE:ROW")
        if isinstance(source, str | Path):
            return self._checked(self._from_file(str(source).removeprefix("vector:")), where)
        if isinstance(source, tuple | Blob | Image.Image | int):
            raise DataError(f"{where}: expected {self.length} values, or a vector file and a row in it")
        return self._checked(numbers(source), where)

    def _from_file(self, text: str) -> NDArray[Any]:
        ends = [i for i, letter in enumerate(text) if letter == ":" and Path(text[:i]).is_file()]
        end = len(text) if Path(text).is_file() or ":" not in text else ends[0] if ends else text.rindex(":")
        file, row = text[:end], text[end + 1 :]
        found = read_vectors(Path(file))
        if row or len(found.rows) > 1:
            return found.rows[found.number(row)]
        return found.rows[0]

    def _checked(self, values: NDArray[Any], where: str) -> NDArray[np.float32]:
        values = np.asarray(values)
        values = values[0] if values.ndim == 2 and len(values) == 1 else values
        if values.dtype.kind not in "buif":
            raise DataError(f"{where}: expected {self.length} numbers, got values of type {values.dtype}")
        if values.shape != (self.length,):
            raise DataError(f"{where}: expected shape ({self.length},), got {tuple(values.shape)}")
        with np.errstate(over="ignore"):
            single = values.astype(np.float32)
        if not np.isfinite(single).all():
            raise DataError(f"{where}: expected {self.length} values that are finite in float32, got NaN or infinity")
        return single

    def encode_values(self, values: Tensor) -> Tensor:
        return values.float()

    def to_image(self, raw: Tensor) -> Tensor:
        """The values as grey stripes from left to right; the smallest is black, the largest white."""
        height, width = raw.shape[1:]
        values = raw[:, 0, 0].float()
        low, high = values.min(), values.max()
        shades = ((values - low) / (high - low).clamp(min=1e-12) * 255).round().to(torch.uint8)
        columns = torch.arange(width, device=raw.device) * self.length // width
        return shades[columns].expand(3, height, -1).contiguous()
