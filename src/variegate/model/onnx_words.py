"""What an ONNX file tells of itself: how conditions are encoded, which codes it takes, what it was trained on."""

from __future__ import annotations

import json

from ..core.interfaces import Generator
from ..data.conditions import Condition, ImageCondition, Labels
from ..data.conditions.class_label import ClassLabel
from ..data.conditions.composite import CompositeCondition
from ..data.conditions.landmarks import Landmarks
from ..data.conditions.normals import Normals
from ..data.conditions.vector import Vector
from ..runs.card import LICENCE
from ..runs.saved_model import ModelRecord

FORMAT = "variegate 1"


def metadata(generator: Generator, condition: Condition, record: ModelRecord, multiple: int | None) -> dict[str, str]:
    """Texts by name; lists and mappings as JSON.

    Args:
        multiple: what height and width must be multiples of; None: they are fixed.
    """
    height, width = record.size
    code = {
        "size": generator.code_size,
        "prior": generator.prior,
        "alternatives": generator.alternatives,
        "parts": list(generator.parts),
    }
    return {
        "format": FORMAT,
        "method": str(record.method["name"]),
        "paper": str(record.method["paper"]),
        "condition": encoding(condition),
        "condition_channels": str(condition.channels),
        "condition_config": json.dumps(record.condition),
        "classes": json.dumps(classes(condition)),
        "code": json.dumps(code),
        "code_in_words": codes_in_words(generator),
        "image": f"{'grey' if record.image_channels == 1 else 'RGB'} in [-1, 1]",
        "size": json.dumps([height, width]),
        "sizes": f"{height}x{width} only"
        if multiple is None
        else f"multiples of {multiple}, best near {height}x{width}",
        "data": record.data,
        "step": str(record.step),
        "versions": json.dumps(record.versions),
        "licence": LICENCE,
    }


def codes_in_words(generator: Generator) -> str:
    """How to draw codes (B, D)."""
    if not generator.code_size:
        return "none: there is one image of each condition"
    numbers = "normal numbers N(0, 1)" if generator.prior == "gaussian" else "uniform numbers in [0, 1)"
    if generator.alternatives is None:
        return f"{generator.code_size} independent {numbers}"
    return f"one of {generator.alternatives} images: (i + 0.5) / {generator.alternatives} is image i"


def classes(condition: Condition) -> list[str]:
    """Names of the classes of the first part that has some."""
    found = condition.part(Labels) or condition.part(ClassLabel)
    return [] if found is None else list(found.names)


def encoding(condition: Condition) -> str:
    """What each channel of an encoded condition (B, K, H, W) is."""
    if isinstance(condition, CompositeCondition):
        ends = [sum(part.channels for part in condition.parts[: i + 1]) for i in range(len(condition.parts))]
        told = [
            f"channels {end - part.channels} to {end - 1}: {encoding(part)}" for end, part in zip(ends, condition.parts)
        ]
        return "; ".join(told)
    if isinstance(condition, Labels):
        edges = "; the last channel is 1 where an instance ends" if condition.boundaries else ""
        return f"one-hot at every pixel: channel k is 1 where the class is k, 0 elsewhere{edges}"
    if isinstance(condition, ImageCondition):
        if condition.channels == 4:
            return "RGB in [-1, 1], then 1 in the hole and -1 outside"
        return f"{'grey' if condition.channels == 1 else 'RGB'} in [-1, 1]{enlarged(condition)}"
    if isinstance(condition, ClassLabel):
        return "one-hot, the same at every pixel: channel k is 1 if the class is k, else 0"
    if isinstance(condition, Vector):
        return "the vector's values, the same at every pixel"
    if isinstance(condition, Landmarks):
        spread = f"exp(-d^2 / {2 * condition.heat**2:g}) at d pixels from it" if condition.heat else "0 elsewhere"
        return f"a channel for each point: 1 at its pixel, {spread}"
    if isinstance(condition, Normals):
        return "x, y, z of unit vectors, 0 where there is no surface"
    return "none"


def enlarged(condition: ImageCondition) -> str:
    factor = getattr(condition.derived, "factor", None)
    return f"; each pixel of the low resolution repeated {factor}x{factor}" if factor else ""
