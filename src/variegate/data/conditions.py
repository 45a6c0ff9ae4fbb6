"""What a condition is: saved with the model, so that sampling reads a layout exactly as training did.

Raw conditions are uint8 (c, H, W) and stay so until they are on the device; `encode` turns a batch of them into what
the network sees, (B, K, H, W).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field, TypeAdapter, ValidationError, model_validator
from torch import Tensor

from ..config import Config
from ..errors import DataError
from ..interfaces import Size
from . import pictures

Source = str | Path | Image.Image | NDArray[Any] | Tensor
Colour = tuple[int, int, int]
NO_LABEL = 255  # the id that most label sets give to "nothing here"


class _Condition(Config, ABC):
    """What label maps and pictures have in common."""

    def read(self, source: Source, size: Size | None = None) -> Tensor:
        """uint8 (c, H, W) from a path, PIL image, array (H, W[, c]) or tensor ([c, ]H, W); resized to `size`.

        Arrays and tensors hold integers 0..255 or floats in [0, 1].

        Raises:
            DataError: what is wrong, with which file, and what would be right.
        """
        where = str(source) if isinstance(source, str | Path) else f"the given {self.noun}"
        pixels = self.pixels(source, where)
        if 0 in pixels.shape:
            raise DataError(f"{where}: has no pixels, its shape is {pixels.shape}")
        return self.tensor(pixels, size)

    def tensor(self, pixels: pictures.Pixels, size: Size | None = None) -> Tensor:
        """Valid pixels (H, W[, 3]) as raw uint8 (c, H, W), resized to `size`."""
        if size is not None:
            pixels = pictures.resize(pixels, size, nearest=isinstance(self, Labels))
        planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        return torch.from_numpy(np.ascontiguousarray(planes))

    @property
    @abstractmethod
    def noun(self) -> str:
        """What the user would call one condition."""

    @abstractmethod
    def pixels(self, source: Source, where: str) -> pictures.Pixels:
        """Checked uint8 (H, W) or (H, W, 3) at the source's own size."""

    @abstractmethod
    def encode(self, raw: Tensor) -> Tensor:
        """uint8 (B, c, H, W) on any device to float (B, K, H, W) on the same."""

    @abstractmethod
    def picture(self, raw: Tensor) -> Tensor:
        """uint8 (c, H, W) to RGB uint8 (3, H, W), for display."""


class Labels(_Condition):
    """A map of class ids. Raw: uint8 (1, H, W); encoded: one-hot (B, number of classes, H, W)."""

    kind: Literal["labels"] = "labels"
    names: tuple[str, ...] = Field(min_length=1, max_length=256)
    palette: tuple[Colour, ...]
    void: int | None = Field(default=None, ge=0, description="the class of unlabelled pixels; id 255 is read as this")

    @model_validator(mode="after")
    def _consistent(self) -> Labels:
        if len(self.palette) != len(self.names):
            raise ValueError(f"{len(self.names)} names need as many colours, got {len(self.palette)}")
        if self.void is not None and self.void >= len(self.names):
            raise ValueError(f"void is class {self.void}, but there are only {len(self.names)} classes")
        return self

    @property
    def channels(self) -> int:
        return len(self.names)

    @property
    def noun(self) -> str:
        return "label map"

    def pixels(self, source: Source, where: str) -> pictures.Pixels:
        if isinstance(source, str | Path | Image.Image):
            source = Path(source) if isinstance(source, str) else source
            values, colours = pictures.read_labels(source, where)
            return self._ids(values, colours, where)
        values = _planes_last(source, where)
        if values.dtype.kind == "f":
            values = _whole(values, where)
        return self._ids(values, None, where)

    def _ids(self, values: NDArray[Any], colours: pictures.Pixels | None, where: str) -> pictures.Pixels:
        """Ids (H, W) within range, from ids (with the file's palette, if any) or from colours (H, W, 3)."""
        if values.ndim == 3:
            return self._match(values.astype(np.int64), where)
        if colours is not None and self._foreign(values) and int(values.max()) < len(colours):
            return self._match(colours[values].astype(np.int64), where)
        foreign = self._foreign(values)
        if foreign:
            raise DataError(f"{where}: {self._complaint(foreign)}")
        ids = values.astype(np.uint8)
        if self.void is not None and self.channels <= NO_LABEL:
            ids[values == NO_LABEL] = self.void
        return ids

    def _foreign(self, values: NDArray[Any]) -> list[int]:
        """Ids that mean nothing here."""
        found = [int(value) for value in np.unique(values) if not 0 <= value < self.channels]
        return [value for value in found if value != NO_LABEL or self.void is None]

    def _complaint(self, foreign: list[int]) -> str:
        if foreign == [NO_LABEL]:
            return (
                f"has label id 255 (usually: no label), but there is no class for unlabelled pixels; "
                f"give them one of the ids 0..{self.channels - 1}"
            )
        shown = ", ".join(map(str, foreign[:5])) + (", ..." if len(foreign) > 5 else "")
        return (
            f"has label id {shown}, but allowed are 0..{self.channels - 1} ({self.channels} classes)"
            f"{' and 255 for no label' if self.void is not None else ''}; "
            "relabel those pixels, or train with data that has this class"
        )

    def _match(self, colours: NDArray[np.int64], where: str) -> pictures.Pixels:
        """Ids of colours (H, W, 3) that are exactly in the palette; the first class wins a shared colour."""
        codes = (colours[..., 0] << 16) | (colours[..., 1] << 8) | colours[..., 2]
        known = {(red << 16) | (green << 8) | blue: i for i, (red, green, blue) in reversed([*enumerate(self.palette)])}
        present, inverse = np.unique(codes, return_inverse=True)
        strangers = [int(code) for code in present if int(code) not in known]
        if strangers:
            first = strangers[0]
            colour = (first >> 16, (first >> 8) & 255, first & 255)
            raise DataError(
                f"{where}: has {len(strangers)} colour(s) that stand for no class, such as {colour}; "
                "paint with the palette's exact colours (no soft edges), or save class ids as 8-bit grey PNG"
            )
        ids = np.array([known[int(code)] for code in present], dtype=np.uint8)
        return ids[inverse].reshape(codes.shape)

    def encode(self, raw: Tensor) -> Tensor:
        """One-hot by comparison: an id that slipped through cannot crash a kernel. On the CPU it is refused."""
        if raw.device.type == "cpu" and raw.numel() and int(raw.max()) >= self.channels:
            raise DataError(f"the label map {self._complaint([int(raw.max())])}")
        classes = torch.arange(self.channels, device=raw.device, dtype=torch.uint8).view(1, -1, 1, 1)
        return (raw == classes).float()

    def picture(self, raw: Tensor) -> Tensor:
        colours = torch.tensor(self.palette, dtype=torch.uint8, device=raw.device)
        return colours[raw[0].long()].permute(2, 0, 1).contiguous()


class Picture(_Condition):
    """A picture. Raw: uint8 (1 or 3, H, W); encoded: [-1, 1]."""

    kind: Literal["picture"] = "picture"
    channels: Literal[1, 3] = 3
    derived: str | None = Field(default=None, description="how training made it from the image: superres:4, ...")

    @property
    def noun(self) -> str:
        return "picture"

    def pixels(self, source: Source, where: str) -> pictures.Pixels:
        if isinstance(source, str | Path | Image.Image):
            source = Path(source) if isinstance(source, str) else source
            return pictures.read_picture(source, self.channels, where)
        values = _eight_bit(_planes_last(source, where), where)
        return pictures.read_picture(Image.fromarray(values), self.channels, where)

    def encode(self, raw: Tensor) -> Tensor:
        return raw.float() / 127.5 - 1

    def picture(self, raw: Tensor) -> Tensor:
        return raw.expand(3, -1, -1).contiguous()


Condition = Annotated[Labels | Picture, Field(discriminator="kind")]


def condition_from_mapping(values: Mapping[str, Any]) -> Labels | Picture:
    """A condition from a model's config.json.

    Raises:
        DataError: a field is missing, unknown or inconsistent.
    """
    try:
        condition: Labels | Picture = TypeAdapter(Condition).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"condition: {'.'.join(map(str, first['loc']))} {first['msg'].lower()}") from None
    return condition


def _planes_last(source: NDArray[Any] | Tensor, where: str) -> NDArray[Any]:
    """(H, W) or (H, W, c), whichever side the planes were on.

    If both sides fit, tensors have planes first and arrays last, except for a single plane (1, H, 3).
    """
    values = source.detach().cpu().numpy() if isinstance(source, Tensor) else np.asarray(source)
    if values.ndim == 3:
        first, last = values.shape[0] in (1, 3, 4), values.shape[2] in (1, 3, 4)
        if first and (isinstance(source, Tensor) or not last or values.shape[0] == 1):
            values = values.transpose(1, 2, 0)
        if values.shape[2] == 1:
            values = values[..., 0]
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in (3, 4)):
        raise DataError(f"{where}: has shape {tuple(values.shape)}; right would be (H, W), (H, W, 3) or (3, H, W)")
    if values.dtype.kind not in "buif":
        raise DataError(f"{where}: has values of type {values.dtype}; right would be uint8, or float in [0, 1]")
    return values


def _whole(values: NDArray[Any], where: str) -> NDArray[Any]:
    """Float label maps: colours (H, W, 3) in [0, 1] as 0..255, ids (H, W) if they are whole numbers."""
    if values.ndim == 3:
        return _eight_bit(values, where)[..., :3]
    if not np.array_equal(values, np.rint(values)):
        raise DataError(f"{where}: holds fractions; a label map needs whole class ids, such as uint8 (H, W)")
    return values.astype(np.int64)


def _eight_bit(values: NDArray[Any], where: str) -> pictures.Pixels:
    """0..255 from bool, integers 0..255, 16-bit unsigned integers, or floats in [0, 1]."""
    if values.dtype.kind == "b":
        return values.astype(np.uint8) * np.uint8(255)
    if values.size == 0:
        return values.astype(np.uint8)
    low, high = float(values.min()), float(values.max())
    limit = 1.0 if values.dtype.kind == "f" else 65535.0 if values.dtype == np.uint16 else 255.0
    slack = 1e-3 if limit == 1.0 else 0.0  # resampled floats overshoot a little
    if not (low >= -slack and high <= limit + slack):
        raise DataError(f"{where}: has values from {low:g} to {high:g}; right would be uint8, or float in [0, 1]")
    return np.rint(np.clip(values.astype(np.float64), 0, limit) * (255 / limit)).astype(np.uint8)
