"""Conditional GAN with a reconstruction term: pix2pix, and every method that only changes its generator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ..interfaces import Batch, Generator, Losses, Objective, Part, Size
from ..losses.adversarial import Mode, discriminator_loss, generator_loss
from ..networks.blocks import Norm
from ..networks.discriminators import Judgement, MultiScale, PatchGAN


class Adversarial(Objective):
    """L = L_GAN + lambda L1 (Isola et al., CVPR 2017, eqs. 1-4); discriminator first, on the same fakes."""

    def __init__(self, discriminator: nn.Module, mode: Mode, reconstruction: float) -> None:
        super().__init__()
        self.discriminator, self.mode, self.reconstruction = discriminator, mode, reconstruction

    def players(self, generator: Generator) -> dict[str, Iterable[nn.Parameter]]:
        return {"generator": generator.parameters(), "discriminator": self.discriminator.parameters()}

    def updates(self, generator: Generator, batch: Batch, step: int) -> Iterator[Losses]:
        fake = generator(batch.condition, generator.draw_for(batch.key, 1))[:, 0]
        real_logits = logits(self.discriminator(batch.condition, batch.image))
        fake_logits = logits(self.discriminator(batch.condition, fake.detach()))
        yield {"discriminator": {"adversarial": discriminator_loss(real_logits, fake_logits, self.mode)}}
        terms = {
            "adversarial": generator_loss(logits(self.discriminator(batch.condition, fake)), self.mode),
            "l1": self.reconstruction * F.l1_loss(fake, batch.image),
        }
        yield {"generator": terms}


def logits(judgement: Judgement) -> list[Tensor]:
    return [maps[-1] for maps in judgement]


class AdversarialConfig(Part):
    kind: Literal["adversarial"] = "adversarial"
    mode: Mode = "vanilla"
    reconstruction: float = Field(100.0, ge=0, description="weight of the L1 term")
    width: int = Field(64, ge=1, description="base width of the discriminator")
    layers: int = Field(3, ge=1, description="strided layers of the discriminator; 3 see 70x70 patches")
    scales: int = Field(1, ge=1)
    norm: Norm = "batch"

    def build(self, condition_channels: int, image_channels: int, size: Size) -> Adversarial:
        channels = condition_channels + image_channels
        patches = [PatchGAN(channels, self.width, self.layers, self.norm) for _ in range(self.scales)]
        discriminator = patches[0] if self.scales == 1 else MultiScale(patches)
        return Adversarial(discriminator, self.mode, self.reconstruction)
