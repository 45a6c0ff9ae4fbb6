"""Conditions as they are sent, from and to the raw planes that a model reads."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..core.errors import DataError
from ..core.images import to_pil
from ..core.interfaces import Size
from ..data.conditions import Condition, ImageCondition, Labels
from ..data.conditions.class_label import ClassLabel
from ..data.conditions.composite import CompositeCondition
from ..data.conditions.constant import Unconditional
from ..data.conditions.landmarks import Landmarks, points_of
from ..data.conditions.normals import Normals
from ..data.conditions.vector import Vector
from ..data.derived.derived import SuperRes
from . import wire
from .uploads import bytes_of, open_image


def need_of(condition: Condition) -> wire.PartNeed:
    """What one condition asks of the user."""
    if isinstance(condition, Labels):
        pairs = zip(condition.names, condition.palette)
        classes = [{"name": name, "colour": list(colour)} for name, colour in pairs]
        return wire.PartNeed(kind="labels", noun=condition.noun, classes=classes)
    if isinstance(condition, ImageCondition):
        shrink = condition.derived.factor if isinstance(condition.derived, SuperRes) else None
        return wire.PartNeed(kind="hole" if condition.channels == 4 else "image", noun=condition.noun, shrink=shrink)
    if isinstance(condition, Landmarks):
        return wire.PartNeed(kind="landmarks", noun=condition.noun, points=condition.points)
    if isinstance(condition, ClassLabel):
        return wire.PartNeed(kind="class", noun=condition.noun, names=list(condition.names))
    if isinstance(condition, Vector):
        return wire.PartNeed(kind="vector", noun=condition.noun, length=condition.length)
    if isinstance(condition, Unconditional):
        return wire.PartNeed(kind="none", noun=condition.noun)
    return wire.PartNeed(kind="image", noun=condition.noun)  # normals, as colours


def parts_of(condition: Condition) -> Sequence[Condition]:
    return condition.parts if isinstance(condition, CompositeCondition) else (condition,)


def read(condition: Condition, sent: Any, size: Size | None) -> Tensor:
    """The raw condition (c, H, W) of one that was sent (`wire.AnyCondition`), at `size` if given.

    Raises:
        DataError: it is not of the model's kind, or not valid.
    """
    parts = parts_of(condition)
    given = sent.parts if isinstance(sent, wire.Parts) else [sent]
    needed = [need_of(part).kind for part in parts]
    if [one.kind for one in given] != needed:
        got = " + ".join(one.kind for one in given)
        raise DataError(f"this model's condition is {' + '.join(needed)}, got {got}")
    sources = tuple(source_of(part, one) for part, one in zip(parts, given))
    return condition.read(sources if len(parts) > 1 else sources[0], size)


def source_of(condition: Condition, sent: Any) -> Any:
    """What `condition.read` takes for one part that was sent."""
    if isinstance(sent, wire.LabelMap):
        shape = (sent.height, sent.width)
        planes = [bytes_of(sent.ids, shape, "the label map (ids)")]
        if sent.boundaries is not None:
            planes.append(bytes_of(sent.boundaries, shape, "the label map (boundaries)"))
        return torch.from_numpy(np.stack(planes))
    if isinstance(sent, wire.ImageFile):
        return open_image(sent.data, "the image")
    if isinstance(sent, wire.Hole):
        image, mask = open_image(sent.image, "the image"), open_image(sent.mask, "the mask")
        return image.convert("RGB"), mask.convert("L")
    if isinstance(sent, wire.LandmarkPoints):
        assert isinstance(condition, Landmarks)
        scale = np.array([condition.frame[1] / sent.width, condition.frame[0] / sent.height])
        points = [(np.nan, np.nan) if point is None else point for point in sent.points]
        return (np.array(points, dtype=np.float64).reshape(-1, 2) + 0.5) * scale - 0.5
    if isinstance(sent, wire.ClassNumber):
        return sent.index
    if isinstance(sent, wire.VectorValues):
        return np.array(sent.values, dtype=np.float64)
    return "none"


def read_file(condition: Condition, data: str, size: Size) -> wire.Example:
    """An image file (base64) as a condition at `size`, as `variegate sample` reads one.

    Raises:
        DataError: conditions of this kind are not files of images, or this is not a valid one.
    """
    if need_of(condition).kind not in ("labels", "image", "hole"):
        raise DataError(f"this model's {condition.noun} is not an image file; set it on the page")
    source = open_image(data, "the file")
    made = example(condition, condition.read(source, size))
    if (source.height, source.width) == size:
        return made
    note = f"the file has {source.width}x{source.height} pixels and was resized to {size[1]}x{size[0]}"
    return made.model_copy(update={"note": note})


def write(condition: Condition, raw: Tensor) -> Any:
    """What would be sent for a raw condition (c, H, W): `read` gives the same one back (normals: within 8 bits)."""
    if isinstance(condition, CompositeCondition):
        pieces = zip(condition.parts, condition.split(raw))
        return wire.Parts(parts=[write(part, piece) for part, piece in pieces])
    height, width = raw.shape[1:]
    if isinstance(condition, Labels):
        ids, *boundaries = (base64.b64encode(plane.contiguous().numpy().tobytes()).decode() for plane in raw)
        return wire.LabelMap(height=height, width=width, ids=ids, boundaries=boundaries[0] if boundaries else None)
    if isinstance(condition, Landmarks):
        points = [None if x != x else (x, y) for x, y in points_of(raw).tolist()]  # NaN: not there
        return wire.LandmarkPoints(height=height, width=width, points=points)
    if isinstance(condition, ClassLabel):
        return wire.ClassNumber(index=int(raw[0, 0, 0]))
    if isinstance(condition, Vector):
        return wire.VectorValues(values=raw[:, 0, 0].tolist())
    if isinstance(condition, Unconditional):
        return wire.Nothing()
    if isinstance(condition, ImageCondition) and condition.channels == 4:
        return wire.Hole(image=png(raw[:3]), mask=png(raw[3:]))
    if isinstance(condition, ImageCondition) and isinstance(condition.derived, SuperRes):
        factor = condition.derived.factor
        return wire.ImageFile(data=png(raw[:, ::factor, ::factor]))
    return wire.ImageFile(data=png(condition.to_image(raw) if isinstance(condition, Normals) else raw))


def example(condition: Condition, raw: Tensor) -> wire.Example:
    """A raw condition (c, H, W), ready to be sent, and how it looks."""
    return wire.Example(condition=write(condition, raw), preview=png(condition.to_image(raw)))


def png(image: Tensor) -> str:
    """uint8 (3, H, W) or (1, H, W) as base64 PNG."""
    return base64.b64encode(png_bytes(to_pil(image))).decode()


def png_bytes(image: Image.Image) -> bytes:
    """A PNG, compressed for speed rather than size."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def digest(raw: Tensor) -> str:
    """16 digits that tell raw conditions apart."""
    shape = str((raw.dtype, tuple(raw.shape))).encode()
    return hashlib.sha256(shape + raw.contiguous().numpy().tobytes()).hexdigest()[:16]
