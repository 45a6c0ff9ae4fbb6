"""Toward multimodal image-to-image translation. Zhu, Zhang, Pathak, Darrell, Efros, Wang, Shechtman, NIPS 2017.

Where the code enters    a vector of length 8, tiled and concatenated before every down-sampling layer of a U-Net
What prevents collapse   an encoder must recover the code, from real images (cVAE-GAN) and generated ones (cLR-GAN)
Differs from the paper   settings are those of the released code; its scripts add dropout, a second source of randomness
                         that would break "same code, same image" and is left out; weights are averaged for sampling
"""

from __future__ import annotations

from ..core.config import Schedule, Training
from ..core.method import Method
from ..generators.unet import UNetConfig
from ..objectives.cvae_gan import CVAEGANConfig
from ..randomness.latent import LatentConfig
from .registry import preset

TRAINING = Training(
    steps=80_000,  # 400 facades, 200 + 200 epochs, two images a step
    batch_size=2,
    learning_rate={"generator": 2e-4, "posterior": 2e-4, "discriminator": 2e-4, "discriminator2": 2e-4},
    schedule=Schedule(kind="linear", start=0.5),
    jitter=286 / 256,
    flip=True,
)


@preset
def bicyclegan(width: int = 64, code_size: int = 8) -> Method:
    """cVAE-GAN + cLR-GAN on a U-Net."""
    return Method(
        name="bicyclegan",
        paper="Zhu et al.: Toward multimodal image-to-image translation. NIPS 2017",
        summary="codes and images determine each other through an encoder; `invert` gives an image's code",
        condition="pairs: label map or image -> image",
        generator=UNetConfig(width=width, norm="instance", init="xavier"),
        randomness=LatentConfig(sites=("down*",), leaky=("down[!1]",), size=code_size),
        objective=CVAEGANConfig(width=width, code_size=code_size),
        training=TRAINING,
    )
