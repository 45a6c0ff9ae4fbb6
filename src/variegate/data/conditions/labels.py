"""A label map as a condition: one of K classes at every pixel, optionally with instance boundaries."""

from __future__ import annotations

from collections.abc import Sequence
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
from ..files.blobs import File
from ..files.instances import boundary, read_instances, with_boundaries
from ..files.sources import OneSource, Source, named, on_disk, planes_last, whole
from .cityscapes import IGNORED, IN_FILES, Colour, Numbering, numbering_of, street_values
from .condition import Condition, PairParts

NO_LABEL = 255  # the usual id of unlabelled pixels


class Labels(Condition):
    """A map of class ids, optionally with instance boundaries.

    Raw: uint8 (1, H, W); encoded: one-hot (B, number of classes, H, W). With boundaries, a second raw plane and a last
    encoded channel are 1 where another instance begins (pix2pixHD's input), else 0.
    """

    discrete: ClassVar[bool] = True

    kind: Literal["labels"] = "labels"
    names: tuple[str, ...] = Field(min_length=1, max_length=256)
    palette: tuple[Colour, ...]
    void: int | None = Field(
        default=None, ge=0, description="the class of unlabelled pixels; id 255 is also read as this"
    )
    boundaries: bool = Field(default=False, description="whether conditions include instance boundaries")
    numbering: Numbering | None = Field(default=None, description="how files number the Cityscapes classes")
    values: tuple[int, ...] | None = Field(None, description="the id of each class in files, if it is not its number")

    @model_validator(mode="after")
    def _consistent(self) -> Labels:
        if len(self.palette) != len(self.names):
            raise ValueError(f"expected {len(self.names)} colours, one for each name, got {len(self.palette)}")
        if self.values is not None and list(self.values) != sorted({*self.values}):
            raise ValueError("values must be strictly increasing")
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
        street = ", the Cityscapes classes" if self.numbering is not None else ""
        stored = f", stored as {_listed(self.values)}" if self.values is not None else ""
        return f"label maps with {self.classes} classes{street}{stored}{void}{', and instance maps' * self.boundaries}"

    def of_pair(self, pair: PairParts, size: Size) -> Tensor:
        return self.read(pair.labels(self.boundaries), size)

    def pixels(self, source: Source, where: str) -> image_files.Pixels:
        """Ids (H, W), or for a model with boundaries, ids and boundaries (H, W, 2).

        A model with boundaries takes a pair (label map, instance map), or two planes as returned by `read`. Without an
        instance map, class boundaries are used: two adjacent cars then count as one.
        """
        if not self.boundaries:
            if isinstance(source, tuple):
                raise DataError(f"{where}: is a pair, but this model does not use instances; give only the label map")
            return self.ids(source, where)
        if isinstance(source, tuple):
            if len(source) != 2:
                raise DataError(f"{where}: expected a pair (label map, instance map), got a tuple of {len(source)}")
            ids = self.ids(source[0], named(source[0], self.noun))
            name = named(source[1], "instance map")
            return with_boundaries(ids, read_instances(source[1], name), name)
        if isinstance(source, np.ndarray | Tensor):
            planes = planes_last(source, where, (1, 2, 3, 4), "(H, W), (H, W, 2 or 3) or (2 or 3, H, W)")
            if planes.ndim == 3 and planes.shape[2] == 2:
                numbers = self.ids(torch.from_numpy(planes[..., 0].copy()), where)  # as `read` returns them
                return np.dstack([numbers, (planes[..., 1] != 0).astype(np.uint8)])
        ids = self.ids(source, where)
        return np.dstack([ids, boundary(ids)])

    def ids(self, source: OneSource, where: str) -> image_files.Pixels:
        """Checked class ids (H, W) of one label map: files, PIL images and arrays hold ids as in files; tensors hold
        class numbers, as `read` returns them."""
        if isinstance(source, Tensor):
            return self._ids(label_values(source, where), None, where)
        colours = None
        if isinstance(source, str | File | Image.Image):
            values, colours = image_files.read_labels(on_disk(source), where)
        else:
            values = label_values(source, where)
        if self.values is not None and values.ndim == 2:
            return self._numbered(values, where)
        if self.numbering is None or values.ndim == 3:
            return self._ids(values, colours, where)
        values, colours = street_values(values, colours, self.numbering, where)
        return self._ids(values, colours, where, IN_FILES[numbering_of(where, self.numbering)])

    def resize(self, pixels: image_files.Pixels, size: Size, where: str = "the label map") -> image_files.Pixels:
        """Resize ids by nearest neighbour; a boundary stays wherever there was one."""
        if pixels.ndim == 2:
            return image_files.resize(pixels, size, nearest=True)
        ids, edge = pixels[..., 0], pixels[..., 1]
        return np.dstack([image_files.resize(ids, size, nearest=True), image_files.resize_largest(edge, size)])

    def _ids(
        self, values: NDArray[Any], colours: image_files.Pixels | None, where: str, allowed: str | None = None
    ) -> image_files.Pixels:
        """Ids (H, W) within range, from ids (with the file's palette, if any) or from colours (H, W, 3).

        Args:
            allowed: description of the allowed ids, in the file's numbering.
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
        """Map the ids in a file to class numbers (H, W)."""
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
        """The ids that do not belong to any class."""
        found = [int(value) for value in np.unique(values) if not 0 <= value < self.classes]
        return [value for value in found if value != NO_LABEL or self.void is None]

    def _complaint(self, foreign: list[int], allowed: str | None = None) -> str:
        if foreign == [NO_LABEL]:
            return (
                f"has label id 255 (usually: no label), but there is no class for unlabelled pixels; "
                f"assign those pixels an id in 0..{self.classes - 1}"
            )
        shown = ", ".join(map(str, foreign[:5])) + (", ..." if len(foreign) > 5 else "")
        return (
            f"has label id {shown}, expected {allowed or f'0..{self.classes - 1} ({self.classes} classes)'}"
            f"{' or 255 for no label' if self.void is not None else ''}; "
            "relabel those pixels, or train with data that have this class"
        )

    def _match(self, colours: NDArray[np.int64], where: str) -> image_files.Pixels:
        """Ids of colours (H, W, 3), which must match the palette exactly; the first class with a colour wins."""
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
                f"{where}: has {len(strangers)} colour(s) that do not belong to any class, such as {colour}; "
                "use the exact palette colours (no anti-aliasing), or save class ids as 8-bit grey PNG"
            )
        ids = np.array([known[int(code)] for code in present], dtype=np.uint8)
        return ids[inverse].reshape(codes.shape)

    def encode(self, raw: Tensor) -> Tensor:
        """One-hot by comparison: an invalid id that was missed cannot crash a kernel. On the CPU it is an error."""
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


def label_values(source: NDArray[Any] | Tensor | int, where: str) -> NDArray[Any]:
    """Ids (H, W) or colours (H, W, 3) of an array or tensor, as integers."""
    values = planes_last(source, where)
    return whole(values, where) if values.dtype.kind == "f" else values
