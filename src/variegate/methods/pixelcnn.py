"""Conditional image generation with PixelCNN decoders. Van den Oord et al., NIPS 2016; and the network before it.

Where chance enters      every colour of every pixel is drawn, given all before it; a code is the field of uniform
                         numbers that decides these draws
What prevents collapse   exact likelihood: an image of the data that the model calls unlikely costs bits
Differs from the paper   sizes are for one processor unless `--published true` asks for the paper's; weights are
                         averaged for sampling
Not in the paper         optimiser, learning rate, clipping and initial weights; RMSProp at 1e-3, gradients clipped at 1
                         and Glorot weights are what public code uses. Nor the first layer's window (7x7 here), the
                         maps of the head, and whether the layer that reads the image is one of the 20: here it is one
                         more
"""

from __future__ import annotations

from typing import Literal

from ..config import Training
from ..generators.pixelcnn import PixelCNNConfig
from ..objectives.likelihood import LikelihoodConfig
from ..randomness.none import NoRandomnessConfig
from .preset import Preset

Conditioning = Literal["direct", "deconv"]
CONDITION = "anything: nothing, classes, vectors, label maps or pictures"


def gated_pixelcnn(
    layers: int = 8,
    width: int = 48,
    filter: int = 3,
    bits: int = 8,
    conditioning: Conditioning = "direct",
    published: bool = False,
) -> Preset:
    """`published` is the network for ImageNet, whatever the other sizes say: 20 layers of 384 maps and 5x5 windows, 122
    million parameters, 200,000 batches of 128."""
    network = PixelCNNConfig(
        layers=layers, width=width, filter=filter, head=2 * width, bits=bits, conditioning=conditioning
    )
    if published:
        network = network.model_copy(update={"layers": 21, "width": 384, "filter": 5, "head": 384})
    return Preset(
        name="gated-pixelcnn",
        paper="van den Oord et al.: Conditional image generation with PixelCNN decoders. NIPS 2016",
        summary="pixel after pixel from exact distributions: images with their likelihood, and completions",
        condition=CONDITION,
        generator=network,
        randomness=NoRandomnessConfig(),
        objective=LikelihoodConfig(),
        training=training(200_000, 128) if published else training(),
    )


def pixelcnn(layers: int = 8, width: int = 69, filter: int = 3, bits: int = 8) -> Preset:
    """The baseline: one stack with a blind spot. By default it has as many parameters as gated-pixelcnn."""
    return Preset(
        name="pixelcnn",
        paper="van den Oord, Kalchbrenner, Kavukcuoglu: Pixel recurrent neural networks. ICML 2016",
        summary="the PixelCNN before the gated one: one stack of masked convolutions, and what it cannot see",
        condition=CONDITION,
        generator=PixelCNNConfig(stacks="plain", layers=layers, width=width, filter=filter, bits=bits),
        randomness=NoRandomnessConfig(),
        objective=LikelihoodConfig(),
        training=training(),
    )


def training(steps: int = 100_000, batch_size: int = 16) -> Training:
    return Training(
        steps=steps,
        batch_size=batch_size,
        learning_rate={"generator": 1e-3},
        optimizer="rmsprop",
        clip_value=1.0,
        keep="best",
        average_decay=0.999,
    )
