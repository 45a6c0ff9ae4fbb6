"""What a condition is: saved with the model, so that sampling reads a layout exactly as training did.

Raw conditions are integers (c, H, W), uint8 but for normals, and stay so until they are on the device; `encode` turns a
batch of them into what the network sees, (B, K, H, W).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field, TypeAdapter, ValidationError, model_validator
from torch import Tensor

from ...core.errors import DataError
from ...core.interfaces import Size
from ..files import images as pictures
from ..files.instances import boundary, read_instances, with_boundaries
from ..files.sources import OneSource, Source, named, on_disk, planes_last, whole
from .base import BaseCondition
from .cityscapes import IGNORED, IN_FILES, Colour, Numbering, numbering_of, street_values
from .class_label import ClassName
from .composite import Several
from .constant import Nothing
from .image import Picture
from .landmarks import Landmarks
from .normals import Normals
from .vector import Vector

NO_LABEL = 255  # the id that most label sets give to "nothing here"


class Labels(BaseCondition):
    """A map of class ids, perhaps with the boundaries of instances.

    Raw: uint8 (1, H, W); encoded: one-hot (B, number of classes, H, W). With boundaries a second raw plane and a last
    encoded channel are 1 where another instance begins (pix2pixHD's input), else 0.
    """

    kind: Literal["labels"] = "labels"
    names: tuple[str, ...] = Field(min_length=1, max_length=256)
    palette: tuple[Colour, ...]
    void: int | None = Field(default=None, ge=0, description="the class of unlabelled pixels; id 255 is read as this")
    boundaries: bool = Field(default=False, description="conditions also show where instances end")
    numbering: Numbering | None = Field(default=None, description="how files number the classes of Cityscapes")

    @model_validator(mode="after")
    def _consistent(self) -> Labels:
        if len(self.palette) != len(self.names):
            raise ValueError(f"{len(self.names)} names need as many colours, got {len(self.palette)}")
        if self.void is not None and self.void >= len(self.names):
            raise ValueError(f"void is class {self.void}, but there are only {len(self.names)} classes")
        return self

    @property
    def classes(self) -> int:
        return len(self.names)

    @property
    def channels(self) -> int:
        """K of encoded conditions."""
        return self.classes + self.boundaries

    @property
    def noun(self) -> str:
        return "label map"

    def pixels(self, source: Source, where: str) -> pictures.Pixels:
        """Ids (H, W), or for a model with boundaries ids and boundaries (H, W, 2).

        Such a model takes a pair (label map, instance map), or two planes as `read` returns them. Of a label map alone
        the boundaries are those of its classes: two cars side by side are then one.
        """
        if not self.boundaries:
            if isinstance(source, tuple):
                raise DataError(f"{where}: is a pair, but this model knows no instances; give its label map alone")
            return self.ids(source, where)
        if isinstance(source, tuple):
            if len(source) != 2:
                raise DataError(f"{where}: is a tuple of {len(source)}; right would be (label map, instance map)")
            ids = self.ids(source[0], named(source[0], self.noun))
            name = named(source[1], "instance map")
            return with_boundaries(ids, read_instances(source[1], name), name)
        if isinstance(source, np.ndarray | Tensor):
            planes = planes_last(source, where, (1, 2, 3, 4), "(H, W), (H, W, 2 or 3) or (2 or 3, H, W)")
            if planes.ndim == 3 and planes.shape[2] == 2:
                return np.dstack([self.ids(planes[..., 0], where), (planes[..., 1] != 0).astype(np.uint8)])
        ids = self.ids(source, where)
        return np.dstack([ids, boundary(ids)])

    def ids(self, source: OneSource, where: str) -> pictures.Pixels:
        """Checked class ids (H, W) of one label map."""
        if isinstance(source, str | Path | Image.Image):
            values, colours = pictures.read_labels(on_disk(source), where)
            if self.numbering is None or values.ndim == 3:
                return self._ids(values, colours, where)
            values, colours = street_values(values, colours, self.numbering, where)
            return self._ids(values, colours, where, IN_FILES[numbering_of(where, self.numbering)])
        values = planes_last(source, where)
        if values.dtype.kind == "f":
            values = whole(values, where)
        return self._ids(values, None, where)

    def resize(self, pixels: pictures.Pixels, size: Size, where: str = "the label map") -> pictures.Pixels:
        """The nearest class; a boundary wherever there was one."""
        if pixels.ndim == 2:
            return pictures.resize(pixels, size, nearest=True)
        ids, edge = pixels[..., 0], pixels[..., 1]
        return np.dstack([pictures.resize(ids, size, nearest=True), pictures.resize_largest(edge, size)])

    def _ids(
        self, values: NDArray[Any], colours: pictures.Pixels | None, where: str, allowed: str | None = None
    ) -> pictures.Pixels:
        """Ids (H, W) within range, from ids (with the file's palette, if any) or from colours (H, W, 3).

        Args:
            allowed: ids, in the numbers of the file.
        """
        if values.ndim == 3:
            return self._match(values.astype(np.int64), where)
        if colours is not None and self._foreign(values) and int(values.max()) < len(colours):
            return self._match(colours[values].astype(np.int64), where)
        foreign = self._foreign(values)
        if foreign:
            raise DataError(f"{where}: {self._complaint(foreign, allowed)}")
        ids = values.astype(np.uint8)
        if self.void is not None and self.classes <= NO_LABEL:
            ids[values == NO_LABEL] = self.void
        return ids

    def _foreign(self, values: NDArray[Any]) -> list[int]:
        """Ids that mean nothing here."""
        found = [int(value) for value in np.unique(values) if not 0 <= value < self.classes]
        return [value for value in found if value != NO_LABEL or self.void is None]

    def _complaint(self, foreign: list[int], allowed: str | None = None) -> str:
        if foreign == [NO_LABEL]:
            return (
                f"has label id 255 (usually: no label), but there is no class for unlabelled pixels; "
                f"give them one of the ids 0..{self.classes - 1}"
            )
        shown = ", ".join(map(str, foreign[:5])) + (", ..." if len(foreign) > 5 else "")
        return (
            f"has label id {shown}, but allowed are {allowed or f'0..{self.classes - 1} ({self.classes} classes)'}"
            f"{' and 255 for no label' if self.void is not None else ''}; "
            "relabel those pixels, or train with data that has this class"
        )

    def _match(self, colours: NDArray[np.int64], where: str) -> pictures.Pixels:
        """Ids of colours (H, W, 3) that are exactly in the palette; the first class wins a shared colour."""
        codes = (colours[..., 0] << 16) | (colours[..., 1] << 8) | colours[..., 2]
        known = {_code(colour): i for i, colour in reversed([*enumerate(self.palette)])}
        if self.numbering is not None and self.void is not None:
            known = {_code(colour): self.void for colour in IGNORED} | known
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
        ids = raw[:, :1]
        if raw.device.type == "cpu" and raw.numel() and int(ids.max()) >= self.classes:
            raise DataError(f"the label map {self._complaint([int(ids.max())])}")
        classes = torch.arange(self.classes, device=raw.device, dtype=torch.uint8).view(1, -1, 1, 1)
        planes = (ids == classes).float()
        return torch.cat([planes, raw[:, 1:].float()], dim=1) if self.boundaries else planes

    def picture(self, raw: Tensor) -> Tensor:
        colours = torch.tensor(self.palette, dtype=torch.uint8, device=raw.device)
        return colours[raw[0].long()].permute(2, 0, 1).contiguous()


def _code(colour: Colour) -> int:
    red, green, blue = colour
    return (red << 16) | (green << 8) | blue


AnyCondition = Labels | Picture | Landmarks | Normals | Nothing | ClassName | Vector | Several
Condition = Annotated[AnyCondition, Field(discriminator="kind")]


def condition_from_mapping(values: Mapping[str, Any]) -> AnyCondition:
    """A condition from a model's config.json.

    Raises:
        DataError: a field is missing, unknown or inconsistent.
    """
    try:
        condition: AnyCondition = TypeAdapter(Condition).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"condition: {'.'.join(map(str, first['loc']))} {first['msg'].lower()}") from None
    return condition
