"""A label map as a condition: one of K classes at every pixel, perhaps with the boundaries of instances."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field, model_validator
from torch import Tensor

from ...core.errors import DataError
from ...core.interfaces import Size
from ..files import images as image_files
from ..files.instances import boundary, read_instances, with_boundaries
from ..files.sources import OneSource, Source, named, on_disk, planes_last, whole
from .cityscapes import IGNORED, IN_FILES, Colour, Numbering, numbering_of, street_values
from .condition import Condition, PairParts

NO_LABEL = 255  # the id that most label sets give to "nothing here"


class Labels(Condition):
    """A map of class ids, perhaps with the boundaries of instances.

    Raw: uint8 (1, H, W); encoded: one-hot (B, number of classes, H, W). With boundaries a second raw plane and a last
    encoded channel are 1 where another instance begins (pix2pixHD's input), else 0.
    """

    discrete: ClassVar[bool] = True

    kind: Literal["labels"] = "labels"
    names: tuple[str, ...] = Field(min_length=1, max_length=256)
    palette: tuple[Colour, ...]
    void: int | None = Field(default=None, ge=0, description="the class of unlabelled pixels; id 255 is read as this")
    boundaries: bool = Field(default=False, description="conditions also show where instances end")
    numbering: Numbering | None = Field(default=None, description="how files number the classes of Cityscapes")
    values: tuple[int, ...] | None = Field(None, description="the id of each class in files, if not its number")

    @model_validator(mode="after")
    def _consistent(self) -> Labels:
        if len(self.palette) != len(self.names):
            raise ValueError(f"{len(self.names)} names need as many colours, got {len(self.palette)}")
        if self.values is not None and list(self.values) != sorted({*self.values}):
            raise ValueError("values must be different and increase")
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

    @property
    def planes(self) -> int:
        return 1 + self.boundaries

    def describe(self) -> str:
        void = f", of which {self.names[self.void]!r} is unlabelled" if self.void is not None else ""
        street = ", the classes of Cityscapes" if self.numbering is not None else ""
        stored = f", stored as {_listed(self.values)}" if self.values is not None else ""
        return f"label maps with {self.classes} classes{street}{stored}{void}{', and instance maps' * self.boundaries}"

    def of_pair(self, pair: PairParts, size: Size) -> Tensor:
        return self.read(pair.labels(self.boundaries), size)

    def pixels(self, source: Source, where: str) -> image_files.Pixels:
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
                raise DataError(f"{where}: is a tuple of {len(source)}; expected (label map, instance map)")
            ids = self.ids(source[0], named(source[0], self.noun))
            name = named(source[1], "instance map")
            return with_boundaries(ids, read_instances(source[1], name), name)
        if isinstance(source, np.ndarray | Tensor):
            planes = planes_last(source, where, (1, 2, 3, 4), "(H, W), (H, W, 2 or 3) or (2 or 3, H, W)")
            if planes.ndim == 3 and planes.shape[2] == 2:
                return np.dstack([self.ids(planes[..., 0], where), (planes[..., 1] != 0).astype(np.uint8)])
        ids = self.ids(source, where)
        return np.dstack([ids, boundary(ids)])

    def ids(self, source: OneSource, where: str) -> image_files.Pixels:
        """Checked class ids (H, W) of one label map."""
        if isinstance(source, str | Path | Image.Image):
            values, colours = image_files.read_labels(on_disk(source), where)
            if self.values is not None and values.ndim == 2:
                return self._numbered(values, where)
            if self.numbering is None or values.ndim == 3:
                return self._ids(values, colours, where)
            values, colours = street_values(values, colours, self.numbering, where)
            return self._ids(values, colours, where, IN_FILES[numbering_of(where, self.numbering)])
        values = planes_last(source, where)
        if values.dtype.kind == "f":
            values = whole(values, where)
        return self._ids(values, None, where)

    def resize(self, pixels: image_files.Pixels, size: Size, where: str = "the label map") -> image_files.Pixels:
        """The nearest class; a boundary wherever there was one."""
        if pixels.ndim == 2:
            return image_files.resize(pixels, size, nearest=True)
        ids, edge = pixels[..., 0], pixels[..., 1]
        return np.dstack([image_files.resize(ids, size, nearest=True), image_files.resize_largest(edge, size)])

    def _ids(
        self, values: NDArray[Any], colours: image_files.Pixels | None, where: str, allowed: str | None = None
    ) -> image_files.Pixels:
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

    def _numbered(self, values: NDArray[Any], where: str) -> image_files.Pixels:
        """Class numbers (H, W) of the ids in a file."""
        known = np.array(self.values)
        ids = np.searchsorted(known, values).clip(max=len(known) - 1)
        strange = known[ids] != values
        if self.void is not None and NO_LABEL not in known:
            ids[values == NO_LABEL] = self.void
            strange &= values != NO_LABEL
        if strange.any():
            foreign = [int(value) for value in np.unique(values[strange])]
            raise DataError(f"{where}: {self._complaint(foreign, _listed(known.tolist()))}")
        return ids.astype(np.uint8)

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

    def _match(self, colours: NDArray[np.int64], where: str) -> image_files.Pixels:
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

    def to_image(self, raw: Tensor) -> Tensor:
        colours = torch.tensor(self.palette, dtype=torch.uint8, device=raw.device)
        return colours[raw[0].long()].permute(2, 0, 1).contiguous()


def _listed(values: Sequence[int]) -> str:
    return ", ".join(map(str, values[:6])) + (f", ... {values[-1]}" if len(values) > 6 else "")


def _code(colour: Colour) -> int:
    red, green, blue = colour
    return (red << 16) | (green << 8) | blue
