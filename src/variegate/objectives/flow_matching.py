"""Flow matching: regression of the velocity that carries noise straight to an image (Lipman et al., ICLR 2023, eq 23).

    L = E |v(x_t, t, condition) - (image - noise)|^2,    x_t = (1 - t) noise + t image,    t = sigmoid(s z + m)

Times are logit-normal (Esser et al., ICML 2024).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar, Literal, cast

import torch
from pydantic import Field
from torch import Tensor

from ..core import codes
from ..core.capabilities import HasVelocity
from ..core.interfaces import Batch, Generator, Losses, Objective, Shapes
from ..core.method import Method, ObjectiveConfig, Opposite

TIMES = 1  # index of the stream that a visit's time comes from; its noise is that of its code, index 0


class FlowMatching(Objective):
    """Velocity matching; noise, time and whether the condition is seen follow from the key of each visit."""

    def __init__(self, config: FlowMatchingConfig) -> None:
        super().__init__()
        self.config = config

    def updates(self, generator: Generator, batch: Batch, step: int) -> Iterator[Losses]:
        yield {"generator": {"velocity": self.errors(generator, batch).mean()}}

    def held_out(self, generator: Generator, batch: Batch) -> Tensor:
        return self.errors(generator, batch)

    def errors(self, generator: Generator, batch: Batch) -> Tensor:
        """Squared errors (B,) of the velocity, at the noise and time of each key."""
        times, kept = self.chances(batch.key)
        noise = generator.draw_for(batch.key, 1).view_as(batch.image)
        return cast(HasVelocity, generator).velocity_error(batch.condition, batch.image, noise, times, kept)

    def chances(self, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Times (B,) in (0, 1), and whether the condition is seen, bool (B,)."""
        drawn = codes.draw_many([(key, TIMES) for key in keys.tolist()], 2, "gaussian").to(keys.device)
        times = torch.sigmoid(self.config.time_mean + self.config.time_deviation * drawn[:, 0])
        uniform = 0.5 * (1 + torch.erf(drawn[:, 1] / math.sqrt(2)))
        return times, uniform >= self.config.unconditional


class FlowMatchingConfig(ObjectiveConfig):
    summary: ClassVar[str] = "squared error of the velocity that carries noise straight to the real image"

    kind: Literal["flow_matching"] = "flow_matching"
    time_mean: float = Field(-0.6, description="m: below 0, more times near the noise")
    time_deviation: float = Field(1.0, gt=0, description="s: how far times spread from the middle")
    unconditional: float = Field(0.1, ge=0, lt=1, description="fraction of visits without condition, for guidance")

    def refusal(self, method: Method) -> str | None:
        if self.kind not in method.generator.trained_by:
            return "objective flow_matching trains only generator flow"
        return None

    def build(self, shapes: Shapes, opposite: Opposite) -> FlowMatching:
        return FlowMatching(self)
