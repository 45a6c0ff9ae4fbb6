"""What is known of a saved model: its `config.json`."""

from __future__ import annotations

from typing import Any

from ..core.config import Config
from ..core.interfaces import Shapes, Size


class ModelRecord(Config):
    """Everything needed to rebuild the generator and to describe it."""

    method: dict[str, Any]
    condition: dict[str, Any]  # how conditions are read and encoded
    condition_channels: int
    image_channels: int
    size: Size
    data: str
    step: int
    seed: int
    versions: dict[str, str]
    initial_share: float | None = None  # of the weights that training began with in these; unknown of older runs

    @property
    def shapes(self) -> Shapes:
        """What its networks are built for."""
        return Shapes(self.condition_channels, self.image_channels, self.size)
