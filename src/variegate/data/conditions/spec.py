"""The value of `--condition`: one condition, or several joined by +, such as class+edges."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, InstanceOf, PlainSerializer

from ...core.errors import DataError, did_you_mean
from ...core.interfaces import Size
from ..derived.derived import KNOWN, Derived, parse_derived
from .class_label import ClassLabel
from .composite import CompositeCondition
from .condition import Condition
from .constant import Unconditional
from .image import ImageCondition
from .vector import Vector

GIVEN = ("class", "none", "vectors:FILE", "labels", "landmarks", "normals")
JOINT = re.compile(r"\+(?=(?:class|none|vectors|edges|grey|self|superres|inpaint|labels|landmarks|normals)(?=[:+]|$))")
FOLDERS = "cat/1.png, dog/1.png, or train/cat/1.png"


@dataclass(frozen=True)
class OfClass:
    """The class of an image in the data."""

    def __str__(self) -> str:
        return "class"


@dataclass(frozen=True)
class OfVector:
    """A row of a vector file."""

    file: Path

    def __str__(self) -> str:
        return f"vectors:{self.file}"


@dataclass(frozen=True)
class OfNothing:
    """No condition: an unconditional model."""

    def __str__(self) -> str:
        return "none"


@dataclass(frozen=True)
class OfLandmarks:
    """Landmarks stored alongside the images, as blobs of `heat` pixels, or single pixels if 0."""

    heat: float = 0.0

    def __str__(self) -> str:
        return f"landmarks:{self.heat:g}" if self.heat else "landmarks"


@dataclass(frozen=True)
class OfNormals:
    """Surface normals stored alongside the images."""

    def __str__(self) -> str:
        return "normals"


@dataclass(frozen=True)
class OfLabels:
    """Label maps stored alongside the images."""

    def __str__(self) -> str:
        return "labels"


Stored = OfLabels | OfLandmarks | OfNormals
Part = OfClass | OfVector | OfNothing | Stored | Derived


@dataclass(frozen=True)
class ConditionSpec:
    """The parts in order; `str` gives the text of `--condition`."""

    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return "+".join(map(str, self.parts))

    @property
    def derived(self) -> Derived | None:
        """The part that is derived from the image."""
        return next((part for part in self.parts if isinstance(part, Derived)), None)

    @property
    def stored(self) -> tuple[Stored, ...]:
        """The parts that are stored alongside the images."""
        return tuple(part for part in self.parts if isinstance(part, Stored))

    @property
    def landmarks(self) -> OfLandmarks | None:
        return next((part for part in self.parts if isinstance(part, OfLandmarks)), None)

    @property
    def classes(self) -> bool:
        return OfClass() in self.parts

    @property
    def vectors(self) -> Path | None:
        """The vector file."""
        return next((part.file for part in self.parts if isinstance(part, OfVector)), None)

    def check_unpaired(self) -> None:
        """Raise DataError if the condition belongs to its image, so that it cannot be combined with another image."""
        if self.parts == (OfLabels(),):
            return
        if self.derived is None or len(self.parts) > 1:
            raise DataError(f"condition {str(self)!r} cannot be unpaired: it belongs to an image; omit --unpaired")
        if self.derived.cuts_hole:
            raise DataError(
                f"condition {str(self)!r} cannot be unpaired: a hole is filled in the image that it was cut from; "
                "omit one of them"
            )


def parse_spec(text: Any) -> Any:
    """Parse the text of `--condition`; anything else is left to validation.

    Raises:
        DataError: there is no such condition, or the conditions cannot be joined.
    """
    if not isinstance(text, str):
        return text
    spec = ConditionSpec(tuple(parse_part(word, text) for word in JOINT.split(text)))
    if spec.classes and any(isinstance(part, OfLabels | OfNormals) for part in spec.parts):
        raise DataError(
            f"condition {text!r}: images with label maps or normals do not lie in class folders; give their classes as "
            "vectors"
        )
    kinds = [Derived if isinstance(part, Derived) else type(part) for part in spec.parts]
    maps = {Derived} & {*kinds} and {OfLabels, OfNormals} & {*kinds}
    if len(kinds) > 1 and (maps or OfNothing() in spec.parts or len(set(kinds)) < len(kinds)):
        raise DataError(
            f"condition {text!r}: only class, one vector file, landmarks, and either labels and normals or what is "
            "derived from the image can be joined; omit the others"
        )
    return spec


def parse_part(word: str, text: str) -> Part:
    """Parse one part `word` of the condition `text`."""
    name, colon, setting = word.partition(":")
    plain: dict[str, Part] = {
        "class": OfClass(),
        "none": OfNothing(),
        "normals": OfNormals(),
        "labels": OfLabels(),
        "landmarks": OfLandmarks(),
    }
    if word in plain:
        return plain[word]
    if name == "vectors":
        if not setting:
            raise DataError(f"condition {text!r}: vectors needs a file after a colon, such as vectors:embeddings.npy")
        return OfVector(Path(setting))
    if name == "landmarks":
        if not setting.replace(".", "", 1).isdecimal():
            raise DataError(f"condition {text!r}: expected landmarks, or landmarks:1.5 for blobs of 1.5 pixels")
        return OfLandmarks(float(setting))
    if not colon and word not in KNOWN and did_you_mean(word, GIVEN).startswith("did"):
        raise DataError(f"there is no condition {word!r}; {did_you_mean(word, GIVEN)}")
    derived: Derived = parse_derived(word)
    return derived


SpecField = Annotated[InstanceOf[ConditionSpec], BeforeValidator(parse_spec), PlainSerializer(str)]


def spec_of(condition: Condition | None) -> ConditionSpec | None:
    """The `--condition` of a trained model's condition; None for one that is read from a folder."""
    if condition is None or (condition.kind in ("labels", "image") and condition.spelling == condition.kind):
        return None
    spec: ConditionSpec = parse_spec(condition.spelling)
    return spec


class Found(NamedTuple):
    """The contents of data that a condition may be made of."""

    classes: tuple[str, ...]  # class names, empty if there are no classes
    length: int | None  # D of the vectors
    frame: Size  # H, W of the images
    where: str


def condition_of(spec: ConditionSpec, found: Found, stored: Mapping[type[Any], Condition] | None = None) -> Condition:
    """The requested condition.

    Args:
        stored: the conditions of its `Stored` parts, by the parts' types.

    Raises:
        DataError: the data have no classes.
    """
    if spec.parts == (OfNothing(),):
        return Unconditional(frame=found.frame)
    parts: list[Condition] = []
    for part in spec.parts:
        if stored and type(part) in stored:
            parts.append(stored[type(part)])
        elif isinstance(part, Derived):
            parts.append(ImageCondition(channels=part.channels, derived=part))
        elif isinstance(part, OfVector):
            assert found.length is not None
            parts.append(Vector(length=found.length, file=str(part.file), frame=found.frame))
        else:
            parts.append(ClassLabel(names=with_classes(found.classes, found.where), frame=found.frame))
    return parts[0] if len(parts) == 1 else CompositeCondition(parts=tuple(parts))


def with_classes(classes: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Return the classes. Raises DataError if there are none."""
    if not classes:
        raise DataError(
            f"{where}: has no classes; put the images of each class into their own folder ({FOLDERS}), give an "
            ".npz with labels, or use --condition none"
        )
    return classes
