"""Data: pairs of condition and image from folders, what a condition is, and which pair is visited when."""

from .conditions import Condition, condition_from_mapping
from .dataset.opening import DataConfig, open_data
from .dataset.pairs import Pairs

__all__ = ["Condition", "DataConfig", "Pairs", "condition_from_mapping", "open_data"]
