"""An image as a condition, read from the data or derived from the target image."""

from __future__ import annotations

import logging
from typing import Literal

import torch
from PIL import Image
from pydantic import Field, model_validator
from torch import Tensor

from ...core.errors import DataError
from ...core.images import to_float
from ...core.interfaces import Size
from ..derived import blocks, holes
from ..derived.derived import DerivedField, Self, SuperRes
from ..files import images
from ..files.blobs import File
from ..files.sources import Source, on_disk
from .condition import Condition, PairParts

logger = logging.getLogger(__name__)


class ImageCondition(Condition):
    """An image. Raw: uint8 (1, 3 or 4, H, W); encoded: [-1, 1].

    Four channels are an image with a hole to fill: RGB, white inside the hole, and the mask, which inside the hole is
    255 raw and 1 encoded, outside it 0 and -1.
    """

    kind: Literal["image"] = "image"
    channels: Literal[1, 3, 4] = 3
    derived: DerivedField | None = Field(default=None, description="how it is derived from the image: superres:4, ...")
    half: Literal["left", "right"] | None = Field(None, description="which half it is in A|B images")
    white_level: int = Field(images.WHITE, ge=1, description="the value of white in 16-bit files")

    @model_validator(mode="after")
    def _consistent(self) -> ImageCondition:
        if self.derived is not None and self.derived.cuts_hole and self.channels != 4:
            raise ValueError(f"{self.derived} needs 4 channels, RGB and the mask of the hole, got {self.channels}")
        return self

    @property
    def noun(self) -> str:
        return "image"

    @property
    def spelling(self) -> str:
        return self.kind if self.derived is None else str(self.derived)

    @property
    def is_self(self) -> bool:
        """Whether it is the target image itself."""
        return isinstance(self.derived, Self)

    def hole(self, raw: Tensor) -> Tensor | None:
        return raw[:, 3:] > 0 if self.channels == 4 else None

    def describe(self) -> str:
        what = {1: "grey images", 3: "colour images", 4: "colour images with a hole and its mask"}
        made = f", derived from the image: {self.derived}" if self.derived is not None else ""
        return f"{what[self.channels]}{made}"

    def of_pair(self, pair: PairParts, size: Size) -> Tensor:
        return pair.original(size) if self.derived is not None else super().of_pair(pair, size)

    def make(self, image: Tensor, item: int) -> Tensor:
        """Derive the raw condition (c, H, W) from an image, uint8 (3, H, W); `item` is its number in the data set."""
        assert self.derived is not None
        return self.tensor(self.derived.make(image.permute(1, 2, 0).contiguous().numpy(), item))

    def pixels(self, source: Source, where: str) -> images.Pixels:
        """Checked pixels; see `holes.read` for the ways to mark the hole."""
        if self.channels == 4:
            return holes.read(source, where)
        if isinstance(source, tuple):
            raise DataError(f"{where}: is a pair, but this model does not fill holes; give one image without a mask")
        if self.half is not None and isinstance(source, str | File | Image.Image):
            source = _half_of(on_disk(source), self.half, where)
        return holes.read_plain(source, self.channels, where, self.white_level)

    def resize(self, pixels: images.Pixels, size: Size, where: str = "the image") -> images.Pixels:
        """Resize to exactly `size`, (H, W); for superres:K, to K x K blocks, one per pixel of the low-resolution image.

        An image of (H / K, W / K) is the low-resolution image and is kept exactly; any other is resized to that size,
        unless it has the full size and already consists of such blocks. An image read at its own size (`--size
        native`) is assumed to have the full size: to enlarge a small one, request K times its size.

        Raises:
            DataError: K does not divide the sides of `size`.
        """
        if pixels.ndim == 3 and pixels.shape[2] == 4:
            return holes.resize(pixels, size)
        if isinstance(self.derived, SuperRes):
            return blocks.fit(pixels, size, self.derived.factor, where)
        return images.resize(pixels, size, nearest=False)

    def encode(self, raw: Tensor) -> Tensor:
        return to_float(raw)

    def to_image(self, raw: Tensor) -> Tensor:
        """As RGB, with the hole in mid grey."""
        if self.channels == 4:
            return torch.where(raw[3:] > 127, torch.full_like(raw[:3], 128), raw[:3])
        return raw.expand(3, -1, -1).contiguous()


def _half_of(source: File | Image.Image, half: Literal["left", "right"], where: str) -> File | Image.Image:
    """Crop the condition out of a whole A|B image, twice as wide as high; return other images unchanged."""
    image = images.open_image(source) if isinstance(source, File) else source
    width, height = image.size
    if width != 2 * height:
        return source
    logger.warning("%s: is twice as wide as high, like the A|B training images; using its %s half", where, half)
    left = 0 if half == "left" else height
    return image.crop((left, 0, left + height, height))
