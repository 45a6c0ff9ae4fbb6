"""What all kinds of conditions have in common: reading one, encoding a batch, showing one.

Raw conditions are integers (c, H, W), uint8 but for normals, and stay so until they are on the device; `encode` turns a
batch of them into what the network sees, (B, K, H, W). A condition is saved with the model, so that sampling reads a
layout exactly as training did.
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
    """What one pair of a data set can give a condition."""

    def labels(self, instances: bool) -> Source:
        """Its label map; with `instances` the pair of it and its instance map, where there is one."""

    def landmarks(self) -> tuple[Points, Size]:
        """x, y (P, 2), and H, W of the image that they are pixels of."""

    def normals(self) -> NDArray[Any]:
        """Unit vectors (H, W, 3)."""

    def metadata(self) -> Metadata:
        """What is known of the image beside its pixels."""

    def other(self) -> Source:
        """The image that is its condition."""

    def original(self, size: Size) -> Tensor:
        """The image from which a condition is made, uint8 (3, H, W)."""

    @property
    def name(self) -> str:
        """What to call it in an error."""


class Condition(Registered, ABC):
    """What every kind of condition can do. Raw: integers (c, H, W), uint8 but for normals.

    Attributes:
        suffixes: of the files it is read from; none for what is told in words, perhaps with a file among them.
        constant: it is the same at every pixel.
        discrete: it says which of several classes, for the image or for every pixel.
        channels: K of encoded conditions.
    """

    group: ClassVar[str] = "condition"
    kinds: ClassVar[dict[str, type[Any]]] = {}
    older: ClassVar[dict[str, str]] = {"picture": "image", "several": "composite"}
    suffixes: ClassVar[frozenset[str]] = images.SUFFIXES
    constant: ClassVar[bool] = False
    discrete: ClassVar[bool] = False

    if TYPE_CHECKING:  # a setting of some kinds, computed by others

        @property
        def channels(self) -> int: ...

    @property
    @abstractmethod
    def noun(self) -> str:
        """What the user would call one condition."""

    @abstractmethod
    def describe(self) -> str:
        """What it is, in the words of `variegate data check`."""

    @property
    def spelling(self) -> str:
        """What `--condition` says for it, such as superres:4 or class+edges; the kind of one that data have."""
        return self.kind

    @property
    def from_metadata(self) -> bool:
        """Whether metadata alone make it, without a look at any image."""
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
        """The condition itself if it is of a kind, or its first part that is."""
        return self if isinstance(self, kind) else None

    def class_of(self, raw: Tensor) -> str | None:
        """Name of the class that a raw condition (c, H, W) says for the whole image; None where it says none."""
        return None

    def of_pair(self, pair: PairParts, size: Size) -> Tensor:
        """The raw condition (c, H, W) of a pair of a data set, at `size`.

        Of one that is, or has a part, derived: the image (3, H, W) that it is derived from.
        """
        return self.read(pair.other(), size)

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

    def tensor(self, pixels: NDArray[Any], size: Size | None = None, where: str = "the image") -> Tensor:
        """Valid pixels (H, W[, c]) as raw (c, H, W), resized to `size`, or for their own size unless given."""
        height, width = pixels.shape[:2]
        pixels = self.resize(pixels, drawable(size or (height, width)), where)
        planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        return torch.from_numpy(np.ascontiguousarray(planes))

    @abstractmethod
    def pixels(self, source: Source, where: str) -> NDArray[Any]:
        """Checked values (H, W) or (H, W, c) at the source's own size, uint8 but for normals."""

    @abstractmethod
    def resize(self, pixels: NDArray[Any], size: Size, where: str = "the image") -> NDArray[Any]:
        """Valid pixels at exactly `size`; `where` they come from, for errors."""

    @abstractmethod
    def encode(self, raw: Tensor) -> Tensor:
        """Raw (B, c, H, W) on any device to float (B, K, H, W) on the same."""

    @abstractmethod
    def to_image(self, raw: Tensor) -> Tensor:
        """Raw (c, H, W) to RGB uint8 (3, H, W), for display."""

    def check_mirroring(self) -> None:
        """Raises ConfigError if a mirrored image and its condition would not belong together."""

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
