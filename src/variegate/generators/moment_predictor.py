"""MR-GAN's predictor (Lee, Ha, Kim, ICLR 2019): centre and dispersion of p(y | x) for every pixel and colour channel.

A backbone without randomness, whose last layer also outputs the logarithm of the dispersion. It shows where a condition
is ambiguous, has a likelihood, and can be sampled, each pixel independently.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from ..core.errors import ConfigError
from ..core.given import Given
from ..core.interfaces import Features, Generator, Randomness, Shapes
from ..core.method import GeneratorConfig, Method
from ..losses.moments import Family, mle
from ..randomness.sites import tile_to
from .adoption import centre_weights
from .completion import LOG_DISPERSION_OUTSIDE, CompletionConfig
from .srresnet import SRResNetConfig
from .staged import Staged
from .unet import UNetConfig

# backbones that fill holes output this outside them, where the image is known
CERTAIN = LOG_DISPERSION_OUTSIDE
CONSTANT = {"gaussian": math.log(2 * math.pi) / 2, "laplace": math.log(2)}


class MomentPredictor(Generator):
    """Centre: mean or median, in [-1, 1]. Dispersion: variance or mean absolute deviation in the same units.

    Attributes:
        min_noise: what training added to errors, saved with the weights; 0 in older models, which do not leave it out.
    """

    prior = "gaussian"
    min_noise: Tensor

    def __init__(self, backbone: Staged, family: Family, shapes: Shapes, fills_holes: bool = False) -> None:
        super().__init__()
        self.backbone, self.family, self.fills_holes = backbone, family, fills_holes
        self.shape = (shapes.image_channels, *shapes.size)
        self.code_size = math.prod(self.shape)
        self.register_buffer("min_noise", torch.zeros(()))
        self.register_load_state_dict_pre_hook(as_in_older_models)

    def set_min_noise(self, value: float) -> None:
        """Leave it out of what is shown, sampled and matched; `moments` and `log_prob` remain as trained."""
        self.min_noise.fill_(value)

    def adopt(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """What is added to errors in this training, not in that of the weights."""
        return weights | {"min_noise": self.min_noise}

    def moments(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Centre and log dispersion, both (B, C, H, W), of conditions (B, K, H, W)."""
        both = self.backbone.decode(self.backbone.encode(condition), condition.new_zeros(condition.shape[0], 0))
        centre, log_dispersion = both.split(self.shape[0], dim=1)
        return centre, log_dispersion

    def deviation(self, condition: Tensor) -> Tensor:
        """The standard deviation of every pixel and colour channel, (B, C, H, W)."""
        scale = self.scale(self.moments(condition)[1])
        # a Laplace distribution with mean absolute deviation b has variance 2 b^2
        return scale if self.family == "gaussian" else math.sqrt(2) * scale

    def scale(self, log_dispersion: Tensor) -> Tensor:
        """Standard deviation, or mean absolute deviation; zero where the image is known."""
        dispersion = self.dispersion(log_dispersion)
        return dispersion.sqrt() if self.family == "gaussian" else dispersion

    def dispersion(self, log_dispersion: Tensor) -> Tensor:
        """Variance, or mean absolute deviation, without `min_noise`; zero where the image is known."""
        return (log_dispersion.exp() - self.min_noise).clamp(min=0) * (log_dispersion != CERTAIN)

    def log_prob(self, condition: Tensor, image: Tensor) -> Tensor:
        """log p(image | condition) in nats, (B,): the density of images in [-1, 1], pixels being independent.

        Of backbones that fill holes, the density of what is inside, given the rest.
        """
        losses, hole = mle(self.family, image, *self.moments(condition)) + CONSTANT[self.family], self.hole(condition)
        return -(losses if hole is None else losses.masked_fill(~hole, 0)).flatten(1).sum(dim=1)

    def values(self, condition: Tensor, image: Tensor) -> Tensor:
        hole = self.hole(condition)
        unknown = torch.ones_like(image) if hole is None else hole.expand_as(image)
        return unknown.flatten(1).sum(dim=1)

    def hole(self, condition: Tensor) -> Tensor | None:
        """Where the mask, the last channel, is above 0, if the backbone fills holes."""
        return condition[:, -1:] > 0 if self.fills_holes else None

    def centre_weights(self, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights with which a network without dispersion, of state `own`, outputs the centre; see `adoption`."""
        return centre_weights(self.backbone.state_dict(), own)

    def encode(self, condition: Tensor) -> Features:
        return Features(condition, self.moments(condition), (condition.shape[-2], condition.shape[-1]))

    def decode(self, features: Features, code: Tensor) -> Tensor:
        centre, log_dispersion = features.state
        noise = tile_to(code.unflatten(1, self.shape), features.size)
        if self.family == "laplace":  # its inverse distribution function
            uniform = torch.special.ndtr(noise) - 0.5
            noise = -uniform.sign() * torch.log1p(-2 * uniform.abs().clamp(max=0.4999999))
        return centre + self.scale(log_dispersion) * noise


def as_in_older_models(module: torch.nn.Module, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Called before weights are loaded: those of older models do not tell what was added to errors."""
    state.setdefault(f"{prefix}min_noise", torch.zeros(()))


class MomentPredictorConfig(GeneratorConfig):
    trained_by: ClassVar[tuple[str, ...]] = ("moment_likelihood",)
    summary: ClassVar[str] = "another network that outputs a mean and a deviation for every pixel"

    kind: Literal["moment_predictor"] = "moment_predictor"
    backbone: Annotated[UNetConfig | SRResNetConfig | CompletionConfig, Field(discriminator="kind")]
    family: Family = "gaussian"

    def refusal(self, method: Method) -> str | None:
        return super().refusal(method) or self.backbone.refusal(method)

    def check_data(self, condition: Given) -> None:
        self.backbone.check_data(condition)

    def moments_family(self) -> str:
        return self.family

    def centre(self) -> GeneratorConfig:
        return self.backbone

    def build(self, randomness: Randomness, shapes: Shapes) -> MomentPredictor:
        backbone = self.backbone.build(randomness, shapes, shapes.image_channels)
        if backbone.code_size:
            raise ConfigError(
                "generator moment_predictor predicts a distribution and reads no code; its randomness must be none"
            )
        return MomentPredictor(backbone, self.family, shapes, self.backbone.fills_holes)
