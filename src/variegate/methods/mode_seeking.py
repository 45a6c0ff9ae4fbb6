"""Two regularisers against mode collapse on BicycleGAN's networks without its encoder: MSGAN and DSGAN.

Where the code enters    a vector of length 8, tiled and concatenated before every down-sampling layer of a U-Net
What prevents collapse   two codes of one condition must give two images, in proportion to the distance of the codes
Differs from the papers  DSGAN: the margin acts (the released clamp never does), and the learning rate does not start at
                         twice its value; MSGAN: the discriminator moves first; both: weights are averaged for
                         sampling
"""

from __future__ import annotations

from typing import Literal

from ..core.config import Schedule, Training
from ..core.method import Method
from ..generators.inpainter import InpainterConfig
from ..generators.unet import UNetConfig
from ..objectives.adversarial import AdversarialConfig, Seeking
from ..randomness.latent import LatentConfig
from .registry import preset

LEAKY = ("down[!1]",)
DSGAN = "Yang, Hong, Jang, Zhao, Lee: Diversity-sensitive conditional GANs. ICLR 2019"


def training(steps: int, batch_size: int, jitter: float) -> Training:
    return Training(
        steps=steps,
        batch_size=batch_size,
        learning_rate={"generator": 2e-4, "discriminator": 2e-4},
        schedule=Schedule(kind="linear", start=0.5),
        jitter=jitter,
        flip=True,
    )


@preset
def msgan(width: int = 64, code_size: int = 8) -> Method:
    """Maximise the ratio of distances."""
    return Method(
        name="msgan",
        paper="Mao, Lee, Tseng, Ma, Yang: Mode seeking GANs for diverse image synthesis. CVPR 2019",
        summary="GAN + L1, and the inverse of (distance of images / distance of codes) is minimised",
        condition="pairs: label map or image -> image",
        generator=UNetConfig(width=width, norm="instance", init="xavier"),
        randomness=LatentConfig(sites=("down*",), leaky=LEAKY, size=code_size),
        objective=AdversarialConfig(
            mode="lsgan",
            reconstruction=10,
            seeking=Seeking(kind="msgan", weight=1),
            discriminator_weight=4,  # both fakes and twice the real image, without a factor 1/2
            width=width,
            scales=2,
            narrowing=2,
            norm="instance",
            init="xavier",
        ),
        training=training(steps=160_000, batch_size=1, jitter=1.0),  # the released models: 400 epochs of 400 facades
    )


@preset
def dsgan(
    task: Literal["translation", "inpainting"] = "translation",
    width: int = 64,
    code_size: int | None = None,
    margin: float | None = None,
) -> Method:
    """Reward the ratio up to a margin. Codes have length 8, or 32 for inpainting, by default."""
    if task == "inpainting":
        return inpainting(width, code_size or 32, margin)
    return Method(
        name="dsgan",
        paper=DSGAN,
        summary="GAN + L1, and (distance of images / distance of codes) is rewarded, up to a margin",
        condition="pairs: label map or image -> image",
        generator=UNetConfig(width=width, norm="instance", init="xavier"),
        randomness=LatentConfig(sites=("down*",), leaky=LEAKY, size=code_size or 8),
        objective=AdversarialConfig(
            mode="lsgan",
            reconstruction=10,
            seeking=Seeking(kind="dsgan", weight=8, margin=margin, judge_both=False),
            width=width,
            scales=2,
            narrowing=2,
            norm="instance",
            init="xavier",
        ),
        training=training(steps=9980, batch_size=8, jitter=280 / 256),
    )


INPAINTING = training(steps=9_930_000, batch_size=4, jitter=280 / 256)  # 198,599 faces, 200 epochs


def inpainting(width: int, code_size: int, margin: float | None) -> Method:
    """DSGAN for inpainting: a latent vector enters at the smallest size; distances are of discriminator features."""
    return Method(
        name="dsgan",
        paper=DSGAN,
        summary="many ways to fill a hole; discriminator features of two codes are rewarded for differing",
        condition="plain images; a hole is cut out of each",
        derived="inpaint:centre",
        generator=InpainterConfig(width=width),
        randomness=LatentConfig(sites=("fuse",), size=code_size),
        objective=inpainting_objective(width, 5, margin),
        training=INPAINTING,
    )


def inpainting_objective(width: int, diversity: float, margin: float | None = None) -> AdversarialConfig:
    """LSGAN on two scales that see only the hole, 10 x feature matching, and the diversity term."""
    seeking = Seeking(kind="dsgan", weight=diversity, margin=margin, features=True) if diversity else Seeking()
    return AdversarialConfig(
        mode="lsgan",
        reconstruction=0,
        feature_matching=10,
        seeking=seeking,
        conditional=False,
        masked=True,
        width=width,
        scales=2,
        padding=2,
        norm="instance",
    )
