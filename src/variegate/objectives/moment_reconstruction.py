"""MR-GAN (Lee, Ha, Kim: Harmonizing maximum likelihood with GANs, ICLR 2019).

L_G = L_GAN + lambda_1 (centre) + lambda_2 (dispersion) + lambda_Rec L_p

The moments are those of K samples per condition; they are compared with the real image (MR) or with a frozen
predictor's moments (proxy MR). With neither, it is the baseline: an adversarial term and plain reconstruction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..core.capabilities import HasMoments
from ..core.errors import ConfigError
from ..core.interfaces import Batch, Generator, Losses, Objective, Shapes
from ..core.method import Method, ObjectiveConfig, Opposite
from ..core.processes import mean_of_all
from ..losses import moments as m
from ..losses.adversarial import Mode, discriminator_loss, generator_loss
from ..networks.blocks import Norm
from ..networks.discriminators.completion import GlobalLocal, Local
from ..networks.discriminators.patch import Judgement, logits
from ..networks.discriminators.srgan import SRGANDiscriminator
from .adversarial import AdversarialConfig, discriminator_of

AROUND_HOLES = {"completion": GlobalLocal, "local": Local}  # discriminators that look for the hole in the condition


class MomentReconstruction(Objective):
    """The discriminator moves first, on one fake per condition; then the generator, on K samples for some of them."""

    def __init__(self, discriminator: nn.Module, config: MomentReconstructionConfig) -> None:
        super().__init__()
        self.discriminator, self.config = discriminator, config

    def players(self, generator: Generator) -> dict[str, Iterable[nn.Parameter]]:
        players: dict[str, Iterable[nn.Parameter]] = {"generator": generator.parameters()}
        return players | ({"discriminator": self.discriminator.parameters()} if self.config.adversarial else {})

    def judge(self, condition: Tensor, image: Tensor) -> list[Tensor]:
        judgement: Judgement = self.discriminator(condition if self.config.conditional else None, image)
        return logits(judgement)

    def updates(self, generator: Generator, batch: Batch, step: int) -> Iterator[Losses]:
        config = self.config
        judged = bool(config.adversarial) and step >= config.alone
        judging = judged and step < config.alone + config.judging
        if judging or (judged and step % config.generator_steps == 0):
            with torch.no_grad():  # the first of the codes that the generator then trains on, as in pix2pix
                fakes = generator(batch.condition, generator.draw_for(batch.key, 1))[:, 0]
            real, fake = self.judge(batch.condition, batch.image), self.judge(batch.condition, fakes)
            yield {"discriminator": {"adversarial": discriminator_loss(real, fake, config.mode)}}
        if judging:
            return

        count = config.smallest_batch(len(batch.image))
        condition, image = batch.condition[:count], batch.image[:count]
        samples = generator(condition, generator.draw_for(batch.key[:count], config.samples))
        terms = self.terms(condition, image, samples)
        if judged:
            judged_samples = self.judge(condition.repeat_interleave(config.samples, dim=0), samples.flatten(0, 1))
            terms["adversarial"] = config.adversarial * generator_loss(judged_samples, config.mode)
        yield {"generator": terms}

    def terms(self, condition: Tensor, image: Tensor, samples: Tensor) -> dict[str, Tensor]:
        """Weighted moment and reconstruction terms of samples (B, S, C, H, W)."""
        config, terms = self.config, {}
        hole = (condition[:, -1:] > 0).to(image.dtype) if config.masked else None
        if config.moments and config.proxy:
            predicted = self.predict(condition)
            first, second = m.proxy_reconstruction(config.family, predicted, samples, config.unbiased)
            terms["moment1"] = config.first * mean_inside(first, hole)
            if second is not None:
                terms["moment2"] = config.second * mean_inside(second, hole)
        elif config.moments == 2:
            losses = m.moment_reconstruction_2(config.family, image, samples, config.min_noise)
            terms["moments"] = config.first * mean_inside(losses, hole)
        elif config.moments == 1:
            losses = m.moment_reconstruction_1(config.family, image, samples)
            terms["moment1"] = config.first * mean_inside(losses, hole)
        if config.reconstruction:
            errors = samples - image.unsqueeze(1)
            errors = errors.abs() if config.distance == "l1" else errors.square()
            terms[config.distance] = config.reconstruction * errors.mean()
        return terms

    @torch.no_grad()
    def predict(self, condition: Tensor) -> m.Moments:
        if not isinstance(self.predictor, HasMoments):
            raise ConfigError("proxy moments need a predictor; train one first (method.previous) or give --predictor")
        centre, log_dispersion = self.predictor.moments(condition)
        return m.Moments(centre, self.predictor.dispersion(log_dispersion) if self.config.moments == 2 else None)


def mean_inside(losses: Tensor, hole: Tensor | None) -> Tensor:
    """Mean of (B, C, H, W) over everything, or over the pixels where the hole (B, 1, H, W) is 1."""
    if hole is None:
        return losses.mean()
    area = mean_of_all(hole.sum())  # of the whole batch, whose parts have larger and smaller holes
    return (losses * hole).sum() / (area * losses.shape[1]).clamp(min=1)


class MomentReconstructionConfig(ObjectiveConfig):
    summary: ClassVar[str] = "a discriminator, and reconstruction of the moments of K samples, not of images"

    kind: Literal["moment_reconstruction"] = "moment_reconstruction"
    moments: Literal[0, 1, 2] = Field(2, description="how many to reconstruct; 0: none, the baseline")
    family: m.Family = "gaussian"
    proxy: bool = Field(True, description="compare with a predictor's moments, not with the real image")
    first: float = Field(10.0, ge=0, description="weight of the only term, or of the centre (two moments, proxy)")
    second: float = Field(10.0, ge=0, description="weight of the dispersion (two moments, proxy)")
    samples: int = Field(10, ge=1, description="K: samples per condition")
    from_predictor: bool = Field(
        False, description="the generator starts from the weights of its predictor, and noise faintly; not the paper's"
    )
    unbiased: bool = Field(
        False, description="proxy moments: not the paper's squares, whose optimum has too little variance if K is small"
    )
    share: float = Field(0.5, gt=0, le=1, description="share of the batch for which K samples are drawn")
    generator_steps: int = Field(1, ge=1, description="batches from one discriminator update to the next")
    alone: int = Field(0, ge=0, description="first steps, without the GAN term")
    judging: int = Field(0, ge=0, description="next steps, in which only the discriminator learns")
    min_noise: float = Field(0.0, ge=0, description="added to the error inside the likelihood (MR2)")
    reconstruction: float = Field(0.0, ge=0, description="weight of plain reconstruction")
    distance: Literal["l1", "l2"] = Field("l1", description="distance of plain reconstruction")
    adversarial: float = Field(1.0, ge=0, description="weight of the GAN term; 0 trains no discriminator")
    mode: Mode = "vanilla"
    discriminator: Literal["patch", "srgan", "completion", "local"] = Field(
        "patch", description="local: the half of completion that sees the box around the hole, alone"
    )
    conditional: bool = Field(True, description="the discriminator sees the condition")
    masked: bool = Field(False, description="moments count only inside the hole")
    width: int = Field(64, ge=1, description="base width of the discriminator")
    layers: int = Field(3, ge=1, description="strided layers of a patch discriminator")
    norm: Norm = Field("batch", description="normalisation of a patch discriminator")

    def players(self) -> frozenset[str]:
        return frozenset({"generator", "discriminator"} if self.adversarial else {"generator"})

    def smallest_batch(self, batch_size: int) -> int:
        return max(1, round(self.share * batch_size))

    def from_predicted(self) -> bool:
        return self.from_predictor

    def indivisible(self) -> str | None:
        return "it averages over the holes of the whole batch" if self.masked and self.moments else None

    def refusal(self, method: Method) -> str | None:
        reasons = (self._moments_refusal, self._start_refusal, self._discriminator_refusal)
        return next(filter(None, (reason(method) for reason in reasons)), None)

    def _moments_refusal(self, method: Method) -> str | None:
        if method.previous is not None and not (self.moments and self.proxy):
            return "the predictor would be trained but never used; give --proxy false to leave it out"
        if not self.moments:
            return None
        if not method.randomness.has_code:
            return "moments need samples that differ; without randomness they are all the same"
        if self.moments == 2 and self.samples < 2:
            return "objective.samples is 1, but one sample has no variance; set it to 2 or more, or give --moments 1"
        if self.unbiased and (not self.proxy or self.samples < 2 * self.moments):
            least = 2 * self.moments
            return f"objective.unbiased compares two halves of {least} or more samples with a predictor (--proxy true)"
        if self.unbiased and (self.family, self.moments) == ("laplace", 2):
            return "deviations of few samples from their own median are too small, also in halves; leave out --unbiased"
        if self.proxy and method.previous is None:
            return "proxy moments need a predictor; give --proxy true, which trains one first"
        family = None if method.previous is None else method.previous.generator.moments_family()
        if family not in (None, self.family):
            return f"the predictor's family is {family}, but objective.family is {self.family}; they must be the same"
        return None

    def _start_refusal(self, method: Method) -> str | None:
        """Why the generator cannot start from its predictor."""
        if not self.from_predictor:
            return None
        before = None if method.previous is None else method.previous.generator.centre()
        if before is None:
            return "objective.from_predictor needs a predictor, which mrgan has with --proxy true; leave it out"
        found, own = before.model_dump(), method.generator.model_dump()
        names = [name for name in own if own[name] != found.get(name)]
        if found["kind"] != own["kind"] or names:
            name = "kind" if found["kind"] != own["kind"] else names[0]
            told = f"generator.{name} {own[name]}, but its predictor's is {found[name]}"
            return f"objective.from_predictor: {told}; they must be the same, or leave it out"
        if not method.randomness.appends:
            kind = method.randomness.kind
            return f"objective.from_predictor: randomness {kind} does not enter as further channels; leave it out"
        return None

    def _discriminator_refusal(self, method: Method) -> str | None:
        """Why the discriminator does not fit: a local one needs a hole, one with a single logit a batch of several."""
        if self.discriminator != "patch" and self.adversarial and method.training.batch_size < 2:
            return "its smallest maps are single pixels, normalised over the batch; raise training.batch_size"
        around_hole = self.discriminator in AROUND_HOLES
        if around_hole and not self.conditional:
            name = self.discriminator
            return f"discriminator {name} needs to know where the hole is; set objective.conditional to true"
        if (self.masked or around_hole) and not method.generator.fills_holes:
            return f"objective.masked and discriminator {' or '.join(AROUND_HOLES)} need a generator that fills holes"
        return None

    def build(self, shapes: Shapes, opposite: Opposite) -> MomentReconstruction:
        return MomentReconstruction(self.judge_of(shapes) if self.adversarial else nn.Identity(), self)

    def judge_of(self, shapes: Shapes) -> nn.Module:
        if self.discriminator in AROUND_HOLES:
            return AROUND_HOLES[self.discriminator](shapes.image_channels, shapes.size, self.width)
        channels = shapes.image_channels + (shapes.condition_channels if self.conditional else 0)
        if self.discriminator == "srgan":
            return SRGANDiscriminator(channels, self.width)
        patch = AdversarialConfig(width=self.width, layers=self.layers, norm=self.norm)
        return discriminator_of(channels, patch, shapes.size)
