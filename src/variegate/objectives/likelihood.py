"""Maximum likelihood: the negative log-probability of real images (van den Oord et al., NIPS 2016, eqs. 1 and 3)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, cast

from ..core.interfaces import Batch, Generator, HasLikelihood, Losses, Objective, Opposite, Part, Size


class Likelihood(Objective):
    """Bits per dimension, a dimension being one colour of one pixel; mean over images."""

    def updates(self, generator: Generator, batch: Batch, step: int) -> Iterator[Losses]:
        nats = -cast(HasLikelihood, generator).log_prob(batch.condition, batch.image).mean()
        yield {"generator": {"bits_per_dim": nats / (math.log(2) * batch.image[0].numel())}}


class LikelihoodConfig(Part):
    kind: Literal["likelihood"] = "likelihood"

    def build(
        self, condition_channels: int, image_channels: int, size: Size, opposite: Opposite | None = None
    ) -> Likelihood:
        return Likelihood()
