"""A preset names its parts by type, so that a run's YAML can be read back and every option has a place."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from ..errors import ConfigError
from ..generators.content_style import ContentStyleConfig
from ..generators.crn import CRNConfig
from ..generators.inpainter import InpainterConfig
from ..generators.pix2pixhd import EnhancerConfig
from ..generators.plugged import PluggedConfig
from ..generators.resnet import ResNetConfig
from ..generators.unet import UNetConfig
from ..interfaces import Method
from ..objectives.adversarial import AdversarialConfig
from ..objectives.cvae_gan import CVAEGANConfig
from ..objectives.munit import MUNITConfig
from ..objectives.nearest_sample import NearestSampleConfig
from ..randomness.adain import AdaINConfig
from ..randomness.basis_filters import BasisFiltersConfig
from ..randomness.element_dropout import ElementDropoutConfig
from ..randomness.latent import LatentConfig
from ..randomness.noise_input import NoiseInputConfig
from ..randomness.noise_maps import NoiseMapsConfig
from ..randomness.none import NoRandomnessConfig
from ..randomness.whole_filters import WholeFiltersConfig

AnyGenerator = Annotated[
    UNetConfig | ResNetConfig | EnhancerConfig | InpainterConfig | CRNConfig | ContentStyleConfig | PluggedConfig,
    Field(discriminator="kind"),
]
AnyRandomness = Annotated[
    NoRandomnessConfig
    | AdaINConfig
    | LatentConfig
    | NoiseMapsConfig
    | NoiseInputConfig
    | ElementDropoutConfig
    | BasisFiltersConfig
    | WholeFiltersConfig,
    Field(discriminator="kind"),
]
AnyObjective = Annotated[
    AdversarialConfig | CVAEGANConfig | MUNITConfig | NearestSampleConfig, Field(discriminator="kind")
]


class Preset(Method):
    """A method whose parts are all known; combinations that cannot work are refused here, with the reason."""

    generator: AnyGenerator
    randomness: AnyRandomness
    objective: AnyObjective
    previous: Self | None = None

    @model_validator(mode="after")
    def check(self) -> Self:
        reason = refusal(self)
        if reason:
            raise ConfigError(f"{self.name}: {reason}")
        return self


def refusal(method: Preset) -> str | None:
    """Why a combination cannot work, or None."""
    if method.objective.kind == "nearest_sample" and method.randomness.kind == "none":
        return "nearest-sample matching needs a code; without randomness all candidates are the same picture"
    scaled = isinstance(method.objective, NearestSampleConfig) and method.objective.match_scale > 1
    if scaled and isinstance(method.randomness, NoiseInputConfig) and not method.randomness.vector:
        return "objective.match_scale needs codes that look alike at any size; set randomness.vector, such as 5"
    if isinstance(method.objective, CVAEGANConfig):
        if not isinstance(method.randomness, LatentConfig) or method.randomness.size != method.objective.code_size:
            return "its encoder finds codes of objective.code_size numbers; randomness must be latent and of that size"
        if method.training.batch_size < 2:
            return "BicycleGAN splits its batch; training.batch_size must be at least 2"
    if isinstance(method.objective, MUNITConfig):
        chance = method.randomness
        if method.generator.kind != "content_style" or not isinstance(chance, AdaINConfig):
            return (
                "its objective takes content and style apart; generator content_style and randomness adain are needed"
            )
        if chance.size != method.objective.code_size:
            return "objective.code_size must equal randomness.size, since the style encoder finds codes of that length"
        if not all(site.startswith("style") for site in chance.sites):
            return "randomness.sites must lie in style*, so that what is encoded is the content alone"
    seeking = isinstance(method.objective, AdversarialConfig) and method.objective.seeking.kind != "none"
    if seeking and method.randomness.kind == "none":
        return "objective.seeking compares the images of two codes; without randomness there are none"
    if seeking and method.randomness.kind == "element_dropout":
        return "objective.seeking divides by the distance of codes, which means nothing for dropout masks"
    missing = sorted(players(method) - set(method.training.learning_rate))
    if missing:
        return f"training.learning_rate has no entry for {', '.join(missing)}"
    return None


PLAYERS = {
    "adversarial": {"generator", "discriminator"},
    "cvae_gan": {"generator", "posterior", "discriminator", "discriminator2"},
    "munit": {"generator", "partner", "discriminator"},
    "nearest_sample": {"generator"},
}


def players(method: Preset) -> set[str]:
    """Who needs a learning rate."""
    return PLAYERS[method.objective.kind]
