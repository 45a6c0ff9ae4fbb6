"""Instance maps and their boundaries, as in pix2pixHD (Wang et al., CVPR 2018, section 3.3)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...core.errors import DataError
from . import images as image_files
from .blobs import File
from .sources import OneSource, on_disk, planes_last, whole


def read_instances(source: OneSource, where: str) -> NDArray[np.int64]:
    """Read instance ids (H, W), any integers: 8- or 16-bit grey, palette indices, or colours, one id per colour.

    Raises:
        DataError: the source is a JPEG, has fractions, or is not an image.
    """
    if isinstance(source, str | File | Image.Image):
        values, _ = image_files.read_labels(on_disk(source), where, "an instance map")
    else:
        values = planes_last(source, where)
        values = whole(values, where) if values.dtype.kind == "f" else values
    values = values.astype(np.int64)
    return values if values.ndim == 2 else (values[..., 0] << 16) | (values[..., 1] << 8) | values[..., 2]


def boundary(ids: NDArray[Any]) -> image_files.Pixels:
    """1 where the id (H, W) differs from that of the pixel above, below, left or right, else 0: uint8 (H, W)."""
    edge = np.zeros(ids.shape, dtype=np.uint8)
    down, right = ids[1:] != ids[:-1], ids[:, 1:] != ids[:, :-1]
    for part, differs in ((edge[1:], down), (edge[:-1], down), (edge[:, 1:], right), (edge[:, :-1], right)):
        part |= differs
    return edge


def with_boundaries(ids: image_files.Pixels, instances: NDArray[Any], where: str) -> image_files.Pixels:
    """Stack class ids (H, W) and the boundaries of an instance map of the same size: uint8 (H, W, 2).

    Raises:
        DataError: the instance map, named by `where`, has another size.
    """
    if instances.shape != ids.shape:
        raise DataError(f"{where}: {misfit(instances.shape, ids.shape)}")
    return np.dstack([ids, boundary(instances)])


def misfit(instances: tuple[int, ...], labels: tuple[int, ...]) -> str:
    """The error for an instance map (H, W) that differs in size from its label map."""
    return (
        f"is {instances[1]}x{instances[0]}, but its label map is {labels[1]}x{labels[0]}; "
        "save both at the same size, without interpolation"
    )
