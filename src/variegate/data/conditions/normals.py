"""Surface normals as a condition: the direction a surface faces at every pixel, read without loss of precision.

x points to the right of the image; the directions of y and z depend on the data and must be consistent within them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ...core.errors import DataError
from ...core.images import to_uint8
from ...core.interfaces import Size
from ..files import images as image_files
from ..files.blobs import Blob, File, as_path
from ..files.sources import Source
from .condition import Condition, PairParts

STEPS = 32767  # the raw value of 1.0
NOTHING = 0.1  # shorter vectors are not normals; grey 127 or 128 has length 0.007
TOLERANCE = 0.1  # maximum deviation of a length from 1
COVERED = 0.5  # fraction of a resized pixel that must have normals
SHAPES = "(H, W, 3) or (3, H, W)"


class Normals(Condition):
    """Unit vectors, zero where there is no surface.

    Raw: int16 (3, H, W) = round(32767 n); encoded: float (B, 3, H, W) in [-1, 1]. Files: .npy of floats (H, W, 3),
    .exr, or an 8-bit image that codes n = v / 127.5 - 1, where black and mid grey mean no surface.
    """

    suffixes: ClassVar[frozenset[str]] = frozenset([".npy", ".exr", ".png"])

    kind: Literal["normals"] = "normals"
    channels: Literal[3] = 3

    @property
    def noun(self) -> str:
        return "map of normals"

    @property
    def dtype(self) -> torch.dtype:
        return torch.int16

    def describe(self) -> str:
        return "surface normals"

    def of_pair(self, pair: PairParts, size: Size) -> Tensor:
        return self.tensor(pair.normals(), size)

    def pixels(self, source: Source, where: str) -> NDArray[np.float32]:
        """Checked float32 (H, W, 3), each of length 1 or 0. int16 (3, H, W), as `read` returns it, is kept exactly."""
        if isinstance(source, tuple):
            raise DataError(f"{where}: expected one map of normals, got a pair; give only the map")
        if isinstance(source, str | File | Image.Image):
            return unit(_from_file(Path(source) if isinstance(source, str) else source, where), where)
        values = _planes_last(source, where)
        if values.dtype == np.int16:
            return (values / STEPS).astype(np.float32)
        return unit(_decode(values) if values.dtype == np.uint8 else values, where)

    def resize(self, pixels: NDArray[Any], size: Size, where: str = "the map of normals") -> NDArray[Any]:
        """Average and renormalise to unit length; zero where less than half of a pixel has normals."""
        if pixels.shape[:2] == size:
            return pixels
        there = (np.abs(pixels).sum(axis=2) > 0).astype(np.float32)
        *planes, cover = [_average(plane, size) for plane in (*pixels.transpose(2, 0, 1), there)]
        return _divide(np.dstack(planes), np.asarray(cover) >= COVERED)

    def tensor(self, pixels: NDArray[Any], size: Size | None = None, where: str = "the map of normals") -> Tensor:
        """Convert unit vectors (H, W, 3) to raw int16 (3, H, W), resized to `size` if given."""
        floats = super().tensor(pixels, size, where)
        return (floats * STEPS).round().to(torch.int16)

    def encode(self, raw: Tensor) -> Tensor:
        return raw.float() / STEPS

    def to_image(self, raw: Tensor) -> Tensor:
        """The usual colour coding: -1 .. 1 as 0 .. 255."""
        return to_uint8(raw.float() / STEPS)

    def mirror(self, raw: Tensor) -> Tensor:
        """Flip the image and negate x, so that left-facing surfaces face right."""
        return raw.flip(-1) * torch.tensor([-1, 1, 1], dtype=raw.dtype, device=raw.device).view(3, 1, 1)


def unit(values: NDArray[Any], where: str) -> NDArray[np.float32]:
    """Vectors (H, W, 3) of length 1, or 0 for those shorter than `NOTHING`.

    Raises:
        DataError: a value is NaN or infinite, or a vector has another length.
    """
    vectors = values.astype(np.float64)
    if not np.isfinite(vectors).all():
        raise DataError(f"{where}: holds NaN or infinity; write (0, 0, 0) where there is no normal")
    length = np.linalg.norm(vectors, axis=2)
    there = length >= NOTHING
    off = np.abs(length - 1) * there
    if off.size and off.max() > TOLERANCE:
        y, x = np.unravel_index(int(off.argmax()), off.shape)
        raise DataError(
            f"{where}: has normals that are not of unit length: {length[y, x]:.3g} at x {x}, y {y}, and "
            f"{100 * float((off > TOLERANCE).mean()):.2g} % of them are off by more than {TOLERANCE:g}; "
            "divide each by its length, and write (0, 0, 0) where there is none"
        )
    return _divide(vectors, there)


def _divide(vectors: NDArray[Any], there: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Normalise (H, W, 3) to length 1; zero where not `there` or where opposite vectors cancel."""
    length = np.linalg.norm(vectors, axis=2, keepdims=True)
    kept = there[..., None] & (length > 1e-6)
    return np.where(kept, vectors / np.where(kept, length, 1), 0).astype(np.float32)


def _average(plane: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    """Resize a plane (H, W) with antialiasing."""
    return np.asarray(Image.fromarray(plane).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _from_file(source: File | Image.Image, where: str) -> NDArray[Any]:
    suffix = source.suffix.lower() if isinstance(source, File) else ""
    if isinstance(source, File) and suffix in (".npy", ".exr"):
        if isinstance(source, Path) and not source.is_file():
            raise DataError(f"{where}: there is no such file")
        return _from_npy(source, where) if suffix == ".npy" else _from_exr(source, where)
    image = image_files.open_image(source) if isinstance(source, File) else source
    if image.format in ("JPEG", "MPO"):
        raise DataError(
            f"{where}: is a map of normals saved as JPEG, which corrupts them; save it as PNG, or as .npy of floats"
        )
    if image.mode not in ("RGB", "RGBA"):
        raise DataError(f"{where}: is an image in mode {image.mode}; normals must be stored in RGB, n = v / 127.5 - 1")
    return _decode(np.array(image)[..., :3])


def _decode(values: NDArray[np.uint8]) -> NDArray[np.float32]:
    """n = v / 127.5 - 1; black, which does not code a unit vector, means no normal."""
    vectors = values.astype(np.float32) / 127.5 - 1
    vectors[(values == 0).all(axis=2)] = 0
    return vectors


def _from_npy(path: File, where: str) -> NDArray[Any]:
    try:
        values = np.load(path.open() if isinstance(path, Blob) else path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{where}: is not an .npy file of numbers, or is cut short ({error}); write it again") from None
    if values.dtype.kind != "f":
        raise DataError(f"{where}: expected floats (H, W, 3) in [-1, 1], got {values.dtype}")
    return _planes_last(values, where)


def _from_exr(path: File, where: str) -> NDArray[Any]:
    """Channels R, G, B or X, Y, Z of the first part."""
    try:
        import OpenEXR
    except ImportError:
        raise DataError(f"{where}: needs the package OpenEXR: pip install 'variegate[exr]'") from None
    try:
        with as_path(path) as place, OpenEXR.File(str(place), separate_channels=True) as file:
            channels = {name.upper(): np.array(channel.pixels) for name, channel in file.channels().items()}
    except Exception as error:  # OpenEXR raises RuntimeError, ValueError and others
        raise DataError(f"{where}: is not an OpenEXR file, or is cut short ({error}); write it again") from None
    for names in ("RGB", "XYZ"):
        if all(name in channels for name in names):
            return np.dstack([channels[name] for name in names])
    raise DataError(f"{where}: expected channels R, G, B or X, Y, Z, got {', '.join(sorted(channels))}")


def _planes_last(source: NDArray[Any] | Tensor | int, where: str) -> NDArray[Any]:
    """(H, W, 3), with planes first or last in the source; if both fit, first for tensors and last for arrays."""
    values = source.detach().cpu().numpy() if isinstance(source, Tensor) else np.asarray(source)
    if values.ndim == 3 and values.shape[0] == 3 and (isinstance(source, Tensor) or values.shape[2] != 3):
        values = values.transpose(1, 2, 0)
    if values.ndim != 3 or values.shape[2] != 3 or not values.size:
        raise DataError(f"{where}: expected shape {SHAPES}, got {tuple(values.shape)}")
    if values.dtype.kind != "f" and values.dtype not in (np.int16, np.uint8):
        raise DataError(f"{where}: expected floats in [-1, 1], got {values.dtype}")
    return values
