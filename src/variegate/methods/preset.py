"""A preset names its parts by type, so that a run's YAML can be read back and every option has a place."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from ..core.errors import ConfigError
from ..core.interfaces import Method
from ..generators.autoencoder import AutoencoderConfig
from ..generators.completion import CompletionConfig
from ..generators.content_style import ContentStyleConfig
from ..generators.crn import CRNConfig
from ..generators.inpainter import InpainterConfig
from ..generators.moment_predictor import MomentPredictorConfig
from ..generators.pix2pixhd import EnhancerConfig
from ..generators.pixelcnn import PixelCNNConfig
from ..generators.pixelnn import PixelNNConfig
from ..generators.plugged import PluggedConfig
from ..generators.resnet import ResNetConfig
from ..generators.split_crn import SplitCRNConfig
from ..generators.srresnet import SRResNetConfig
from ..generators.unet import UNetConfig
from ..objectives.adversarial import AdversarialConfig
from ..objectives.class_wise import ClassWiseConfig
from ..objectives.cvae_gan import CVAEGANConfig
from ..objectives.likelihood import LikelihoodConfig
from ..objectives.moment_likelihood import MomentLikelihoodConfig
from ..objectives.moment_reconstruction import MomentReconstructionConfig
from ..objectives.multiple_choice import MultipleChoiceConfig
from ..objectives.munit import MUNITConfig
from ..objectives.nearest_sample import NearestSampleConfig
from ..objectives.squared_error import SquaredErrorConfig
from ..randomness.adain import AdaINConfig
from ..randomness.basis_filters import BasisFiltersConfig
from ..randomness.channel_dropout import ChannelDropoutConfig
from ..randomness.element_dropout import ElementDropoutConfig
from ..randomness.heads import HeadsConfig
from ..randomness.latent import LatentConfig
from ..randomness.noise_input import NoiseInputConfig
from ..randomness.noise_maps import NoiseMapsConfig
from ..randomness.none import NoRandomnessConfig
from ..randomness.whole_filters import WholeFiltersConfig

AnyGenerator = Annotated[
    UNetConfig
    | ResNetConfig
    | EnhancerConfig
    | InpainterConfig
    | CompletionConfig
    | SRResNetConfig
    | CRNConfig
    | SplitCRNConfig
    | ContentStyleConfig
    | MomentPredictorConfig
    | PixelCNNConfig
    | PixelNNConfig
    | AutoencoderConfig
    | PluggedConfig,
    Field(discriminator="kind"),
]
AnyRandomness = Annotated[
    NoRandomnessConfig
    | AdaINConfig
    | LatentConfig
    | NoiseMapsConfig
    | NoiseInputConfig
    | ChannelDropoutConfig
    | ElementDropoutConfig
    | BasisFiltersConfig
    | HeadsConfig
    | WholeFiltersConfig,
    Field(discriminator="kind"),
]
AnyObjective = Annotated[
    AdversarialConfig
    | ClassWiseConfig
    | CVAEGANConfig
    | LikelihoodConfig
    | MomentLikelihoodConfig
    | MomentReconstructionConfig
    | MultipleChoiceConfig
    | MUNITConfig
    | NearestSampleConfig
    | SquaredErrorConfig,
    Field(discriminator="kind"),
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
    return next((reason for check in CHECKS if (reason := check(method))), None)


def nearest_refused(method: Preset) -> str | None:
    if not isinstance(method.objective, NearestSampleConfig):
        return None
    if method.randomness.kind == "none":
        return "nearest-sample matching needs a code; without randomness all candidates are the same picture"
    fields = isinstance(method.randomness, NoiseInputConfig) and not method.randomness.vector
    if method.objective.match_scale > 1 and fields:
        return "objective.match_scale needs codes that look alike at any size; set randomness.vector, such as 5"
    return None


def heads_refused(method: Preset) -> str | None:
    if not isinstance(method.objective, ClassWiseConfig):
        return None
    own = method.randomness.heads if isinstance(method.randomness, HeadsConfig) else 1
    if method.objective.heads == own:
        return None
    if own == 1:
        return (
            f"objective.heads is {method.objective.heads}, but randomness {method.randomness.kind} has one; set it to 1"
        )
    return f"objective.heads is {method.objective.heads} and randomness.heads {own}; give --heads, which sets both"


def choice_refused(method: Preset) -> str | None:
    if not isinstance(method.objective, MultipleChoiceConfig):
        return None
    count = method.objective.count
    if method.randomness.kind == "none":
        return "branches differ by their codes; without randomness all are the same picture"
    if isinstance(method.randomness, HeadsConfig) and method.randomness.heads != count:
        return f"objective.count is {count} and randomness.heads {method.randomness.heads}; give --branches, sets both"
    if method.objective.weights == "calibrated" and method.objective.reduction == "sum":
        return "calibrated weights are for means over elements; set objective.reduction to mean"
    return None


def variational_refused(method: Preset) -> str | None:
    if not isinstance(method.objective, CVAEGANConfig):
        return None
    if not isinstance(method.randomness, LatentConfig) or method.randomness.size != method.objective.code_size:
        return "its encoder finds codes of objective.code_size numbers; randomness must be latent and of that size"
    if method.training.batch_size < 2:
        return "BicycleGAN splits its batch; training.batch_size must be at least 2"
    return None


def munit_refused(method: Preset) -> str | None:
    if not isinstance(method.objective, MUNITConfig):
        return None
    chance = method.randomness
    if method.generator.kind != "content_style" or not isinstance(chance, AdaINConfig):
        return "its objective takes content and style apart; generator content_style and randomness adain are needed"
    if chance.size != method.objective.code_size:
        return "objective.code_size must equal randomness.size, since the style encoder finds codes of that length"
    if not all(site.startswith("style") for site in chance.sites):
        return "randomness.sites must lie in style*, so that what is encoded is the content alone"
    return None


def seeking_refused(method: Preset) -> str | None:
    if not isinstance(method.objective, AdversarialConfig) or method.objective.seeking.kind == "none":
        return None
    if method.randomness.kind == "none":
        return "objective.seeking compares the images of two codes; without randomness there are none"
    if method.randomness.kind in ("channel_dropout", "element_dropout", "heads"):
        return "objective.seeking divides by the distance of codes, which means nothing for dropout masks and heads"
    return None


def moments_refused(method: Preset) -> str | None:
    objective, generator = method.objective, method.generator
    if isinstance(objective, MomentLikelihoodConfig) != isinstance(generator, MomentPredictorConfig):
        return "generator moment_predictor and objective moment_likelihood belong together"
    if isinstance(objective, MomentLikelihoodConfig) and isinstance(generator, MomentPredictorConfig):
        same = objective.family == generator.family
        return None if same else "generator.family and objective.family differ; give --family, which sets both"
    if not isinstance(objective, MomentReconstructionConfig):
        return None
    if method.previous is not None and not (objective.moments and objective.proxy):
        return "a predictor would be trained for nothing; give --proxy false to leave it out"
    if not objective.moments:
        return None
    if method.randomness.kind == "none":
        return "moments are those of different samples; without randomness there is one"
    if objective.moments == 2 and objective.samples < 2:
        return "objective.samples 1 has no variance; two moments need 2 or more, or give --moments 1"
    if objective.proxy and method.previous is None:
        return "proxy moments come from a predictor, which is trained first with --proxy true"
    predictor = method.previous.generator if method.previous is not None else None
    if isinstance(predictor, MomentPredictorConfig) and predictor.family != objective.family:
        return f"the predictor is {predictor.family}, but objective.family is {objective.family}; make them one"
    return None


def likelihood_refused(method: Preset) -> str | None:
    if isinstance(method.objective, LikelihoodConfig) != isinstance(method.generator, PixelCNNConfig):
        return "generator pixelcnn and objective likelihood belong together"
    if isinstance(method.generator, PixelCNNConfig) and method.randomness.kind != "none":
        return "every pixel of generator pixelcnn is drawn, which is all of its chance; its randomness must be none"
    return None


def normalised_refused(method: Preset) -> str | None:
    """Batch norm on maps of single pixels needs several pictures: MR-GAN's U-Net, and discriminators of one verdict."""
    objective, network = method.objective, method.generator
    unet = network.backbone if isinstance(network, MomentPredictorConfig) else network
    share, verdict = 1.0, False
    if isinstance(objective, MomentReconstructionConfig):
        share, verdict = objective.share, objective.discriminator != "patch" and objective.adversarial > 0
    deep = isinstance(unet, UNetConfig) and unet.order == "after" and unet.norm == "batch"
    if (deep and round(share * method.training.batch_size) < 2) or (verdict and method.training.batch_size < 2):
        return "its smallest maps are single pixels, normalised over conditions; raise training.batch_size"
    return None


def masked_refused(method: Preset) -> str | None:
    """What looks at the hole needs data with one, and networks that are built for it have it."""
    objective = method.objective
    if not isinstance(objective, MomentReconstructionConfig):
        return None
    if objective.discriminator == "completion" and not objective.conditional:
        return "discriminator completion looks at the hole's place; objective.conditional must be true"
    looks = objective.masked or objective.discriminator == "completion"
    if looks and method.generator.kind not in ("completion", "inpainter"):
        return "objective.masked and discriminator completion need a generator that fills holes"
    return None


def scale_refused(method: Preset) -> str | None:
    network = method.generator
    backbone = network.backbone if isinstance(network, MomentPredictorConfig) else network
    if isinstance(backbone, SRResNetConfig) and method.derived not in (None, f"superres:{backbone.scale}"):
        return f"generator.scale is {backbone.scale}, its data {method.derived}; give --scale, which sets both"
    return None


def rebalance_refused(method: Preset) -> str | None:
    weighs = isinstance(method.objective, NearestSampleConfig | ClassWiseConfig)
    if method.training.rebalance in ("loss", "both") and not weighs:
        return "its losses do not weigh pixels by rarity; only training.rebalance data works with this objective"
    return None


def neighbours_refused(method: Preset) -> str | None:
    wanted, objective = method.training.neighbours, method.objective
    if not wanted.threshold:
        return None
    if not isinstance(objective, MultipleChoiceConfig):
        return "its objective learns one image of a condition; training.neighbours.threshold must be 0"
    if wanted.most > objective.count:
        return (
            f"training.neighbours.most is {wanted.most}, but there are {objective.count} branches to learn them; "
            "raise --branches, or lower it"
        )
    return None


def rates_refused(method: Preset) -> str | None:
    missing = sorted(players(method) - set(method.training.learning_rate))
    return f"training.learning_rate has no entry for {', '.join(missing)}" if missing else None


CHECKS = (
    nearest_refused,
    heads_refused,
    choice_refused,
    variational_refused,
    munit_refused,
    seeking_refused,
    moments_refused,
    likelihood_refused,
    normalised_refused,
    masked_refused,
    scale_refused,
    rebalance_refused,
    neighbours_refused,
    rates_refused,
)
PLAYERS = {
    "adversarial": {"generator", "discriminator"},
    "class_wise": {"generator"},
    "cvae_gan": {"generator", "posterior", "discriminator", "discriminator2"},
    "likelihood": {"generator"},
    "moment_likelihood": {"generator"},
    "moment_reconstruction": {"generator", "discriminator"},
    "multiple_choice": {"generator"},
    "munit": {"generator", "partner", "discriminator"},
    "nearest_sample": {"generator"},
    "squared_error": {"generator"},
}


def players(method: Preset) -> set[str]:
    """Who needs a learning rate."""
    objective = method.objective
    if isinstance(objective, MomentReconstructionConfig) and not objective.adversarial:
        return {"generator"}
    return PLAYERS[objective.kind]
