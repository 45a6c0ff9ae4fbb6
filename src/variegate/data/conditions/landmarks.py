"""Landmarks as a condition: one plane for each of P named points.

Coordinates are x, y in pixels, x to the right and y down; the centre of the first pixel is (0, 0).
"""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field
from torch import Tensor

from ...core.errors import ConfigError, DataError
from ...core.interfaces import Size
from ..files import images as image_files
from ..files.landmarks import Points, read_points
from ..files.sources import Source
from .condition import Condition, PairParts

FAR = 0.5  # of a side: points further outside cannot belong to the image


class Landmarks(Condition):
    """P points, some of which may be absent.

    Raw: uint8 (P, H, W), plane p is 1 at landmark p (rounded, clamped to the image), or 0 everywhere if it is absent.
    Encoded: the same as floats, or with `heat`, a Gaussian with peak 1 around each point.
    """

    suffixes: ClassVar[frozenset[str]] = frozenset([".json", ".csv", ".pts"])

    kind: Literal["landmarks"] = "landmarks"
    points: int = Field(ge=1, description="P")
    heat: float = Field(
        0.0, ge=0, description="standard deviation in pixels of the blob at each point; 0: one pixel, as published"
    )
    frame: tuple[int, int] = Field(description="H, W of the image that a bare list of points refers to")

    @property
    def channels(self) -> int:
        """K of encoded conditions."""
        return self.points

    @property
    def noun(self) -> str:
        return "list of landmarks"

    @property
    def spelling(self) -> str:
        return f"landmarks:{self.heat:g}" if self.heat else "landmarks"

    def describe(self) -> str:
        shape = f"blobs of {self.heat:g} pixels" if self.heat else "one pixel each"
        return f"{self.points} landmarks, {shape}"

    def of_pair(self, pair: PairParts, size: Size) -> Tensor:
        points, frame = pair.landmarks()
        return self.place(points, frame, size, pair.name)

    def read(self, source: Source, size: Size | None = None) -> Tensor:
        """uint8 (P, H, W) at `size`, by default at `frame`.

        Args:
            source: a .json, .csv or .pts file of one image, x, y (P, 2) in pixels of `frame`, or raw planes. An absent
                point is null or NaN.

        Raises:
            DataError: the source cannot be read, or does not have P points.
        """
        where = str(source) if isinstance(source, str | Path) else f"the given {self.noun}"
        if isinstance(source, str | Path):
            return self.place(read_points(Path(source)), self.frame, size, where)
        if isinstance(source, tuple | Image.Image):
            raise DataError(
                f"{where}: expected x, y ({self.points}, 2) or a .json, .csv or .pts file, got an image or a pair"
            )
        values = source.detach().cpu().numpy() if isinstance(source, Tensor) else np.asarray(source)
        if values.dtype.kind not in "buif":
            raise DataError(f"{where}: expected numbers, got values of type {values.dtype}")
        if values.ndim == 3:
            return super().read(torch.as_tensor(values), size)
        if values.ndim != 2 or values.shape[1] != 2:
            raise DataError(f"{where}: expected shape ({self.points}, 2) or planes (P, H, W), got {values.shape}")
        return self.place(values.astype(np.float32), self.frame, size, where)

    def place(self, points: Points, frame: Size, size: Size | None = None, where: str = "the landmarks") -> Tensor:
        """Convert x, y (P, 2), in pixels of an image of `frame`, to uint8 (P, H, W) at `size`, by default at `frame`.

        Raises:
            DataError: wrong number of points, or points far outside the image.
        """
        if len(points) != self.points:
            raise DataError(f"{where}: expected {self.points} points, as in the rest of the data, got {len(points)}")
        check_inside(points, frame, where)
        (height, width), (given_height, given_width) = size or frame, frame
        scale = np.array([width / given_width, height / given_height])
        there = np.isfinite(points).all(axis=1)
        spots = np.rint((points[there].astype(np.float64) + 0.5) * scale - 0.5)
        columns, rows = spots.clip(0, (width - 1, height - 1)).astype(np.int64).T
        planes = np.zeros((self.points, height, width), dtype=np.uint8)
        planes[np.flatnonzero(there), rows, columns] = 1
        return torch.from_numpy(planes)

    def pixels(self, source: Source, where: str) -> image_files.Pixels:
        """Checked planes (H, W, P), each with at most one point."""
        values = np.asarray(source)
        if values.shape[0] != self.points:
            raise DataError(f"{where}: expected {self.points} planes, one per landmark, got {values.shape[0]}")
        planes = (values != 0).astype(np.uint8)
        crowded = np.flatnonzero(planes.sum(axis=(1, 2), dtype=np.int64) > 1)
        if len(crowded):
            raise DataError(f"{where}: plane {crowded[0]} marks more than one pixel; each plane must mark at most one")
        return planes.transpose(1, 2, 0)

    def resize(self, pixels: image_files.Pixels, size: Size, where: str = "the landmarks") -> image_files.Pixels:
        """Planes (H, W, P) at `size`, with each point moved to its position there."""
        if pixels.shape[:2] == size:
            return pixels
        placed = self.place(points_of(torch.from_numpy(pixels.transpose(2, 0, 1))).numpy(), pixels.shape[:2], size)
        return placed.permute(1, 2, 0).numpy()

    def encode(self, raw: Tensor) -> Tensor:
        """1 at the pixel of each point, or exp(-d^2 / (2 heat^2)) at a distance of d pixels from it."""
        if not self.heat:
            return raw.float()
        rows, columns = raw.amax(dim=3).float(), raw.amax(dim=2).float()  # (B, P, H), (B, P, W)
        return self._blurred(rows).unsqueeze(3) * self._blurred(columns).unsqueeze(2)

    def _blurred(self, marks: Tensor) -> Tensor:
        """Convert (B, P, L), with at most one 1 per row, to a Gaussian around each 1."""
        length = marks.shape[-1]
        steps = torch.arange(length, device=marks.device, dtype=torch.float32)
        bell = torch.exp(-((steps - steps.unsqueeze(1)) ** 2) / (2 * self.heat**2))  # (L, L)
        return bell[marks.argmax(dim=-1)] * marks.amax(dim=-1, keepdim=True)

    def to_image(self, raw: Tensor) -> Tensor:
        """A dot for each point on black, with hues in point order."""
        reach = max(1, round(max(raw.shape[-2:]) / 96))  # dots of 3 pixels up to 144, wider in larger images
        dots = F.max_pool2d(raw.float().unsqueeze(0), 2 * reach + 1, 1, reach)[0]  # (P, H, W)
        hues = [colorsys.hsv_to_rgb(0.85 * p / max(1, self.points - 1), 0.55, 1.0) for p in range(self.points)]
        colours = torch.tensor(hues, device=raw.device).view(self.points, 3, 1, 1) * 255
        shown = torch.zeros(3, *raw.shape[-2:], device=raw.device)
        for dot, colour in zip(dots, colours):
            shown = torch.where(dot > 0, colour, shown)
        return shown.round().to(torch.uint8)

    def check_mirroring(self) -> None:
        raise ConfigError(
            "pairs with landmarks cannot be mirrored, because left landmarks would become right ones; "
            "give --training.flip false"
        )


def points_of(planes: Tensor) -> Tensor:
    """Convert raw planes (..., P, H, W) to x, y float (..., P, 2); NaN where a plane is empty."""
    width = planes.shape[-1]
    flat = planes.flatten(-2)
    spot = flat.argmax(dim=-1)
    found = torch.stack([spot % width, spot // width], dim=-1).float()
    return torch.where(flat.amax(dim=-1, keepdim=True) > 0, found, torch.nan)


def check_inside(points: NDArray[Any], frame: Size, where: str) -> None:
    """Raise DataError if a point lies more than half a side outside an image of `frame`."""
    height, width = frame
    for p, (x, y) in enumerate(points):
        if x < -FAR * width or x > (1 + FAR) * width or y < -FAR * height or y > (1 + FAR) * height:
            raise DataError(
                f"{where}: point {p} at ({x:g}, {y:g}) is far outside the image of {width}x{height}; "
                "coordinates must be x, y in pixels of the image itself"
            )
