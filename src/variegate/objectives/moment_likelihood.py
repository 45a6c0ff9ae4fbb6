"""Maximum-likelihood training of a moment predictor (Lee, Ha, Kim, ICLR 2019, eqs. 7 and 8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal, cast

from pydantic import Field

from ..core.capabilities import HasMoments
from ..core.interfaces import Batch, Generator, Losses, Objective, Shapes
from ..core.method import Method, ObjectiveConfig, Opposite
from ..losses.moments import Family, mle
from .moment_reconstruction import mean_inside


class MomentLikelihood(Objective):
    """Likelihood of real images, or of what was in their holes, under predicted moments.

    Args:
        min_noise: added to the squared or absolute error, so that the reward for certainty stays bounded. The trained
            dispersion is then at least that; predictors leave it out of what they show and of what samples shall have.
    """

    def __init__(self, family: Family, min_noise: float) -> None:
        super().__init__()
        self.family, self.min_noise = family, min_noise

    def updates(self, generator: Generator, batch: Batch, step: int) -> Iterator[Losses]:
        predictor = cast(HasMoments, generator)
        centre, log_dispersion = predictor.moments(batch.condition)
        losses = mle(self.family, batch.image, centre, log_dispersion, self.min_noise)
        hole = predictor.hole(batch.condition)
        inside = mean_inside(losses, None if hole is None else hole.to(losses.dtype))
        yield {"generator": {"likelihood": inside}}


class MomentLikelihoodConfig(ObjectiveConfig):
    summary: ClassVar[str] = "likelihood under a mean and a deviation for every pixel"

    kind: Literal["moment_likelihood"] = "moment_likelihood"
    family: Family = "gaussian"
    min_noise: float = Field(
        0.0, ge=0, description="added to the error inside the likelihood, and subtracted from the predicted dispersion"
    )

    def inform(self, generator: Generator) -> None:
        cast(HasMoments, generator).set_min_noise(self.min_noise)

    def refusal(self, method: Method) -> str | None:
        if self.kind not in method.generator.trained_by:
            return "objective moment_likelihood trains only generator moment_predictor"
        if method.generator.moments_family() != self.family:
            return "generator.family and objective.family differ; give --family, which sets both"
        return None

    def build(self, shapes: Shapes, opposite: Opposite) -> MomentLikelihood:
        return MomentLikelihood(self.family, self.min_noise)
