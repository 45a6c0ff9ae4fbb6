"""Conditional image generation with PixelCNN decoders. Van den Oord et al., NIPS 2016; and the network before it.

Where the code enters    every colour of every pixel is sampled, given all before it; a code is the field of uniform
                         numbers that decides the outcomes
What prevents collapse   exact likelihood: an image of the data that the model finds unlikely costs bits
Differs from the paper   sizes are for one processor unless `--network imagenet` selects the paper's; weights are
                         averaged for sampling. The paper gives no sizes for CIFAR-10: those of `--network cifar10` are
                         ours, meant to reach its 3.03 bits per dimension on one large GPU, in a run never completed
                         yet; it has PixelCNN++'s mixture as output and Adam, which were better in short runs
Not in the paper         optimiser, learning rate, clipping and initial weights; RMSProp at 1e-3 and gradients clipped
                         at 1 are what public code uses, as are Glorot weights; ours also count what masks hide
                         (`--scaled false`: Glorot's). Also the first layer's window (7x7 here), the
                         maps of the head, and whether the 20 layers include the one that reads the image (here they
                         do not)
"""

from __future__ import annotations

from typing import Literal

from ..core.config import Training
from ..core.method import Method
from ..generators.pixelcnn import PixelCNNConfig
from ..objectives.likelihood import LikelihoodConfig
from ..randomness.none import NoRandomnessConfig
from .registry import preset

Conditioning = Literal["direct", "deconv"]
CONDITION = "anything: nothing, classes, vectors, label maps or images"


# layers (including the one that reads the image), maps, learning rate, steps, batch
LARGE: dict[str, tuple[int, int, float, int, int]] = {
    "imagenet": (21, 384, 1e-3, 200_000, 128),
    "cifar10": (21, 192, 5e-4, 100_000, 64),
}


@preset
def gated_pixelcnn(
    layers: int = 8,
    width: int = 48,
    filter: int = 3,
    bits: int = 8,
    conditioning: Conditioning = "direct",
    network: Literal["small", "cifar10", "imagenet"] = "small",
) -> Method:
    """The gated PixelCNN. Two networks override the other sizes: `imagenet` is the published one, 20 layers of 384 maps
    and 5x5 windows, with 122 million parameters including our first layer and head (ReLU and 1x1 twice; the paper does
    not describe its own), and `cifar10` has a quarter of that."""
    generator = PixelCNNConfig(
        layers=layers, width=width, filter=filter, head=2 * width, bits=bits, conditioning=conditioning
    )
    length = training()
    if network in LARGE:
        layers, width, rate, steps, batch_size = LARGE[network]
        generator = generator.model_copy(update={"layers": layers, "width": width, "filter": 5, "head": 384})
        length = training(steps, batch_size, rate)
    if network == "cifar10":
        generator = generator.model_copy(update={"output": "mixture"})
        length = length.model_copy(update={"optimizer": "adam"})
    return Method(
        name="gated-pixelcnn",
        paper="van den Oord et al.: Conditional image generation with PixelCNN decoders. NIPS 2016",
        summary="pixel after pixel from exact distributions: images with their likelihood, and completions",
        condition=CONDITION,
        generator=generator,
        randomness=NoRandomnessConfig(),
        objective=LikelihoodConfig(),
        training=length,
    )


@preset
def pixelcnn(layers: int = 8, width: int = 69, filter: int = 3, bits: int = 8) -> Method:
    """The baseline: one stack with a blind spot. By default it has as many parameters as gated-pixelcnn."""
    return Method(
        name="pixelcnn",
        paper="van den Oord, Kalchbrenner, Kavukcuoglu: Pixel recurrent neural networks. ICML 2016",
        summary="the PixelCNN before the gated one: one stack of masked convolutions, and what it cannot see",
        condition=CONDITION,
        generator=PixelCNNConfig(stacks="plain", layers=layers, width=width, filter=filter, bits=bits),
        randomness=NoRandomnessConfig(),
        objective=LikelihoodConfig(),
        training=training(),
    )


def training(steps: int = 100_000, batch_size: int = 16, rate: float = 1e-3) -> Training:
    return Training(
        steps=steps,
        batch_size=batch_size,
        learning_rate={"generator": rate},
        optimizer="rmsprop",
        clip_value=1.0,
        keep="best",
        ema_decay=0.999,
    )
