"""MUNIT (Huang, Liu, Belongie, Kautz: Multimodal unsupervised image-to-image translation, ECCV 2018), equations 1-6.

Domain A is the conditions, domain B the images. Each has a content encoder E^c, a style encoder E^s, a decoder G and a
discriminator D. With c_a = E^c_A(a), s_a' = E^s_A(a), s_a ~ N(0, I), the same for b, and ab = G_B(c_a, s_b),
ba = G_A(c_b, s_a), encoders and decoders minimise

      LS(D_B(ab), 1)           + LS(D_A(ba), 1)
    + 10 |G_A(c_a, s_a') - a|  + 10 |G_B(c_b, s_b') - b|
    +    |E^s_B(ab) - s_b|     +    |E^s_A(ba) - s_a|
    +    |E^c_B(ab) - c_a|     +    |E^c_A(ba) - c_b|
    + w  |G_A(E^c_B(ab), s_a') - a| + w |G_B(E^c_A(ba), s_b') - b|

and the discriminators LS(D_B(b), 1) + LS(D_B(ab), 0) + LS(D_A(a), 1) + LS(D_A(ba), 0). w is 10 in the released settings
except for edges to shoes and bags, where it is 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.errors import ConfigError
from ..core.interfaces import Batch, Features, Generator, Losses, Objective, Shapes
from ..core.method import Method, ObjectiveConfig, Opposite
from ..core.processes import gather_rows, own_rows
from ..losses.adversarial import Mode, discriminator_loss, generator_loss
from ..networks import weights as network_weights
from ..networks.discriminators.munit import MUNITDiscriminator
from ..networks.discriminators.patch import logits
from ..networks.perceptual import VGG19, Reading
from ..networks.style_encoder import StyleEncoder

DEEPEST = Reading((31,), nn.MaxPool2d, True, False)  # ReLU after conv5_2, the last layer of networks.perceptual


class MUNIT(Objective):
    """Both discriminators move first, then everything else together, as in the released code.

    The generator is E^c_A and G_B; `partner`, the generator of the other direction, is E^c_B and G_A.

    Pairs are not used: no term compares an image with its condition, and image i meets condition i+1 of the batch. In
    a batch of one both images of a step come from one item, so the order of the data decides whether they belong
    together.

    Args:
        styles: E^s_A and E^s_B; a trained model keeps the latter, `posterior`, to find the code of an image.
    """

    def __init__(
        self,
        partner: Generator,
        styles: tuple[nn.Module, nn.Module],
        discriminators: tuple[nn.Module, nn.Module],
        features: nn.Module | None,
        config: MUNITConfig,
    ) -> None:
        super().__init__()
        self.partner, self.features, self.config = partner, features, config
        self.style_a, self.posterior = styles
        self.discriminator_a, self.discriminator_b = discriminators

    def players(self, generator: Generator) -> dict[str, Iterable[nn.Parameter]]:
        partners = (self.partner, self.style_a, self.posterior)
        judges = (self.discriminator_a, self.discriminator_b)
        return {
            "generator": generator.parameters(),
            "partner": [parameter for module in partners for parameter in module.parameters()],
            "discriminator": [parameter for module in judges for parameter in module.parameters()],
        }

    def updates(self, generator: Generator, batch: Batch, step: int) -> Iterator[Losses]:
        config, partner = self.config, self.partner
        a, b = own_rows(gather_rows(batch.condition).roll(-1, dims=0)), batch.image
        drawn_a, drawn_b = generator.draw_for(batch.key, 2).unbind(dim=1)
        content_a, content_b = generator.encode(a), partner.encode(b)
        ab, ba = generator.decode(content_a, drawn_b), partner.decode(content_b, drawn_a)

        judged = self.judge(self.discriminator_a, a, ba) + self.judge(self.discriminator_b, b, ab)
        yield {"discriminator": {"adversarial": config.adversarial * judged}}

        style_a, style_b = self.style_a(a)[0], self.posterior(b)[0]
        again_a, again_b = partner.encode(ab), generator.encode(ba)
        image = F.l1_loss(partner.decode(content_a, style_a), a) + F.l1_loss(generator.decode(content_b, style_b), b)
        style = F.l1_loss(self.style_a(ba)[0], drawn_a) + F.l1_loss(self.posterior(ab)[0], drawn_b)
        content = F.l1_loss(last(again_a), last(content_a)) + F.l1_loss(last(again_b), last(content_b))
        fooled = self.fool(self.discriminator_a, ba) + self.fool(self.discriminator_b, ab)
        joint = {
            "adversarial": config.adversarial * fooled,
            "image": config.image * image,
            "style": config.style * style,
            "content": config.content * content,
        }
        if config.cycle:
            back_a, back_b = partner.decode(again_a, style_a), generator.decode(again_b, style_b)
            joint["cycle"] = config.cycle * (F.l1_loss(back_a, a) + F.l1_loss(back_b, b))
        if self.features is not None:
            joint["perceptual"] = config.perceptual_weight * (self.gap(ab, a) + self.gap(ba, b))
        yield {"generator": joint, "partner": joint}

    def inverter(self) -> nn.Module:
        return self.posterior

    def fool(self, discriminator: nn.Module, fake: Tensor) -> Tensor:
        return generator_loss(logits(discriminator(fake)), self.config.mode)

    def judge(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """Discriminator loss, without pix2pix's factor of 1/2."""
        seen = logits(discriminator(real)), logits(discriminator(fake.detach()))
        return 2 * discriminator_loss(*seen, self.config.mode)

    def gap(self, translated: Tensor, source: Tensor) -> Tensor:
        """The domain-invariant perceptual loss: features without their mean and deviation, which carry the style."""
        assert self.features is not None
        a, b = (F.instance_norm(self.features(x)[-1]) for x in (translated, source))
        return F.mse_loss(a, b)


def last(features: Features) -> Tensor:
    """The content code (B, C, H, W)."""
    return features.state[-1]


class MUNITConfig(ObjectiveConfig):
    summary: ClassVar[str] = "content and style are separated and recombined, without pairs"

    kind: Literal["munit"] = "munit"
    mode: Mode = "lsgan"
    adversarial: float = Field(1.0, ge=0, description="weight of the GAN term")
    image: float = Field(10.0, ge=0, description="weight of the L1 term between an image and its own reconstruction")
    style: float = Field(1.0, ge=0, description="weight of the L1 term of the recovered style")
    content: float = Field(1.0, ge=0, description="weight of the L1 term of the recovered content")
    cycle: float = Field(0.0, ge=0, description="weight of the explicit cycle; 10 except for edges to shoes and bags")
    perceptual_weight: float = Field(0.0, ge=0, description="weight of the domain-invariant perceptual term")
    perceptual: Literal["vgg19", "random"] = Field("vgg19", description="its feature network, if weighted")
    width: int = Field(64, ge=1, description="base width of style encoders and discriminators")
    layers: int = Field(4, ge=1, description="strided layers of the discriminators")
    scales: int = Field(3, ge=1, description="successively halved image sizes that the discriminators see")
    code_size: int = Field(8, ge=1)

    def players(self) -> frozenset[str]:
        return frozenset({"generator", "partner", "discriminator"})

    def indivisible(self) -> str | None:
        return "it joins every image with the condition of the next pair"

    def refusal(self, method: Method) -> str | None:
        generator, randomness = method.generator, method.randomness
        if generator.kind != "content_style" or randomness.kind != "adain":
            return "objective munit separates content from style; it needs generator content_style and randomness adain"
        if randomness.vector_length() != self.code_size:
            return "objective.code_size must equal randomness.size, since the style encoder finds codes of that length"
        if not all(site.startswith("style") for site in getattr(randomness, "sites", ())):
            return "randomness.sites must lie in style*, so that only the content is encoded"
        return None

    def build(self, shapes: Shapes, opposite: Opposite) -> MUNIT:
        self.check(shapes)
        both = (shapes.condition_channels, shapes.image_channels)
        style_a, style_b = (StyleEncoder(channels, self.code_size, shapes.size, self.width) for channels in both)
        judge_a, judge_b = (MUNITDiscriminator(channels, self.width, self.layers, self.scales) for channels in both)
        features = domain_invariant(self.perceptual) if self.perceptual_weight else None
        return MUNIT(opposite(), (style_a, style_b), (judge_a, judge_b), features, self)

    def build_inverter(self, shapes: Shapes) -> StyleEncoder:
        """Build the style encoder that a trained model keeps to find the code of an image."""
        return StyleEncoder(shapes.image_channels, self.code_size, shapes.size, self.width)

    def check(self, shapes: Shapes) -> None:
        """Check that the networks fit the images.

        Raises:
            ConfigError: a discriminator would reflect the border of a single pixel, or VGG cannot read the images.
        """
        *channels, size = shapes
        if -(-min(size) // 2 ** (self.scales - 1)) < 2**self.layers:
            raise ConfigError(
                f"discriminators with {self.layers} layers and {self.scales} scales do not fit {size[0]}x{size[1]} "
                "images; use a smaller --objective.layers or --objective.scales, or a larger --size"
            )
        if self.perceptual_weight and (channels != [3, 3] or min(size) < 32):
            raise ConfigError(
                "objective.perceptual_weight needs conditions and images with 3 channels and at least 32x32 pixels, "
                f"got {channels[0]} and {channels[1]} channels and {size[0]}x{size[1]} pixels; set it to 0"
            )


def domain_invariant(kind: Literal["vgg19", "random"]) -> VGG19:
    """Build the network whose deepest features are compared."""
    if kind == "random":
        return VGG19(None, 0.25, DEEPEST)
    return VGG19(network_weights.load("vgg19").state, reading=DEEPEST)
