"""BicycleGAN (Zhu et al., NIPS 2017): cVAE-GAN and cLR-GAN together, so that codes and images determine each other.

    E(B) -> mu, log sigma^2;  z_e = mu + sigma eps;  z_r ~ N(0, I)
    L_G,E = LS(D(G(A, z_e)), 1) + LS(D2(G(A, z_r)), 1) + 10 |B - G(A, z_e)| + 0.01 KL
    L_G  += 0.5 |mu(E(G(A, z_r))) - z_r|,   without gradient to E
    L_D   = LS(D(B), 1) + LS(D(G(A, z_e)), 0),   L_D2 likewise with z_r and images of the second half

Each batch is split: its first half supplies pairs and the condition of both fakes, the second only real images for D2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from ..core.errors import ConfigError
from ..core.interfaces import Batch, Generator, Losses, Objective, Shapes
from ..core.method import Method, ObjectiveConfig, Opposite
from ..losses.adversarial import Mode, discriminator_loss, generator_loss
from ..losses.variational import kl_to_standard_normal
from ..networks.blocks import init_xavier
from ..networks.discriminators.patch import logits
from ..networks.posteriors import Posterior
from .adversarial import AdversarialConfig, discriminator_of


class CVAEGAN(Objective):
    """Generator and encoder move together, then the two discriminators, as in the released code."""

    def __init__(self, posterior: Posterior, first: nn.Module, second: nn.Module, config: CVAEGANConfig) -> None:
        super().__init__()
        self.posterior, self.config = posterior, config
        self.bare = [posterior]  # stays unwrapped when training wraps modules for several processes: lists are skipped
        self.discriminator, self.discriminator2 = first, second

    def players(self, generator: Generator) -> dict[str, Iterable[nn.Parameter]]:
        own = {name: getattr(self, name).parameters() for name in ("posterior", "discriminator", "discriminator2")}
        return {"generator": generator.parameters(), **own}

    def updates(self, generator: Generator, batch: Batch, step: int) -> Iterator[Losses]:
        config, half = self.config, len(batch.image) // 2
        if half == 0:
            raise ConfigError("BicycleGAN splits each batch; training.batch_size must be at least 2 per process")
        condition, image, other = batch.condition[:half], batch.image[:half], batch.image[half : 2 * half]
        random, noise = generator.draw_for(batch.key[:half], 2).unbind(dim=1)
        mean, log_variance = self.posterior(image)
        encoded = mean + noise * (log_variance / 2).exp()
        of_encoded, of_random = generator(condition, torch.stack([encoded, random], dim=1)).unbind(dim=1)

        joint = {
            "adversarial": self.fool(self.discriminator, condition, of_encoded),
            "adversarial2": self.fool(self.discriminator2, condition, of_random),
            "l1": config.reconstruction * F.l1_loss(of_encoded, image),
            "kl": config.kl * batch.parts * kl_to_standard_normal(mean, log_variance),
            "latent": config.latent * F.l1_loss(self.found(of_random), random),
        }
        yield {"generator": joint, "posterior": joint}

        yield {
            "discriminator": {"adversarial": self.judge(self.discriminator, condition, image, of_encoded.detach())},
            "discriminator2": {"adversarial": self.judge(self.discriminator2, condition, other, of_random.detach())},
        }

    def inverter(self) -> nn.Module:
        return self.posterior

    def found(self, image: Tensor) -> Tensor:
        """mu(E(image)) with gradient to the image but not to E: the sampled code must not move the encoder."""
        [posterior] = self.bare
        constants = {name: parameter.detach() for name, parameter in posterior.named_parameters()}
        mean: Tensor = functional_call(posterior, constants, (image,))[0]
        return mean

    def fool(self, discriminator: nn.Module, condition: Tensor, fake: Tensor) -> Tensor:
        return generator_loss(logits(discriminator(self.judged_with(condition), fake)), self.config.mode)

    def judge(self, discriminator: nn.Module, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor:
        """Discriminator loss, without pix2pix's factor of 1/2."""
        seen = self.judged_with(condition)
        real_logits, fake_logits = logits(discriminator(seen, real)), logits(discriminator(seen, fake))
        return 2 * discriminator_loss(real_logits, fake_logits, self.config.mode)

    def judged_with(self, condition: Tensor) -> Tensor | None:
        return condition if self.config.conditional else None


class CVAEGANConfig(ObjectiveConfig):
    summary: ClassVar[str] = "an encoder recovers the codes of real and of generated images"

    kind: Literal["cvae_gan"] = "cvae_gan"
    mode: Mode = "lsgan"
    reconstruction: float = Field(10.0, ge=0, description="weight of the L1 term")
    kl: float = Field(0.01, ge=0, description="weight of the KL term, a sum over half the batch and all dimensions")
    latent: float = Field(0.5, ge=0, description="weight of the recovered code's L1 term")
    conditional: bool = Field(False, description="the discriminators see the condition")
    width: int = Field(64, ge=1)
    layers: int = Field(3, ge=1)
    scales: int = Field(2, ge=1)
    code_size: int = Field(8, ge=1)

    def players(self) -> frozenset[str]:
        return frozenset({"generator", "posterior", "discriminator", "discriminator2"})

    def smallest_batch(self, batch_size: int) -> int:
        return batch_size // 2

    def refusal(self, method: Method) -> str | None:
        if method.randomness.vector_length() != self.code_size:
            return "its encoder finds codes of length objective.code_size; randomness must be latent and of that size"
        if method.training.batch_size < 2:
            return "BicycleGAN splits each batch; training.batch_size must be at least 2"
        return None

    def build(self, shapes: Shapes, opposite: Opposite) -> CVAEGAN:
        channels = shapes.image_channels + (shapes.condition_channels if self.conditional else 0)
        shape = AdversarialConfig(
            width=self.width, layers=self.layers, scales=self.scales, narrowing=2, norm="instance"
        )
        first, second = (discriminator_of(channels, shape, shapes.size) for _ in range(2))
        for discriminator in (first, second):
            init_xavier(discriminator)
        return CVAEGAN(self.build_inverter(shapes), first, second, self)

    def build_inverter(self, shapes: Shapes) -> Posterior:
        """Build the encoder that a trained model keeps to find the code of an image."""
        return Posterior(shapes.image_channels, self.code_size, shapes.size, self.width)
