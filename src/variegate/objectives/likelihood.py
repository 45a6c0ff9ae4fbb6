"""Maximum likelihood: the negative log-probability of real images (van den Oord et al., NIPS 2016, eqs. 1 and 3)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar, Literal, cast

from ..core.capabilities import HasLikelihood
from ..core.interfaces import Batch, Generator, Losses, Objective, Shapes
from ..core.method import Method, ObjectiveConfig, Opposite


class Likelihood(Objective):
    """Bits per dimension, a dimension being one colour channel of one pixel; mean over images."""

    def updates(self, generator: Generator, batch: Batch, step: int) -> Iterator[Losses]:
        nats = -cast(HasLikelihood, generator).log_prob(batch.condition, batch.image).mean()
        yield {"generator": {"bits_per_dim": nats / (math.log(2) * batch.image[0].numel())}}


class LikelihoodConfig(ObjectiveConfig):
    summary: ClassVar[str] = "exact likelihood of every colour value of every pixel, given all before it"

    kind: Literal["likelihood"] = "likelihood"

    def refusal(self, method: Method) -> str | None:
        if self.kind not in method.generator.trained_by:
            return "objective likelihood trains only generator pixelcnn"
        return None

    def build(self, shapes: Shapes, opposite: Opposite) -> Likelihood:
        return Likelihood()
