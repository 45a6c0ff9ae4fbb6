"""PixelCNN: p(image | condition) as a product over pixels and colour channels, each a distribution over all levels.

Gated: van den Oord et al., Conditional image generation with PixelCNN decoders, NIPS 2016 (eqs. 1 to 5). Plain: van den
Oord, Kalchbrenner, Kavukcuoglu, Pixel recurrent neural networks, ICML 2016.

The code of an image is a field of uniform numbers, one for every value: it selects the level by the distribution
function of that value, given all before it. Likelihood and sampling are exact and agree with each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from ..core.config import Config
from ..core.errors import ConfigError
from ..core.given import Given
from ..core.images import is_constant, to_float, to_uint8
from ..core.interfaces import Features, Generator, Randomness, Shapes, Size
from ..core.method import GeneratorConfig, Method
from ..networks.blocks import init_glorot
from ..networks.pixelcnn.bottleneck import Bottleneck
from ..networks.pixelcnn.colour_head import ColourHead
from ..networks.pixelcnn.compiled_steps import CompiledSteps, compiled
from ..networks.pixelcnn.deconvolution import Deconvolution
from ..networks.pixelcnn.gated_stacks import GatedStacks
from ..networks.pixelcnn.gated_steps import GatedSteps
from ..networks.pixelcnn.masked import scale_by_visible
from ..networks.pixelcnn.masked_stack import MaskedStack
from ..networks.pixelcnn.masked_steps import MaskedSteps
from ..networks.pixelcnn.mixture_head import MixtureHead
from ..networks.pixelcnn.one_image import OneImageHead, OneImageSteps
from ..networks.pixelcnn.residual_stacks import ResidualStacks
from ..networks.pixelcnn.residual_steps import ResidualSteps
from ..networks.pixelcnn.steps import Steps
from ..randomness.sites import tile_to
from .pixelcnn_sampling import Choose, by_field, by_probability, in_order, sample, sample_by_rows, shade

FLAT = 0.1  # of the logits' weights, so that all levels are about as likely at first


class PixelSampler(Config):
    """How images are drawn."""

    temperature: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="1: as learned; below, likelier values and fewer different images"
    )


class PixelCNN(Generator):
    """An autoregressive generator with exact likelihood.

    Args:
        stack: layers that see, at every pixel, only what comes before it.
        bits: bits per colour; images are rounded down to 2 ** bits levels.
        unfold: makes a map from a condition that is one vector everywhere; None: conditions are used as they are.
        encoder: makes a vector from a condition that is an image; None: conditions are used as they are.
        sampler: concerns what is drawn, not likelihoods or compression.
    """

    prior = "uniform"

    def __init__(
        self,
        stack: GatedStacks | MaskedStack | ResidualStacks,
        head: ColourHead,
        bits: int,
        size: Size,
        unfold: Deconvolution | None,
        encoder: Bottleneck | None,
        sampler: PixelSampler,
    ) -> None:
        super().__init__()
        self.stack, self.head, self.bits, self.unfold, self.encoder = stack, head, bits, unfold, encoder
        self.sampler = sampler
        self.shape = (stack.colours, *size)
        self.code_size = stack.colours * size[0] * size[1]

    @property
    def drawn_how(self) -> str:
        """The temperature, in words."""
        return f"drawn at a temperature of {self.sampler.temperature:g}, which likelihoods do not depend on"

    def quantise(self, image: Tensor) -> Tensor:
        """Levels 0 .. 2 ** bits - 1, integers in the images' dtype, of 8-bit images scaled to [-1, 1]."""
        return (to_uint8(image).to(image.dtype) / 2 ** (8 - self.bits)).floor()

    def show(self, level: Tensor) -> Tensor:
        """The 8-bit image of levels, in [-1, 1]; `quantise` recovers the levels."""
        return to_float((level * (255 / (self.head.levels - 1))).round())

    def log_prob(self, condition: Tensor, image: Tensor) -> Tensor:
        """log p(image | condition) in nats, (B,): the probability of the image's levels."""
        return -self.nats(condition, image).flatten(1).sum(dim=1)

    def surprisal(self, condition: Tensor, image: Tensor) -> Tensor:
        """Bits of every pixel, given those before it, (B, H, W): the sum over its colours."""
        return self.nats(condition, image).sum(dim=1) / math.log(2)

    def values(self, condition: Tensor, image: Tensor) -> Tensor:
        return image.new_full((len(image),), image[0].numel())

    def nats(self, condition: Tensor, image: Tensor) -> Tensor:
        """Negative log-probability of every value, given those before it, (B, C, H, W)."""
        level = self.quantise(image)
        shades = shade(level, self.head.levels)
        return self.head.nats(self.stack(shades, self.projections(condition)), shades, level)

    def logits(self, condition: Tensor, image: Tensor) -> Tensor:
        """Logits (B, C, levels, H, W) of every value, given what comes before it in images (B, C, H, W)."""
        return self.network(shade(self.quantise(image), self.head.levels), self.projections(condition))

    def network(self, shades: Tensor, projections: Iterator[Tensor | None]) -> Tensor:
        """Logits (B, C, levels, H, W) of shades (B, C, H, W) in [-1, 1], in one parallel pass."""
        logits: Tensor = self.head(self.stack(shades, projections), shades)
        return logits

    def projections(self, condition: Tensor) -> Iterator[Tensor | None]:
        """What a condition (B, K, H, W) adds to each layer: (B, maps, H, W), or 1x1 if it is the same everywhere."""
        size = (condition.shape[-2], condition.shape[-1])
        if self.encoder is not None:
            condition = self.encoder(condition)
        constant = is_constant(condition)
        if self.unfold is not None:
            vector = condition[..., :1, :1]
            if not constant and not bool((condition == vector).all()):
                raise ConfigError(
                    "generator.conditioning deconv makes a map from a vector, but this condition varies from pixel to "
                    "pixel; give --conditioning direct, or a condition such as class or vectors"
                )
            condition = self.unfold(vector, size)
        elif constant:
            condition = condition[..., :1, :1]
        return self.stack.projections(condition)

    def encode(self, condition: Tensor) -> Features:
        state = [projected for projected in self.projections(condition) if projected is not None]
        return Features(condition, tuple(state), (condition.shape[-2], condition.shape[-1]))

    def decode(self, features: Features, code: Tensor) -> Tensor:
        return self.decode_all(features, code.unsqueeze(1))[:, 0]

    def decode_all(self, features: Features, code: Tensor) -> Tensor:
        """As for any generator, without gradients; images larger than those of training repeat the code's field."""
        image = features.condition.new_zeros(code.shape[1], self.shape[0], *features.size)
        return self.complete(features, code, image, 0)

    def complete(self, features: Features, code: Tensor, image: Tensor, known: int) -> Tensor:
        """Complete images whose first pixels are known: (B, S, C, H, W) for codes (B, S, D).

        Args:
            image: in [-1, 1], anything that broadcasts to (B, S, C, H, W), such as one image (C, H, W).
            known: how many pixels in raster order are kept; the rest of `image` is ignored.

        Raises:
            ConfigError: `known` is negative or more than the number of pixels.
        """
        height, width = features.size
        if not 0 <= known <= height * width:
            raise ConfigError(
                f"known must be a number of pixels from 0 to {height * width} for {height}x{width} images, got {known}"
            )
        shape = (*code.shape[:2], self.shape[0], height, width)
        with torch.inference_mode(), torch.autocast(code.device.type, enabled=False):
            weight = self.head.logits.weight
            field = tile_to(code.flatten(0, 1).unflatten(1, self.shape), features.size).to(weight)
            level = self.quantise(image.to(weight)).expand(shape).flatten(0, 1)
            drawn = self.draw_levels(features, field, level, known)
        return self.show(drawn.clone()).unflatten(0, shape[:2])

    def walk(self, condition: Tensor, choose: Choose) -> Tensor:
        """Images (B, C, H, W) in [-1, 1] whose values `choose` picks, in sampling order (`compression.Walks`)."""
        with torch.inference_mode(), torch.autocast(condition.device.type, enabled=False):
            features = self.encode(condition)
            level = self.head.logits.weight.new_zeros(len(condition), self.shape[0], *features.size)
            steps = self.steps(features, len(condition))
            drawn = sample(steps, by_probability(self.head, steps, choose), level, self.head.levels, 0)
        return self.show(drawn.clone())

    def draw_levels(self, features: Features, field: Tensor, level: Tensor, known: int) -> Tensor:
        """Sample levels by uniform numbers (N, C, H, W); a single image on a processor in half of the time or less."""
        temperature, stack, levels = self.sampler.temperature, self.stack, self.head.levels
        alone = len(field) == 1 and field.device.type == "cpu" and field.dtype == torch.float32
        if not (alone and isinstance(stack, GatedStacks)):
            several = self.steps(features, len(field))
            pick = by_probability(self.head, several, by_field(field, known), temperature)
            return sample(several, pick, level, levels, known)
        if type(self.head) is ColourHead and (row := compiled()):
            rows = CompiledSteps(stack, features.state, 1, features.size)
            rows.start(row, self.head, temperature)
            return sample_by_rows(rows, field, level, levels, known)
        steps = OneImageSteps(stack, features.state, 1, features.size)
        return sample(
            steps,
            OneImageHead(self.head, steps.result).picks(in_order(field, known), temperature),
            level,
            levels,
            known,
        )

    def steps(self, features: Features, batch: int) -> Steps:
        if isinstance(self.stack, GatedStacks):
            return GatedSteps(self.stack, features.state, batch, features.size)
        if isinstance(self.stack, ResidualStacks):
            return ResidualSteps(self.stack, features.state, batch, features.size)
        return MaskedSteps(self.stack, features.state, batch, features.size)


class PixelCNNConfig(GeneratorConfig):
    trained_by: ClassVar[tuple[str, ...]] = ("likelihood",)
    summary: ClassVar[str] = "masked convolutions, one colour of one pixel at a time"

    kind: Literal["pixelcnn"] = "pixelcnn"
    stacks: Literal["gated", "plain", "residual"] = Field(
        "gated", description="two gated stacks, one with a blind spot, or the two of PixelCNN++ with lower resolutions"
    )
    layers: int = Field(
        8,
        ge=1,
        description="masked layers, including the one that reads the image; residual: blocks of the first half",
    )
    width: int = Field(48, ge=1, description="p, maps of a gated layer; h of a plain one, which has 2h outside")
    halvings: int = Field(2, ge=0, le=6, description="of the resolution, in residual stacks")
    filter: int = Field(3, ge=3, description="n: side of the window that a layer sees")
    first_filter: int = Field(7, ge=3, description="the same for the first layer")
    head: int = Field(96, ge=1, description="maps between the last layer and the logits")
    output: Literal["softmax", "mixture"] = Field(
        "softmax", description="levels as classes, or by a mixture of logistic distributions (PixelCNN++)"
    )
    components: int = Field(10, ge=1, description="of the mixture")
    bits: int = Field(8, ge=2, le=8, description="bits per colour")
    scaled: bool = Field(
        True, description="weights begin scaled by the inputs that masks leave, logits by a tenth; false: Glorot"
    )
    conditioning: Literal["direct", "deconv"] = Field(
        "direct", description="deconv: make a map from a condition that is a vector"
    )
    maps: int = Field(16, ge=1, description="channels of that map")
    bottleneck: int = Field(0, ge=0, description="length of the vector an image is encoded to; 0: no encoder")
    encoder_scale: float = Field(1.0, gt=0, description="multiplies the encoder's widths of 100, 150 and 200")
    sampler: PixelSampler = PixelSampler()

    def refusal(self, method: Method) -> str | None:
        if method.randomness.has_code:
            return "generator pixelcnn samples every pixel itself; its randomness must be none"
        return super().refusal(method)

    def check_data(self, condition: Given) -> None:
        """No condition is needed; the image itself may be seen only through a bottleneck."""
        if not self.bottleneck and "self" in condition.spelling.split("+"):
            raise ConfigError(
                "it would read the image it is to generate; give --condition none, or train pixelcnn-autoencoder"
            )

    def build(self, randomness: Randomness, shapes: Shapes) -> PixelCNN:
        randomness.finish()
        condition_channels, image_channels, size = shapes
        for name in ("width", "head"):
            if getattr(self, name) % image_channels:
                raise ConfigError(
                    f"generator.{name} must be a multiple of {image_channels}, the number of colours, "
                    f"got {getattr(self, name)}"
                )
        encoder = Bottleneck(condition_channels, self.bottleneck, size, self.encoder_scale) if self.bottleneck else None
        channels = self.bottleneck or condition_channels
        unfolds = self.conditioning == "deconv" and channels > 0
        unfold = Deconvolution(channels, self.maps, size) if unfolds else None
        stack = self.build_stack(image_channels, self.maps if unfolds else channels)
        sizes = (stack.maps, self.head, image_channels, 2**self.bits)
        head = MixtureHead(*sizes, self.components) if self.output == "mixture" else ColourHead(*sizes)
        generator = PixelCNN(stack, head, self.bits, size, unfold, encoder, self.sampler)
        init_glorot(generator)
        if self.scaled:
            for network, gain in ((stack, 1.0), (head.hidden, 1.0), (head.logits, FLAT)):
                scale_by_visible(network, gain)
        if isinstance(stack, ResidualStacks):
            stack.start()
        head.start()
        return generator

    def build_stack(self, colours: int, conditions: int) -> GatedStacks | MaskedStack | ResidualStacks:
        sizes = (colours, self.width, self.layers, self.filter, self.first_filter, conditions)
        if self.stacks == "residual":
            return ResidualStacks(*sizes, self.halvings)
        return GatedStacks(*sizes) if self.stacks == "gated" else MaskedStack(*sizes)
