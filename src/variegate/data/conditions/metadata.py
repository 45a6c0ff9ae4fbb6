"""What is known of an image beside its pixels, and the conditions that are made of that alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...core.errors import DataError
from ...core.interfaces import Size
from .labels import AnyCondition, ClassName, Nothing, Picture, Several, Vector

P = TypeVar("P", ClassName, Vector, Picture)


class Facts(NamedTuple):
    """Of one image."""

    label: int | None = None  # number of its class in the data
    vector: NDArray[np.float32] | None = None  # (D,)


def part_of(condition: AnyCondition, kind: type[P]) -> P | None:
    """The condition itself if it is of a kind, or its first part that is."""
    parts = condition.parts if isinstance(condition, Several) else (condition,)
    return next((part for part in parts if isinstance(part, kind)), None)


def class_in(condition: AnyCondition, raw: Tensor) -> str | None:
    """Name of the class that a raw condition (c, H, W) says, or None where conditions say none."""
    parts = condition.parts if isinstance(condition, Several) else (condition,)
    pieces = condition.taken_apart(raw) if isinstance(condition, Several) else [raw]
    told = (part.names[int(piece[0, 0, 0])] for part, piece in zip(parts, pieces) if isinstance(part, ClassName))
    return next(told, None)


def is_known(condition: AnyCondition) -> bool:
    """Whether facts alone make it: nothing, a class, a vector, or several of these."""
    return isinstance(condition, Nothing | ClassName | Vector | Several) and part_of(condition, Picture) is None


def stated(condition: AnyCondition, facts: Facts, size: Size, picture: Tensor | None = None) -> Tensor:
    """Raw planes (c, H, W) at `size` of what facts say.

    Args:
        picture: the raw condition of the part that is a picture.
    """
    if isinstance(condition, Several):
        parts = [
            picture if isinstance(part, Picture) and picture is not None else stated(part, facts, size)
            for part in condition.parts
        ]
        return condition.joined(parts)
    if isinstance(condition, ClassName):
        assert facts.label is not None
        return condition.read(facts.label, size)
    if isinstance(condition, Vector):
        assert facts.vector is not None
        return condition.read(facts.vector, size)
    assert isinstance(condition, Nothing)
    return condition.read("none", size)


def translated(condition: AnyCondition, classes: Sequence[str], where: str) -> NDArray[np.int64]:
    """The number in the condition of each class of the data, (K,).

    Raises:
        DataError: the data have no classes, or one that the condition does not know.
    """
    wanted = part_of(condition, ClassName)
    if wanted is None:
        return np.arange(len(classes))
    foreign = [name for name in classes if name not in wanted.names]
    if foreign or not classes:
        raise DataError(
            f"{where}: has {f'a class {foreign[0]!r}' if foreign else 'no classes'}, but the model knows "
            f"{wanted.channels}: {', '.join(wanted.names[:5])}{', ...' * (wanted.channels > 5)}; give data with these"
        )
    return np.array([wanted.names.index(name) for name in classes])


def evenly(labels: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """An order in which every stretch has each class by its share, each class in its own order.

    What is held out, the end, then has pictures of every class.
    """
    numbers = np.asarray(labels)
    place = np.empty(len(numbers))
    for label in np.unique(numbers):
        own = np.flatnonzero(numbers == label)
        place[own] = (np.arange(len(own)) + 0.5) / len(own)
    return np.lexsort((numbers, place))
