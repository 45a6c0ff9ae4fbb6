"""What `--condition` asks for: one word, or several joined by +, such as class+edges."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from ...core.errors import DataError, did_you_mean
from ...core.interfaces import Size
from ..derived.derived import DERIVED, check_derived, derived_channels
from .labels import AnyCondition, ClassName, Nothing, Picture, Several, Vector

GIVEN = ("class", "none", "vectors:FILE")
JOINT = re.compile(r"\+(?=(?:class|none|vectors|edges|grey|self|superres|inpaint|landmarks|normals)\b)")
FOLDERS = "cat/1.png, dog/1.png, or train/cat/1.png"


class Asked(NamedTuple):
    """The words of `--condition` in their order."""

    parts: tuple[str, ...]

    @property
    def derived(self) -> str | None:
        """The part that is made from the image."""
        return next((part for part in self.parts if not is_given(part)), None)

    @property
    def classes(self) -> bool:
        return "class" in self.parts

    @property
    def vectors(self) -> Path | None:
        """The file of vectors."""
        file = next((part for part in self.parts if part.startswith("vectors:")), None)
        return None if file is None else Path(file.removeprefix("vectors:"))


def is_given(part: str) -> bool:
    """Whether a part is not made from the image."""
    return part in ("class", "none") or part.partition(":")[0] == "vectors"


def asked(words: str, unpaired: bool = False) -> Asked:
    """
    Raises:
        DataError: there is no such condition, or these cannot be joined, or not be unpaired.
    """
    found = Asked(tuple(JOINT.split(words)))
    derived = [part for part in found.parts if not is_given(part)]
    for part in derived:
        if part.partition(":")[0] in ("landmarks", "normals") and len(found.parts) > 1:
            raise DataError(f"condition {words!r}: {part} cannot be joined with others; give it alone")
        if ":" not in part and part not in DERIVED and did_you_mean(part, GIVEN).startswith("did"):
            raise DataError(f"there is no condition {part!r}; {did_you_mean(part, GIVEN)}")
        check_derived(part, unpaired)
    if "vectors" in found.parts or "vectors:" in found.parts:
        raise DataError(f"condition {words!r}: name the file after a colon, such as vectors:embeddings.npy")
    kinds = [part.partition(":")[0] for part in found.parts]
    if len(found.parts) > 1 and ("none" in kinds or len(derived) > 1 or len(set(kinds)) < len(kinds)):
        raise DataError(
            f"condition {words!r}: joined can be class, one file of vectors, and one that is made from the image; "
            "leave something out"
        )
    if unpaired and len(derived) < len(found.parts):
        raise DataError(f"condition {words!r} cannot be unpaired: it belongs to an image; leave --unpaired out")
    return found


def condition_of(wanted: Asked, classes: tuple[str, ...], length: int | None, frame: Size, where: str) -> AnyCondition:
    """The condition that was asked for.

    Args:
        classes: names of the data's classes, empty if it has none.
        length: D of its vectors.
        frame: H, W of its images.

    Raises:
        DataError: the data have no classes.
    """
    if wanted.parts == ("none",):
        return Nothing(frame=frame)
    parts: list[ClassName | Vector | Picture] = []
    for part in wanted.parts:
        if part == "class":
            parts.append(ClassName(names=with_classes(classes, where), frame=frame))
        elif is_given(part):
            assert length is not None
            parts.append(Vector(length=length, file=part.removeprefix("vectors:"), frame=frame))
        else:
            parts.append(Picture(channels=derived_channels(part), derived=part))
    return parts[0] if len(parts) == 1 else Several(parts=tuple(parts))


def with_classes(classes: tuple[str, ...], where: str) -> tuple[str, ...]:
    """The classes. Raises DataError if there are none."""
    if not classes:
        raise DataError(
            f"{where}: has no classes; put the pictures of each into a folder of its own ({FOLDERS}), or give an "
            ".npz with labels; --condition none needs neither"
        )
    return classes


def words_of(given: AnyCondition | None) -> str | None:
    """What `--condition` would have said for a trained model's condition; None for one that a folder has."""
    if isinstance(given, Several):
        return "+".join(words_of(part) or "" for part in given.parts)
    if isinstance(given, Vector):
        return f"vectors:{given.file}"
    if isinstance(given, Picture):
        return given.derived
    return None if given is None or given.kind == "labels" else given.kind
