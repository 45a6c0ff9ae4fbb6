"""Conditions that are derived from the image itself: edges, grey, a low-resolution copy, a hole to fill, the image.

Each is a value that is parsed from the text of `--condition` and converted back to it with `str`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from PIL import Image, ImageFilter
from pydantic import BeforeValidator, InstanceOf, PlainSerializer

from ...core.errors import DataError, did_you_mean
from ...core.interfaces import Size
from ..files.images import Pixels
from . import blocks, holes
from .masks import Masks

KNOWN = ("edges", "grey", "inpaint", "inpaint:centre", "self", "inpaint:FOLDER", "superres:K")
EDGE = 12.0  # grey levels per pixel; steeper gradients are edges


class Derived(ABC):
    """A condition that is derived from an image; `str` gives its text in `--condition`.

    Attributes:
        channels: channels of the condition: 1, 3, or 4 for an image with a hole and its mask.
        cuts_hole: whether it has a hole to fill.
        varies: whether another number of the item can give another hole.
        after_crop: whether it must be made after cropping, because a crop would move holes and cut through blocks.
    """

    channels: ClassVar[Literal[1, 3, 4]] = 3
    cuts_hole: ClassVar[bool] = False
    after_crop: ClassVar[bool] = False

    @abstractmethod
    def __str__(self) -> str: ...

    @abstractmethod
    def make(self, image: Pixels, item: int = 0) -> Pixels:
        """Derive the condition (H, W) or (H, W, c) from an image (H, W, 3).

        Args:
            item: number of the item in its data set, which determines the random hole or the mask.

        Raises:
            DataError: see `check`.
        """

    @property
    def varies(self) -> bool:
        return False

    def check(self, size: Size, where: str) -> None:  # noqa: B027 most accept any image
        """Raise DataError if it cannot be made from images of `size`; `where` names them."""

    def problems(self, size: Size, where: str) -> list[str]:
        """All problems that `check` finds, one sentence each."""
        try:
            self.check(size, where)
        except DataError as error:
            return [str(error)]
        return []

    def explain(self, size: Size) -> str:
        """Describe the condition of images of (H, W), with sizes in pixels; empty if the name says it all."""
        return ""


@dataclass(frozen=True)
class Self(Derived):
    """The image itself, for autoencoders."""

    def __str__(self) -> str:
        return "self"

    def make(self, image: Pixels, item: int = 0) -> Pixels:
        return image


@dataclass(frozen=True)
class Gray(Derived):
    """The grey levels, for colourisation."""

    channels: ClassVar[Literal[1, 3, 4]] = 1

    def __str__(self) -> str:
        return "grey"

    def make(self, image: Pixels, item: int = 0) -> Pixels:
        return np.array(Image.fromarray(image).convert("L"))


@dataclass(frozen=True)
class Edges(Derived):
    """White where grey levels change by more than EDGE per pixel, black elsewhere; noise is smoothed first."""

    channels: ClassVar[Literal[1, 3, 4]] = 1

    def __str__(self) -> str:
        return "edges"

    def make(self, image: Pixels, item: int = 0) -> Pixels:
        return edges(np.array(Image.fromarray(image).convert("L")))


@dataclass(frozen=True)
class SuperRes(Derived):
    """A copy at 1/factor of the size, with each pixel repeated factor x factor."""

    factor: int
    after_crop: ClassVar[bool] = True

    def __str__(self) -> str:
        return f"superres:{self.factor}"

    def make(self, image: Pixels, item: int = 0) -> Pixels:
        return blocks.reduce(image, self.factor)

    def check(self, size: Size, where: str) -> None:
        blocks.low_size(size, self.factor, where)

    def explain(self, size: Size) -> str:
        height, width = size
        small = f"{width // self.factor}x{height // self.factor}"
        return f"the low resolution {of_images(size)} is {small}, each pixel repeated {self.factor} x {self.factor}"


@dataclass(frozen=True)
class Inpaint(Derived):
    """The image with a rectangle cut out: half as high and wide in the centre, or of random size and position."""

    centre: bool = False
    channels: ClassVar[Literal[1, 3, 4]] = 4
    cuts_hole: ClassVar[bool] = True
    after_crop: ClassVar[bool] = True

    def __str__(self) -> str:
        return "inpaint:centre" if self.centre else "inpaint"

    @property
    def varies(self) -> bool:
        return not self.centre

    def make(self, image: Pixels, item: int = 0) -> Pixels:
        size = (image.shape[0], image.shape[1])
        return holes.cut(image, holes.centre(size) if self.centre else holes.rectangle(size, item))

    def check(self, size: Size, where: str) -> None:
        holes.large_enough(size)

    def explain(self, size: Size) -> str:
        if self.centre:
            hole = holes.centre(size)
            return f"a hole of {hole.width}x{hole.height} in the centre {of_images(size)}"
        (low, high), (left, right) = (holes.lengths(side) for side in size)
        return f"a hole {left} to {right} wide and {low} to {high} high, at a random position {of_images(size)}"


@dataclass(frozen=True)
class InpaintMasks(Derived):
    """The image with a hole from a folder of masks, white inside the hole."""

    folder: str  # as typed
    channels: ClassVar[Literal[1, 3, 4]] = 4
    cuts_hole: ClassVar[bool] = True
    after_crop: ClassVar[bool] = True

    def __str__(self) -> str:
        return f"inpaint:{self.folder}"

    @cached_property
    def masks(self) -> Masks:
        """The masks of the folder. Raises DataError if it does not exist, or has no images."""
        return Masks(self.folder)

    @property
    def varies(self) -> bool:
        return len(self.masks) > 1

    def make(self, image: Pixels, item: int = 0) -> Pixels:
        return holes.join(image, self.masks.of(item, (image.shape[0], image.shape[1])))

    def check(self, size: Size, where: str) -> None:
        found = self.problems(size, where)
        if found:
            more = f" (and {len(found) - 1} more masks: variegate data check)" if len(found) > 1 else ""
            raise DataError(found[0] + more)

    def problems(self, size: Size, where: str) -> list[str]:
        return list(self.masks.problems(size))

    def explain(self, size: Size) -> str:
        number = f"one of {len(self.masks)} masks" if len(self.masks) > 1 else "the one mask"
        return f"the hole {of_images(size)} is {number} in {self.masks.folder}, resized; {holes.BY_MASK}"


PLAIN: dict[str, Derived] = {str(one): one for one in (Edges(), Gray(), Inpaint(), Inpaint(centre=True), Self())}


def parse_derived(text: Any) -> Any:
    """Parse the text of a derived condition; anything else is left to validation.

    Raises:
        DataError: there is no such condition, or superres has no factor.
    """
    if not isinstance(text, str) or text in PLAIN:
        return PLAIN[text] if isinstance(text, str) else text
    name, colon, setting = text.partition(":")
    if name == "superres":
        if not (setting.isdecimal() and int(setting) >= 2):
            raise DataError(f"condition {text!r}: superres needs an integer factor of at least 2, such as superres:4")
        return SuperRes(int(setting))
    if name == "inpaint" and colon:
        return InpaintMasks(setting)
    raise DataError(f"there is no derived condition {text!r}; {did_you_mean(text, KNOWN)}")


DerivedField = Annotated[InstanceOf[Derived], BeforeValidator(parse_derived), PlainSerializer(str)]


def of_images(size: Size) -> str:
    return f"of {size[1]}x{size[0]} images (width x height)"


def edges(grey: Pixels) -> Pixels:
    """White (255) where grey levels (H, W) change by more than EDGE per pixel, black elsewhere; noise is smoothed."""
    smooth = np.array(Image.fromarray(grey).filter(ImageFilter.GaussianBlur(1)))
    padded = np.pad(smooth.astype(np.float32), 1, mode="edge")
    down = (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    right = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2
    return np.where(np.hypot(down, right) > EDGE, 255, 0).astype(np.uint8)
