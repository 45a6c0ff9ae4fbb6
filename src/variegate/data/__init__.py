"""Data: pairs of condition and image from folders, kinds of conditions, and the order in which pairs are visited."""

from .conditions import Condition, condition_from_mapping
from .dataset.opening import DataConfig, open_data
from .dataset.pairs import Pairs

__all__ = ["Condition", "DataConfig", "Pairs", "condition_from_mapping", "open_data"]
