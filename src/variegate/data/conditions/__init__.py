"""What a condition is: read, encoded, shown. Every kind is imported here, so that it registers by existing."""

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
