"""Image-to-image translation with conditional adversarial networks. Isola, Zhu, Zhou, Efros, CVPR 2017.

Where the code enters    dropout in the decoder, kept on when sampling (`--noise dropout`), or noise added to the input
What prevents collapse   nothing: the L1 and the adversarial term both accept one image per condition
Differs from the paper   the dropout mask is a code, so it can be repeated; weights are averaged for sampling
"""

from __future__ import annotations

from typing import Literal

from ..core.config import Schedule, Training
from ..core.method import Method, RandomnessConfig
from ..generators.resnet import ResNetConfig
from ..generators.unet import UNetConfig
from ..objectives.adversarial import AdversarialConfig
from ..randomness.element_dropout import ElementDropoutConfig
from ..randomness.latent import LatentConfig
from ..randomness.noise_maps import NoiseMapsConfig
from ..randomness.none import NoRandomnessConfig
from .registry import preset

Noise = Literal["dropout", "input", "none"]
Backbone = Literal["unet", "resnet"]

TRAINING = Training(
    steps=80_000,  # 400 facades x 200 epochs
    batch_size=1,
    learning_rate={"generator": 2e-4, "discriminator": 2e-4},
    schedule=Schedule(kind="linear", start=0.5),
    jitter=286 / 256,
    flip=True,
)


@preset
def pix2pix(noise: Noise = "dropout", backbone: Backbone = "unet", width: int = 64) -> Method:
    """The baseline that collapses."""
    return Method(
        name="pix2pix",
        paper="Isola, Zhu, Zhou, Efros: Image-to-image translation with conditional adversarial networks. CVPR 2017",
        summary="GAN + L1; its noise is ignored, so it draws one image per condition",
        condition="pairs: label map or image -> image",
        generator=UNetConfig(width=width) if backbone == "unet" else ResNetConfig(width=width),
        randomness=randomness(noise, backbone),
        objective=AdversarialConfig(width=width),
        training=TRAINING,
    )


def randomness(noise: Noise, backbone: Backbone) -> RandomnessConfig:
    if noise == "none":
        return NoRandomnessConfig()
    if noise == "input" and backbone == "resnet":  # of a tiled vector, batch norm of one image would leave nothing
        return NoiseMapsConfig(sites=("inner",), channels=8)
    if noise == "input":
        return LatentConfig(sites=("down1",))
    return ElementDropoutConfig(sites=("up[5-7]",) if backbone == "unet" else ("block*.conv1",))
