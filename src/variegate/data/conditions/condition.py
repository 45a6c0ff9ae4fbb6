"""The interface of all kinds of conditions: reading one, encoding a batch, showing one.

Raw conditions are integers (c, H, W), mostly uint8 (normals: int16), until they are on the device; `encode` converts a
batch of them to the network input (B, K, H, W). A condition is saved with the model, so that sampling reads a layout
exactly as training did.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BeforeValidator, SerializeAsAny, ValidationError
from torch import Tensor

from ...core.config import Registered
from ...core.errors import ConfigError, DataError
from ...core.interfaces import Size
from ..files import images
from ..files.landmarks import Points
from ..files.sources import Source, drawable, named
from .metadata import Metadata

C = TypeVar("C", bound="Condition")


class PairParts(Protocol):
    """What one pair of a data set can provide for a condition."""

    def labels(self, instances: bool) -> Source:
        """Its label map; with `instances`, the pair (label map, instance map) if there is an instance map."""

    def landmarks(self) -> tuple[Points, Size]:
        """x, y (P, 2) in pixels, and (H, W) of the image that they refer to."""

    def normals(self) -> NDArray[Any]:
        """Unit vectors (H, W, 3)."""

    def metadata(self) -> Metadata:
        """What is known about the image besides its pixels."""

    def other(self) -> Source:
        """The image that is its condition."""

    def original(self, size: Size) -> Tensor:
        """The image from which a condition is derived, uint8 (3, H, W)."""

    @property
    def name(self) -> str:
        """Its name in error messages."""


class Condition(Registered, ABC):
    """Base of all kinds of conditions. Raw: integers (c, H, W), uint8 except for normals.

    Attributes:
        suffixes: suffixes of the files it is read from; none for conditions given as text, which may name a file.
        constant: whether it is the same at every pixel.
        discrete: whether it selects one of several classes, for the whole image or per pixel.
        channels: K of encoded conditions.
    """

    group: ClassVar[str] = "condition"
    kinds: ClassVar[dict[str, type[Any]]] = {}
    older: ClassVar[dict[str, str]] = {"picture": "image", "several": "composite"}
    suffixes: ClassVar[frozenset[str]] = images.SUFFIXES
    constant: ClassVar[bool] = False
    discrete: ClassVar[bool] = False

    if TYPE_CHECKING:  # a field in some kinds, computed in others

        @property
        def channels(self) -> int: ...

    @property
    @abstractmethod
    def noun(self) -> str:
        """What a user would call one condition."""

    @abstractmethod
    def describe(self) -> str:
        """Describe it, for `variegate data check`."""

    @property
    def spelling(self) -> str:
        """Its spelling in `--condition`, such as superres:4 or class+edges; for one that the data contain, its kind."""
        return self.kind

    @property
    def from_metadata(self) -> bool:
        """Whether it is made from metadata alone, without reading any image."""
        return False

    @property
    def planes(self) -> int:
        """c of raw conditions."""
        return self.channels

    @property
    def dtype(self) -> torch.dtype:
        """The type of raw conditions."""
        return torch.uint8

    def part(self, kind: type[C]) -> C | None:
        """The condition itself if it is a `kind`, or its first part that is, or None."""
        return self if isinstance(self, kind) else None

    def piece(self, kind: type[Condition], raw: Tensor) -> Tensor | None:
        """The planes of raw (c, H, W) that belong to `part(kind)`; None if there is no such part."""
        return raw if isinstance(self, kind) else None

    def class_of(self, raw: Tensor) -> str | None:
        """Name of the class that a raw condition (c, H, W) specifies for the whole image; None if it specifies none."""
        return None

    def of_pair(self, pair: PairParts, size: Size) -> Tensor:
        """The raw condition (c, H, W) of a pair of a data set, at `size`.

        For a derived condition, or one with a derived part: the image (3, H, W) that it is derived from.
        """
        return self.read(pair.other(), size)

    def read(self, source: Source, size: Size | None = None) -> Tensor:
        """Raw (c, H, W) from a path, PIL image, array (H, W[, c]) or tensor ([c, ]H, W); resized to `size`.

        Arrays and tensors hold integers 0..255 or floats in [0, 1]. The result can be read again.

        Raises:
            DataError: the source cannot be read, or is not valid for this condition.
        """
        where = named(source, self.noun)
        pixels = self.pixels(source, where)
        if 0 in pixels.shape:
            raise DataError(f"{where}: has no pixels (shape {pixels.shape})")
        return self.tensor(pixels, size, where)

    def tensor(self, pixels: NDArray[Any], size: Size | None = None, where: str = "the image") -> Tensor:
        """Convert valid pixels (H, W[, c]) to raw (c, H, W), resized to `size` if given."""
        height, width = pixels.shape[:2]
        pixels = self.resize(pixels, drawable(size or (height, width)), where)
        planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        return torch.from_numpy(np.ascontiguousarray(planes))

    @abstractmethod
    def pixels(self, source: Source, where: str) -> NDArray[Any]:
        """Read and check values (H, W) or (H, W, c) at the source's own size, uint8 except for normals."""

    @abstractmethod
    def resize(self, pixels: NDArray[Any], size: Size, where: str = "the image") -> NDArray[Any]:
        """Resize valid pixels to exactly `size`; `where` names their source in errors."""

    @abstractmethod
    def encode(self, raw: Tensor) -> Tensor:
        """Convert raw (B, c, H, W) on any device to float (B, K, H, W) on the same device."""

    @abstractmethod
    def to_image(self, raw: Tensor) -> Tensor:
        """Convert raw (c, H, W) to RGB uint8 (3, H, W), for display."""

    def hole(self, raw: Tensor) -> Tensor | None:
        """Where raw (B, c, H, W) leaves a hole to fill, bool (B, 1, H, W); None if all of the image is to be drawn."""
        return None

    def check_mirroring(self) -> None:
        """Raise ConfigError if mirroring would break the match of image and condition."""

    def mirror(self, raw: Tensor) -> Tensor:
        """Raw (c, H, W) with left and right swapped."""
        return raw.flip(-1)


AnyCondition = Annotated[SerializeAsAny[Condition], BeforeValidator(Condition.of)]


def condition_from_mapping(values: Mapping[str, Any]) -> Condition:
    """A condition from a model's config.json.

    Raises:
        DataError: a field is missing, unknown or inconsistent.
    """
    try:
        condition: Condition = Condition.of(dict(values))
    except ConfigError as error:
        raise DataError(str(error)) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, (values["kind"], *first["loc"])))
        raise DataError(f"{place}: {first['msg'].lower()}") from None
    return condition
