"""Data: pairs of condition and image from folders, what a condition is, and which pair is visited when."""

from .conditions import AnyCondition, Labels, Landmarks, Normals, Picture, condition_from_mapping
from .pairs import Pairs, open_data
from .sampler import Endless
from .visits import Visits, to_batch

__all__ = [
    "AnyCondition",
    "Endless",
    "Labels",
    "Landmarks",
    "Normals",
    "Pairs",
    "Picture",
    "Visits",
    "condition_from_mapping",
    "open_data",
    "to_batch",
]
