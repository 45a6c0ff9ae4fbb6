"""Conditional GAN with a reconstruction term: pix2pix, and every method that only changes its generator or adds a term.

L_G = L_GAN + lambda_1 L1 + lambda_FM FM + lambda_P perceptual + lambda_S seeking
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.config import Config
from ..core.errors import ConfigError
from ..core.interfaces import Batch, Generator, Losses, Objective, Shapes, Size
from ..core.method import Method, ObjectiveConfig, Opposite
from ..losses.adversarial import Mode, discriminator_loss, feature_matching, generator_loss
from ..losses.mode_seeking import diversity_sensitive, feature_distance, image_distance, mode_seeking
from ..losses.perceptual import feature_l1
from ..networks.blocks import Norm, init_xavier
from ..networks.discriminators.patch import Judgement, MultiScale, PatchGAN, logits
from ..networks.perceptual import PerceptualKind, hd_features


class Seeking(Config):
    """A diversity term, which rewards different images for different codes."""

    kind: Literal["none", "msgan", "dsgan"] = "none"
    weight: float = Field(1.0, ge=0)
    margin: float | None = Field(None, gt=0, description="dsgan: cap on the rewarded ratio; tau in the paper")
    features: bool = Field(False, description="measure distances in discriminator features, not pixels")
    judge_both: bool = Field(True, description="the discriminator sees both images; else only the first")


class Adversarial(Objective):
    """A GAN whose discriminator moves first, on the same fakes (Isola et al., CVPR 2017, eqs. 1-4).

    With `config.conditional` the discriminator also sees the condition. With `config.masked` it sees only the hole, and
    the last channel of the condition is the mask of an inpainting task.
    """

    images_wait = True

    def __init__(
        self, discriminator: nn.Module, features: nn.Module | None, weights: list[float], config: AdversarialConfig
    ) -> None:
        super().__init__()
        self.discriminator, self.features, self.weights, self.config = discriminator, features, weights, config

    def players(self, generator: Generator) -> dict[str, Iterable[nn.Parameter]]:
        return {"generator": generator.parameters(), "discriminator": self.discriminator.parameters()}

    def judge(self, condition: Tensor, image: Tensor) -> Judgement:
        if self.config.masked:
            image = image * condition[:, -1:].clamp(min=0)
        judgement: Judgement = self.discriminator(condition if self.config.conditional else None, image)
        return judgement

    def updates(self, generator: Generator, batch: Batch, step: int) -> Iterator[Losses]:
        config, seeking = self.config, self.config.seeking
        codes = generator.draw_for(batch.key, 1 if seeking.kind == "none" else 2)
        images = generator(batch.condition, codes)
        judged = 2 if seeking.kind != "none" and seeking.judge_both else 1
        fakes = images[:, :judged].flatten(0, 1)
        condition = batch.condition.repeat_interleave(judged, dim=0) if judged > 1 else batch.condition

        real_logits = logits(self.judge(batch.condition, batch.image))
        fake_logits = logits(self.judge(condition, fakes.detach()))
        loss = config.discriminator_weight * discriminator_loss(real_logits, fake_logits, config.mode)
        yield {"discriminator": {"adversarial": loss}}

        judgement = self.judge(condition, fakes)
        each = judged if seeking.kind == "msgan" else 1  # MSGAN adds the losses of both images, DSGAN averages them
        terms = {"adversarial": each * generator_loss(logits(judgement), config.mode)}
        if config.reconstruction:
            terms["l1"] = config.reconstruction * F.l1_loss(images[:, 0], batch.image)
        if config.feature_matching:
            with torch.no_grad():
                real = inner(self.judge(batch.condition, batch.image))
            real = [[maps.repeat_interleave(judged, dim=0) for maps in scale] for scale in real]
            terms["feature_matching"] = config.feature_matching * feature_matching(real, inner(judgement))
        if self.features is not None:
            seen, wanted = self.features(images[:, 0]), self.features(batch.image)
            distance = feature_l1(seen, wanted, self.weights or [1.0] * len(seen))
            terms["perceptual"] = config.perceptual_weight * distance.mean()
        if seeking.kind == "msgan":
            terms["diversity"] = seeking.weight * mode_seeking(self.distance(images, judgement), codes)
        elif seeking.kind == "dsgan":
            distance = self.distance(images, judgement)
            terms["diversity"] = seeking.weight * diversity_sensitive(distance, codes, seeking.margin)
        del judgement  # its feature maps would wait, beside those of other micro-batches, for the end of the step
        yield {"generator": terms}

    def distance(self, images: Tensor, judgement: Judgement) -> Tensor:
        """Distance between the two images of each condition, (B,); no gradient to an image not judged, as in DSGAN."""
        if self.config.seeking.features:
            return feature_distance([[m.unflatten(0, (-1, 2)) for m in maps] for maps in inner(judgement)])
        if not self.config.seeking.judge_both:
            images = images.clone()
            images[:, 1] = images[:, 1].detach()
        return image_distance(images)


def inner(judgement: Judgement) -> Judgement:
    """The feature maps, without the logits."""
    return [maps[:-1] for maps in judgement]


class AdversarialConfig(ObjectiveConfig):
    summary: ClassVar[str] = (
        "a discriminator and a reconstruction term; nothing rewards diversity, unless "
        "`seeking` pushes apart the images of two codes (MSGAN, DSGAN)"
    )

    kind: Literal["adversarial"] = "adversarial"
    mode: Mode = "vanilla"
    reconstruction: float = Field(100.0, ge=0, description="weight of the L1 term")
    feature_matching: float = Field(0.0, ge=0, description="weight of pix2pixHD's feature matching")
    perceptual_weight: float = Field(0.0, ge=0)
    perceptual: PerceptualKind = Field("vgg19", description="feature network of the perceptual term, if weighted")
    seeking: Seeking = Seeking()
    discriminator_weight: float = Field(1.0, gt=0, description="multiplies (1/2)(real + fake)")
    conditional: bool = Field(True, description="the discriminator sees the condition")
    masked: bool = Field(False, description="the discriminator sees only the hole of an inpainting task")
    width: int = Field(64, ge=1, description="base width of the discriminator")
    layers: int = Field(3, ge=1, description="strided layers of the discriminator; 3 give 70x70 patches")
    scales: int = Field(1, ge=1)
    narrowing: int = Field(1, ge=1, description="divides the width at each further scale")
    padding: int = Field(1, ge=0)
    norm: Norm = "batch"
    init: Literal["normal", "xavier"] = Field("normal", description="of the discriminator")

    def players(self) -> frozenset[str]:
        return frozenset({"generator", "discriminator"})

    def refusal(self, method: Method) -> str | None:
        if self.masked and not method.generator.fills_holes:
            return "objective.masked needs a generator that fills holes"
        if self.seeking.kind == "none":
            return None
        if not method.randomness.has_code:
            return "objective.seeking compares the images of two codes, but without randomness there are none"
        if not method.randomness.comparable:
            return "objective.seeking divides by the distance of codes, meaningless for dropout masks and heads"
        if self.seeking.features and not self.seeking.judge_both:
            return "objective.seeking.features compares what the discriminator sees in both; give judge_both true"
        return None

    def indivisible(self) -> str | None:
        return "MSGAN's term divides means over the whole batch" if self.seeking.kind == "msgan" else None

    def build(self, shapes: Shapes, opposite: Opposite) -> Adversarial:
        channels = shapes.image_channels + (shapes.condition_channels if self.conditional else 0)
        discriminator = discriminator_of(channels, self, shapes.size)
        if self.init == "xavier":
            init_xavier(discriminator)
        features, weights = hd_features(self.perceptual) if self.perceptual_weight else (None, [])
        return Adversarial(discriminator, features, weights, self)


def discriminator_of(channels: int, config: AdversarialConfig, size: Size) -> nn.Module:
    """Build one patch discriminator per scale.

    Raises:
        ConfigError: the last normalised map of the smallest scale would be a single pixel.
    """
    side = min(size) >> (config.scales - 1)
    for _ in range(config.layers):
        side = (side + 2 * config.padding - 4) // 2 + 1
    if side + 2 * config.padding - 3 < 2:
        raise ConfigError(
            f"a discriminator with {config.layers} layers and {config.scales} scales does not fit "
            f"{size[0]}x{size[1]} images; use a smaller --objective.layers or --objective.scales, or a larger --size"
        )
    widths = [max(1, config.width // config.narrowing**scale) for scale in range(config.scales)]
    patches = [PatchGAN(channels, width, config.layers, config.norm, config.padding) for width in widths]
    return patches[0] if config.scales == 1 else MultiScale(patches)
