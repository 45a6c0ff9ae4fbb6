"""Maximum likelihood of a predictor of moments (Lee, Ha, Kim, ICLR 2019, eqs. 7 and 8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

from pydantic import Field

from ..core.interfaces import Batch, Generator, HasMoments, Losses, Objective, Opposite, Part, Size
from ..losses.moments import Family, mle


class MomentLikelihood(Objective):
    """
    Args:
        min_noise: added to the squared or absolute error, so that certainty is never rewarded without end.
    """

    def __init__(self, family: Family, min_noise: float) -> None:
        super().__init__()
        self.family, self.min_noise = family, min_noise

    def updates(self, generator: Generator, batch: Batch, step: int) -> Iterator[Losses]:
        centre, log_dispersion = cast(HasMoments, generator).moments(batch.condition)
        loss = mle(self.family, batch.image, centre, log_dispersion, self.min_noise)
        yield {"generator": {"likelihood": loss.mean()}}


class MomentLikelihoodConfig(Part):
    kind: Literal["moment_likelihood"] = "moment_likelihood"
    family: Family = "gaussian"
    min_noise: float = Field(0.0, ge=0)

    def build(
        self, condition_channels: int, image_channels: int, size: Size, opposite: Opposite | None = None
    ) -> MomentLikelihood:
        return MomentLikelihood(self.family, self.min_noise)
