"""A class as a condition: one of K names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydantic import Field, field_validator
from torch import Tensor

from ...core.errors import DataError, did_you_mean
from ...core.interfaces import Size
from ..files.sources import Source
from .condition import Condition
from .constant import Constant
from .metadata import Metadata

SMALL = 256  # classes that uint8 can number
MOST = 2**15  # classes, which int16 can number


class ClassLabel(Constant):
    """One of K classes. Raw: its number, uint8 (int16 for more than 256 classes) (1, H, W); encoded: one-hot.

    Conditioning on the one-hot vector follows van den Oord et al., NIPS 2016, section 2.3 (eq 4).
    """

    discrete: ClassVar[bool] = True

    kind: Literal["class"] = "class"
    names: tuple[str, ...] = Field(min_length=1, max_length=MOST)

    @field_validator("names")
    @classmethod
    def _different(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"two classes are named {twice!r}; class names must be unique")
        return names

    @property
    def channels(self) -> int:
        """K of encoded conditions."""
        return len(self.names)

    @property
    def noun(self) -> str:
        return "class"

    @property
    def planes(self) -> int:
        return 1

    @property
    def dtype(self) -> torch.dtype:
        return torch.uint8 if self.channels <= SMALL else torch.int16

    def describe(self) -> str:
        shown = ", ".join(self.names[:5]) + ", ..." * (self.channels > 5)
        return f"one of {self.channels} classes ({shown})"

    def class_of(self, raw: Tensor) -> str:
        return self.names[int(raw[0, 0, 0])]

    def of_metadata(self, metadata: Metadata, size: Size) -> Tensor:
        assert metadata.label is not None
        return self.read(metadata.label, size)

    def values(self, source: Source, where: str) -> NDArray[Any]:
        """The number (1,) of a class specified by name or number: `cat`, `class:cat`, `3` or 3."""
        return np.array([self.number(source, where)], np.uint8 if self.channels <= SMALL else np.int16)

    def number(self, source: Source, where: str) -> int:
        """The number of a class, 0 .. K - 1. Names take precedence over numbers.

        Raises:
            DataError: there is no such class.
        """
        if isinstance(source, tuple | Image.Image):
            raise DataError(f"{where}: expected a class, by name or number, {self._known}, got an image or a pair")
        if isinstance(source, Tensor | np.ndarray | int | float | np.number):
            found = np.asarray(source)
            if found.size != 1 or not np.array_equal(found, np.rint(found)):
                raise DataError(f"{where}: expected one whole number, {self._known}, got {found.size} value(s)")
            return self._in_range(int(found.reshape(())), where)
        text = str(source)
        for name in (text, text.removeprefix("class:")):
            if name in self.names:
                return self.names.index(name)
        number = text.removeprefix("class:")
        if number.removeprefix("-").isdecimal():
            return self._in_range(int(number), f"class {number}")
        known = did_you_mean(number, self.names) if self.channels <= 20 else self._known
        raise DataError(f"there is no class {number!r}; {known}")

    @property
    def _known(self) -> str:
        first = ", ".join(self.names[:5]) + (", ..." if self.channels > 5 else "")
        return f"0 to {self.channels - 1} ({first})"

    def _in_range(self, number: int, where: str) -> int:
        if not 0 <= number < self.channels:
            raise DataError(f"{where}: there is no class number {number}; expected {self._known}")
        return number

    def encode_values(self, values: Tensor) -> Tensor:
        """One-hot by comparison: an invalid number that was missed cannot crash a kernel."""
        return (values == torch.arange(self.channels, device=values.device)).float()

    def to_image(self, raw: Tensor) -> Tensor:
        """The name, or as much of it as fits, in white on a dark tile."""
        return write_tile(self.names[int(raw[0, 0, 0])], (raw.shape[1], raw.shape[2]))


def write_tile(text: str, size: Size) -> Tensor:
    """Text centred on a tile of `size` (H, W), in the largest font that fits, 6 to 24 pixels: uint8 (3, H, W).

    Longer text is broken into lines.
    """
    height, width = size
    tile = Image.new("RGB", (width, height), (40, 44, 60))
    pen = ImageDraw.Draw(tile)
    letters = ImageFont.load_default(6)
    for points in range(24, 5, -2):
        letters = ImageFont.load_default(points)
        if pen.textlength(text, letters) <= width - 2 and points <= height:
            break
    lines = break_lines(text, letters, pen, width - 2)
    pen.multiline_text((width / 2, height / 2), "\n".join(lines), (255, 255, 255), letters, "mm", 0, "center")
    return torch.from_numpy(np.array(tile)).permute(2, 0, 1).contiguous()


def break_lines(text: str, letters: Any, pen: ImageDraw.ImageDraw, width: int) -> list[str]:
    """Break text into lines of at most `width` pixels, but at least one letter each."""
    lines = [""]
    for letter in text:
        if lines[-1] and pen.textlength(lines[-1] + letter, letters) > width:
            lines.append("")
        lines[-1] += letter
    return lines


def class_numbers(condition: Condition, classes: Sequence[str], where: str) -> NDArray[np.int64]:
    """The condition's number for each class of the data, (K,).

    Raises:
        DataError: the data have no classes, or have one that is unknown to the condition.
    """
    wanted = condition.part(ClassLabel)
    if wanted is None:
        return np.arange(len(classes))
    foreign = [name for name in classes if name not in wanted.names]
    if foreign or not classes:
        raise DataError(
            f"{where}: has {f'a class {foreign[0]!r}' if foreign else 'no classes'}, but the model has "
            f"{wanted.channels}: {', '.join(wanted.names[:5])}{', ...' * (wanted.channels > 5)}; use data with these"
        )
    return np.array([wanted.names.index(name) for name in classes])
