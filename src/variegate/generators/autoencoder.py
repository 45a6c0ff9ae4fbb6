"""The convolutional counterpart of PixelCNN's auto-encoder: the same encoder, followed by a deconvolution network.

van den Oord et al., NIPS 2016, section 3.4. Trained with squared error, it gives one image per vector, the average of
all images that share it.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from ..core.interfaces import Features, Generator, Randomness, Shapes
from ..core.method import GeneratorConfig
from ..networks.pixelcnn.bottleneck import Bottleneck
from ..networks.pixelcnn.deconvolution import Deconvolution


class Autoencoder(Generator):
    """Images (B, K, H, W) to images (B, C, H, W) through a vector, without a code."""

    prior = "gaussian"
    code_size = 0

    def __init__(self, encoder: Bottleneck, unfold: Deconvolution, output: nn.Module) -> None:
        super().__init__()
        self.encoder, self.unfold, self.output = encoder, unfold, output

    def encode(self, condition: Tensor) -> Features:
        size = (condition.shape[-2], condition.shape[-1])
        image = self.output(self.unfold(self.encoder(condition), size).relu())
        return Features(condition, (image,), size)

    def decode(self, features: Features, code: Tensor) -> Tensor:
        return features.state[0]


class AutoencoderConfig(GeneratorConfig):
    summary: ClassVar[str] = "a convolutional auto-encoder with a short vector"

    kind: Literal["autoencoder"] = "autoencoder"
    bottleneck: int = Field(10, ge=1, description="length of the vector between encoder and decoder")
    encoder_scale: float = Field(1.0, gt=0, description="multiplies the encoder's widths of 100, 150 and 200")
    maps: int = Field(50, ge=1, description="feature maps of the decoder's second-to-last layer")

    def build(self, randomness: Randomness, shapes: Shapes) -> Autoencoder:
        randomness.finish()
        encoder = Bottleneck(shapes.condition_channels, self.bottleneck, shapes.size, self.encoder_scale)
        unfold = Deconvolution(self.bottleneck, self.maps, shapes.size)
        return Autoencoder(encoder, unfold, nn.Conv2d(self.maps, shapes.image_channels, 3, padding=1))
