"""Harmonizing maximum likelihood with GANs for multimodal conditional generation. Lee, Ha, Kim, ICLR 2019.

Where the code enters    noise maps: 32 channels added to the decoder's inputs at its three smallest sizes
                         (translation), 16 in the residual blocks (super-resolution), 32 at a quarter of the size
                         (inpainting)
What prevents collapse   moments of K samples are reconstructed instead of images: their mean, or mean and variance
                         (median and mean absolute deviation for `--family laplace`), against the real image or, with
                         `--proxy true`, against a predictor that is trained first
Differs from the paper   the median of an even number is the mean of the middle two; all images are in [-1, 1], so the
                         weights of inpainting, which are for [0, 1], are converted; the number of steps is not in the
                         paper; weights are averaged for sampling; conditions are one-hot or in [-1, 1], not
                         normalised by a data set's statistics; low-resolution images are bicubic; the best predictor
                         is the one with the best likelihood, without the added noise, which is also subtracted from
                         the dispersion that is matched; an image has one hole, unless `--fresh-holes true`, and the
                         box of the local discriminator is centred on it

Where the paper and the released code differ, we follow the code: 12 samples for super-resolution with a proxy, noise
also in the layer after the residual blocks and in the first up-sampling, and the weights for maps.
"""

from __future__ import annotations

from typing import Literal

from ..core.config import Training
from ..core.method import Method
from ..generators.completion import CompletionConfig
from ..generators.moment_predictor import MomentPredictorConfig
from ..generators.srresnet import SRResNetConfig
from ..generators.unet import UNetConfig
from ..losses.moments import Family
from ..objectives.moment_likelihood import MomentLikelihoodConfig
from ..objectives.moment_reconstruction import MomentReconstructionConfig
from ..randomness.noise_maps import NoiseMapsConfig
from ..randomness.none import NoRandomnessConfig
from .registry import preset

PAPER = "Lee, Ha, Kim: Harmonizing maximum likelihood with GANs for multimodal conditional generation. ICLR 2019"
Task = Literal["translation", "superres", "inpainting"]
Number = Literal[0, 1, 2]  # 0: the baseline, with plain reconstruction and the same noise

# weights in the released code for one and two moments: direct, then proxy
WEIGHTS: dict[str, dict[Family, tuple[tuple[float, float], tuple[float, float]]]] = {
    "cityscapes": {"gaussian": ((10, 10), (10, 10)), "laplace": ((10, 10), (1, 1))},
    "maps": {"gaussian": ((100, 10), (300, 1000)), "laplace": ((10, 1), (10, 10))},
    "superres": {"gaussian": ((20, 20), (2400, 2400)), "laplace": ((30, 30), (2400, 2400))},
}
QUARTERS = {"jitter": 2.0}


def training(batch_size: int, predictor: bool = False, flip: bool = True) -> Training:
    """AMSGrad and clipping by value for generator, discriminator and predictor alike."""
    return Training(
        steps=100_000,  # not in the paper; the released loop does not end
        batch_size=batch_size,
        learning_rate={"generator": 1e-4} if predictor else {"generator": 1e-4, "discriminator": 1e-4},
        optimizer="amsgrad",
        weight_decay=1e-4,
        clip_value=0.5,
        ema_decay=0.0 if predictor else 0.999,
        keep="best" if predictor else "last",
        flip=flip,
    )


@preset
def mrgan(
    moments: Number = 2,
    family: Family = "gaussian",
    proxy: bool = True,
    dataset: Literal["cityscapes", "maps"] = "cityscapes",
    width: int = 64,
) -> Method:
    """pix2pix's U-Net; `dataset` chooses among the published weights; of maps, random quarters are seen, as published,
    but not rotated."""
    steps, first = training(batch_size=16), moment_predictor("translation", family, width)
    if dataset == "maps":
        steps = steps.model_copy(update=QUARTERS)
        first = first.model_copy(update={"training": first.training.model_copy(update=QUARTERS)})
    return Method(
        name="mrgan",
        paper=PAPER,
        summary="GAN + moments of 10 samples against a predictor's (or the real image) in the place of L1",
        condition="pairs: label map or image -> image",
        generator=unet(width),
        randomness=NoiseMapsConfig(sites=("up*",), channels=32, largest=4),
        objective=MomentReconstructionConfig(
            moments=moments, family=family, proxy=proxy, **weights(dataset, moments, family, proxy), width=width
        ),
        training=steps,
        previous=first if proxy and moments else None,
        previous_role="predictor",
    )


@preset
def mrgan_superres(
    moments: Number = 2,
    family: Family = "gaussian",
    proxy: bool = True,
    scale: int = 4,
    width: int = 64,
    residual: bool = False,
) -> Method:
    """MR-GAN for super-resolution, on SRGAN's network.

    `residual` is ours: networks add detail to the bicubic enlargement, which a short training needs.
    """
    kind = {"moments": moments, "family": family, "proxy": proxy, "reconstruction": 0.0, "share": 0.25}
    precise = family == "gaussian" and not proxy
    return Method(
        name="mrgan-superres",
        paper=PAPER,
        summary="many sharp images that look alike when they are small again",
        condition="plain images; each is made small",
        derived=f"superres:{scale}",
        generator=SRResNetConfig(width=width, scale=scale, residual=residual),
        randomness=SUPERRES_NOISE,
        objective=superres_objective(width).model_copy(
            update={
                **kind,
                "samples": 12 if proxy else 24,
                "min_noise": 1e-4 if precise else 0.01,
                **weights("superres", moments, family, proxy),
            }
            if moments
            else {}
        ),
        training=training(batch_size=32, flip=False),
        previous=moment_predictor("superres", family, width, scale, residual) if proxy and moments else None,
        previous_role="predictor",
    )


@preset
def mrgan_inpainting(
    moments: Number = 2, family: Family = "gaussian", proxy: bool = True, width: int = 64, residual: bool = False
) -> Method:
    """MR-GAN for inpainting, on GLCIC's network; published for proxy MR with two Gaussian moments, as MR failed.

    `residual` is ours: networks add to a smooth filling of the hole.
    """
    kind = {"moments": moments, "family": family, "proxy": proxy, "reconstruction": 0.0, "share": 0.5}
    return Method(
        name="mrgan-inpainting",
        paper=PAPER,
        summary="many ways to fill a hole, as uncertain as a predictor says",
        condition="plain images; a hole is cut out of each",
        derived="inpaint",
        generator=CompletionConfig(width=width, residual=residual),
        randomness=COMPLETION_NOISE,
        objective=completion_objective(width).model_copy(
            update={
                **kind,
                "samples": 12,
                "min_noise": completion_noise(family),
                # published only for a proxy: 1000 and 1000 in [0, 1], where errors are summed over 3 colours;
                # in [-1, 1] squares of pixels and of deviations are 4 times, squares of variances 16 times as large
                "first": 3 * 1000 / 4,
                "second": 3 * 1000 / (16 if family == "gaussian" else 4),
            }
            if moments
            else {}
        ),
        training=training(batch_size=16, flip=False),
        previous=moment_predictor("inpainting", family, width, residual=residual) if proxy and moments else None,
        previous_role="predictor",
    )


@preset
def moment_predictor(
    task: Task = "translation",
    family: Family = "gaussian",
    width: int = 64,
    scale: int = 4,
    residual: bool = False,
) -> Method:
    """MR-GAN's predictor, useful on its own: where is this condition ambiguous?

    `residual` is as in `mrgan-superres` and `mrgan-inpainting`.
    """
    backbones = {
        "translation": unet(width),
        "superres": SRResNetConfig(width=width, scale=scale, residual=residual),
        "inpainting": CompletionConfig(width=width, residual=residual),
    }
    derived = {"translation": None, "superres": f"superres:{scale}", "inpainting": "inpaint"}[task]
    noise = {"translation": 0.0, "superres": 0.01, "inpainting": completion_noise(family)}[task]
    return Method(
        name="moment-predictor",
        paper=PAPER,
        summary="mean and deviation of every pixel by maximum likelihood: where is this ambiguous?",
        condition="pairs: label map or image -> image" if derived is None else "plain images",
        derived=derived,
        generator=MomentPredictorConfig(backbone=backbones[task], family=family),
        randomness=NoRandomnessConfig(),
        objective=MomentLikelihoodConfig(family=family, min_noise=noise),
        training=training(32 if task == "superres" else 16, predictor=True, flip=task == "translation"),
    )


def unet(width: int) -> UNetConfig:
    return UNetConfig(width=width, init="default", order="after")


def weights(table: str, moments: Number, family: Family, proxy: bool) -> dict[str, float]:
    """`first` is the weight of the only term or of the centre; `second`, with a proxy, that of the dispersion."""
    if not moments:
        return {"samples": 1, "share": 1.0, "reconstruction": 100}  # of pix2pix
    of_one, of_two = WEIGHTS[table][family][int(proxy)]
    weight = of_one if moments == 1 else of_two
    return {"first": weight, "second": weight}


SUPERRES_NOISE = NoiseMapsConfig(sites=("block*.conv1", "after", "up1"), channels=16)
COMPLETION_NOISE = NoiseMapsConfig(sites=("conv6", "dilated[12]"), channels=32)


def superres_objective(width: int) -> MomentReconstructionConfig:
    """SRGAN without its perceptual term, as in the released code: an unconditional discriminator, 5:1 updates."""
    return MomentReconstructionConfig(
        moments=0,
        samples=1,
        share=1.0,
        reconstruction=1000,
        distance="l2",
        generator_steps=5,
        discriminator="srgan",
        conditional=False,
        width=width,
    )


def completion_objective(width: int) -> MomentReconstructionConfig:
    """GLCIC: discriminators of the image and of the box around the hole, 3:1 updates."""
    return MomentReconstructionConfig(
        moments=0,
        samples=1,
        share=1.0,
        reconstruction=100 / 4,  # 100 in units of [0, 1]
        distance="l2",
        generator_steps=3,
        discriminator="completion",
        masked=True,
        width=width,
    )


def completion_noise(family: Family) -> float:
    """0.01 in units of [0, 1], added to a squared or an absolute error."""
    return 0.04 if family == "gaussian" else 0.02


@preset
def srgan(noise: Literal["input", "none"] = "none", scale: int = 4, width: int = 64, residual: bool = False) -> Method:
    """The super-resolution baseline as MR-GAN's code trains it: no perceptual term, and squared error x 1000.

    With noise it has the network of mrgan-superres, also its `residual`.
    """
    return Method(
        name="srgan",
        paper="Ledig et al.: Photo-realistic single image super-resolution using a GAN. CVPR 2017",
        summary="GAN + squared error; noise, if there is any, is ignored",
        condition="plain images; each is made small",
        derived=f"superres:{scale}",
        generator=SRResNetConfig(width=width, scale=scale, residual=residual),
        randomness=SUPERRES_NOISE if noise == "input" else NoRandomnessConfig(),
        objective=superres_objective(width),
        training=training(batch_size=32, flip=False),
    )


@preset
def glcic(
    noise: Literal["input", "none"] = "none", phases: bool = False, width: int = 64, residual: bool = False
) -> Method:
    """The inpainting baseline as MR-GAN's code trains it: squared error of the whole image, x 25.

    With noise it has the network of mrgan-inpainting, also its `residual`.

    With `phases` the generator learns alone and then the discriminator, before both learn together, as in GLCIC itself;
    how long (90,000 and 10,000 of 500,000 steps) is from its public description, not verified in the paper's text.
    """
    objective, steps = completion_objective(width), training(batch_size=16, flip=False)
    if phases:
        objective = objective.model_copy(update={"alone": 90_000, "judging": 10_000})
        steps = steps.model_copy(update={"steps": 500_000})
    return Method(
        name="glcic",
        paper="Iizuka, Simo-Serra, Ishikawa: Globally and locally consistent image completion. SIGGRAPH 2017",
        summary="GAN with a global and a local view + squared error; noise, if there is any, is ignored",
        condition="plain images; a hole is cut out of each",
        derived="inpaint",
        generator=CompletionConfig(width=width, residual=residual),
        randomness=COMPLETION_NOISE if noise == "input" else NoRandomnessConfig(),
        objective=objective,
        training=steps,
    )
