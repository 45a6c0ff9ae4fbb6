"""Which of several named columns of images is the condition: for tables, and for tar files of samples."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from ...core.errors import DataError
from .names import Role, role_of
from .pairing import COMPLEMENTS

MORE: dict[str, Role] = {"conditioning": "input", "original": "input", "control": "input", "edited": "target"}
CLASS_NAMES = ("label", "labels", "class", "classes", "category", "target")
HOW = "name one `condition` and the other `image`"


class Chosen(NamedTuple):
    """The columns of a pair, or of images alone; `why` is a clause that says what told them."""

    image: str
    condition: str | None
    kind: Literal["labels", "images", "derived"]
    why: str


def choose_columns(names: Sequence[str], where: str, is_labels: Callable[[str], bool], how: str = HOW) -> Chosen:
    """Choose among columns of images.

    Args:
        is_labels: whether the values of a column are class ids.
        how: to tell by names.

    Raises:
        DataError: the names leave it open.
    """
    if len(names) == 1:
        return Chosen(names[0], None, "derived", f"{names[0]} is the only column of images")
    roles = {name: _role(name) for name in names}
    if len(names) == 2:
        first, second = names
        labels = [name for name in names if roles[name] == "labels"]
        if len(labels) == 1:
            image = second if labels[0] == first else first
            return Chosen(image, labels[0], "labels", f"{labels[0]} has label maps, by its name")
        for one, other in COMPLEMENTS:
            for condition, image in ((first, second), (second, first)):
                if (roles[condition], roles[image]) == (one, other):
                    return Chosen(image, condition, "images", f"{condition} is the condition, by its name")
        flat = [name for name in names if is_labels(name)]
        if len(flat) == 1:
            image = second if flat[0] == first else first
            return Chosen(image, flat[0], "labels", f"{flat[0]} has label maps, by its values")
    shown = ", ".join(map(repr, names))
    raise DataError(f"{where}: has the columns of images {shown}, which do not say what is the condition; {how}")


def _role(name: str) -> Role | None:
    """The role that a name, or exactly one of its words, indicates."""
    whole = role_of(name)
    if whole is not None:
        return whole
    words = re.split(r"[\W_]+|(?<=[a-z])(?=[A-Z])", name)
    found = {role for word in words if (role := MORE.get(word.lower()) or role_of(word)) not in (None, "image")}
    return found.pop() if len(found) == 1 else "image" if not found and "image" in map(str.lower, words) else None
