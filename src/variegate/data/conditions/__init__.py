"""Conditions: how they are read, encoded and shown. Importing a kind registers it, so all are imported here."""

from .class_label import ClassLabel
from .composite import CompositeCondition
from .condition import AnyCondition, Condition, condition_from_mapping
from .constant import Unconditional
from .image import ImageCondition
from .labels import Labels
from .landmarks import Landmarks
from .normals import Normals
from .vector import Vector

__all__ = [
    "AnyCondition",
    "ClassLabel",
    "CompositeCondition",
    "Condition",
    "ImageCondition",
    "Labels",
    "Landmarks",
    "Normals",
    "Unconditional",
    "Vector",
    "condition_from_mapping",
]
