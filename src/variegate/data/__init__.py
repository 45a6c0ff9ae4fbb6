"""Data: pairs of condition and image from folders, what a condition is, and which pair is visited when."""

from .conditions.labels import (
    AnyCondition,
    ClassName,
    Labels,
    Landmarks,
    Normals,
    Nothing,
    Picture,
    Several,
    Vector,
    condition_from_mapping,
)
from .dataset.pairs import Pairs, open_data
from .dataset.sampler import Endless
from .dataset.visits import Visits, to_batch

__all__ = [
    "AnyCondition",
    "ClassName",
    "Endless",
    "Labels",
    "Landmarks",
    "Normals",
    "Nothing",
    "Pairs",
    "Picture",
    "Several",
    "Vector",
    "Visits",
    "condition_from_mapping",
    "open_data",
    "to_batch",
]
