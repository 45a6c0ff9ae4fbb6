"""What is known about an image besides its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Metadata(NamedTuple):
    """Metadata of one image."""

    label: int | None = None  # number of its class in the data
    vector: NDArray[np.float32] | None = None  # (D,)


def evenly(labels: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """An order in which every stretch has each class in proportion; order within a class is kept.

    The end, which is held out, then has images of every class.
    """
    numbers = np.asarray(labels)
    place = np.empty(len(numbers))
    for label in np.unique(numbers):
        own = np.flatnonzero(numbers == label)
        place[own] = (np.arange(len(own)) + 0.5) / len(own)
    return np.lexsort((numbers, place))
