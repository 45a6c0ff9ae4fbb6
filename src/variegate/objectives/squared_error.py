"""Plain regression: the mean squared error of one image per condition, whose optimum is the average image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from torch.nn import functional as F

from ..core.interfaces import Batch, Generator, Losses, Objective, Shapes
from ..core.method import ObjectiveConfig, Opposite


class SquaredError(Objective):
    """Mean squared error of images in [-1, 1]: four times that of images in [0, 1]."""

    def updates(self, generator: Generator, batch: Batch, step: int) -> Iterator[Losses]:
        images = generator(batch.condition, generator.draw_for(batch.key, 1))
        yield {"generator": {"squared_error": F.mse_loss(images[:, 0], batch.image)}}


class SquaredErrorConfig(ObjectiveConfig):
    summary: ClassVar[str] = "mean squared error, whose optimum is the average of all images"

    kind: Literal["squared_error"] = "squared_error"

    def build(self, shapes: Shapes, opposite: Opposite) -> SquaredError:
        return SquaredError()
