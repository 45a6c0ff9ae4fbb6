"""How a flow's equation is solved when images are drawn, and what its velocity is led away from.

    v = worse + w (learned - worse)

worse is the network without its condition (Ho, Salimans, 2022), or the same network as it was early in training (Karras
et al., Guiding a diffusion model with a bad version of itself, NeurIPS 2024), which makes the mistakes of the trained
one, only more of them.
"""

from __future__ import annotations

import copy
from typing import Literal, TypeVar

from pydantic import Field
from torch import nn

from ..core.config import Config

Network = TypeVar("Network", bound=nn.Module)


class Sampler(Config):
    """How the differential equation is solved when images are drawn."""

    kind: Literal["heun", "euler"] = Field("heun", description="second order, two passes a step; or first order, one")
    steps: int = Field(6, ge=1, description="steps from noise to image")
    spacing: float = Field(1.5, gt=0, description="above 1: the first steps, which decide what is drawn, are shorter")
    guidance: float = Field(
        1.0, ge=0, description="w: how far the velocity is led away from a worse one; 1: as learned"
    )
    guide: Literal["unconditional", "earlier"] = Field(
        "unconditional",
        description="the worse one: without the condition, or that of the network kept at generator.earlier_at",
    )
    guided_from: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="time, 0 noise and 1 image, before which nothing is guided; early guidance costs diversity",
    )

    @property
    def in_words(self) -> str:
        against = " away from the network early in training" if self.guide == "earlier" else ""
        late = f" from {self.guided_from:g} on" if self.guided_from else ""
        told = f"drawn with {self.steps} steps of {self.kind}, guidance {self.guidance:g}"
        return told + (against + late if self.guidance != 1 else "")


def snapshot_of(network: Network) -> Network:
    """A copy whose weights are buffers, so that it is saved with the network, and nothing trains or averages it."""
    copied = copy.deepcopy(network)
    for module in copied.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, weight.detach().clone())
    return copied
