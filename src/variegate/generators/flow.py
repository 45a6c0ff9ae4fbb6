"""Conditional flow matching: an ordinary differential equation carries noise to images (Lipman et al., ICLR 2023;
Liu, Gong, Liu, ICLR 2023).

    x_t = (1 - t) noise + t image        dx / dt = v(x_t, t, condition) = image - noise

The code is the noise, a field of the image's shape. The solver is deterministic, so the same code gives the same image.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from ..core.config import Config
from ..core.interfaces import Features, Generator, Randomness, Shapes, Size
from ..core.method import GeneratorConfig, Given
from ..networks.time_unet import Conditioning, TimeUNet
from ..randomness.sites import tile_to
from .staged import pad_to_multiple

NEAREST_END = 1e-3  # of 1 - t, by which an image's prediction is divided


class Sampler(Config):
    """How the differential equation is solved when images are drawn."""

    kind: Literal["heun", "euler"] = Field("heun", description="second order, two passes a step; or first order, one")
    steps: int = Field(8, ge=1, description="steps from noise to image")
    guidance: float = Field(1.0, ge=0, description="weight of the condition beyond what is learned; 1: as learned")


class Flow(Generator):
    """A velocity field, and the solver that follows it from a code to an image."""

    prior = "gaussian"

    def __init__(self, shapes: Shapes, config: FlowConfig) -> None:
        super().__init__()
        self.config, self.shape = config, (shapes.image_channels, *shapes.size)
        self.code_size = shapes.image_channels * shapes.size[0] * shapes.size[1]
        self.network = TimeUNet(
            shapes.image_channels,
            shapes.condition_channels,
            config.widths,
            config.blocks,
            config.patch,
            config.conditioning,
        )
        self.stride = config.patch * 2 ** (len(config.widths) - 1)

    def encode(self, condition: Tensor) -> Features:
        size = (condition.shape[-2], condition.shape[-1])
        condition = pad_to_multiple(condition, self.stride)
        return Features(condition, self.network.parts(condition), size)

    def decode(self, features: Features, code: Tensor) -> Tensor:
        x = self.field(code, features)
        for start, end in self.times():
            x = self.advance(features, x, start, end)
        height, width = features.size
        return x[..., :height, :width].clamp(-1, 1)

    def field(self, code: Tensor, features: Features) -> Tensor:
        """The noise (B, C, H', W') of codes (B, D), repeated where images are larger than in training."""
        size: Size = (features.condition.shape[-2], features.condition.shape[-1])
        return tile_to(code.unflatten(1, self.shape), size)

    def times(self) -> list[tuple[float, float]]:
        """Where each step of the solver starts and ends."""
        steps = self.config.sampler.steps
        return [(i / steps, (i + 1) / steps) for i in range(steps)]

    def advance(self, features: Features, x: Tensor, start: float, end: float) -> Tensor:
        """One step of the solver; the last is of first order, since there is no velocity at the end to average with."""
        slope = self.velocity(features, x, start)
        reached = x + (end - start) * slope
        if self.config.sampler.kind == "euler" or end >= 1:
            return reached
        return x + (end - start) / 2 * (slope + self.velocity(features, reached, end))

    def velocity(self, features: Features, x: Tensor, time: float) -> Tensor:
        """dx / dt at x (B, C, H, W), guided."""
        times = torch.full((len(x),), time, device=x.device)
        weight = self.config.sampler.guidance
        learned = self.slope(x, times, features.state)
        if weight == 1 or not features.state:
            return learned
        free = self.slope(x, times, tuple(torch.zeros_like(part) for part in features.state))
        return free + weight * (learned - free)

    def slope(self, x: Tensor, times: Tensor, parts: tuple[Tensor, ...]) -> Tensor:
        """The velocity at x (B, C, H, W) and times (B,), whichever of the two the network predicts."""
        found: Tensor = self.network(x, times, parts)
        if self.config.predicts == "velocity":
            return found
        return (found - x) / (1 - times).clamp(min=NEAREST_END)[:, None, None, None]

    def velocity_error(self, condition: Tensor, image: Tensor, noise: Tensor, times: Tensor, kept: Tensor) -> Tensor:
        """Mean squared error (B,) of the velocity at x_t, for training.

        If the network predicts the image, that is the error of the image divided by the greater of
        (1 - t)^2 and `end`^2.

        Args:
            image, noise: (B, C, H, W); times: (B,).
            kept: bool (B,), whether the network sees the condition.
        """
        height, width = image.shape[-2:]
        x = noise + times[:, None, None, None] * (image - noise)
        condition, x = pad_to_multiple(condition, self.stride), pad_to_multiple(x, self.stride)
        parts = [part * kept[:, None, None, None] for part in self.network.parts(condition)]
        found = self.network(x, times, tuple(parts))[..., :height, :width]
        if self.config.predicts == "velocity":
            return (found - (image - noise)).square().flatten(1).mean(dim=1)
        return (found - image).square().flatten(1).mean(dim=1) / (1 - times).clamp(min=self.config.end) ** 2

    def invert(self, condition: Tensor, image: Tensor, iterations: int = 30) -> Tensor:
        """Codes (B, D) that `decode` carries to images (B, C, H, W) of the training size: each step is undone.

        A step x -> x + h v(x) is undone by repeating x <- y - h v(x), which converges where steps are short enough.
        """
        features, x = self.encode(condition), pad_to_multiple(image, self.stride)
        for start, end in reversed(self.times()):
            reached = x
            for _ in range(iterations):
                x = reached - (self.advance(features, x, start, end) - x)
        height, width = self.shape[1:]
        return x[..., :height, :width].flatten(1)


class FlowConfig(GeneratorConfig):
    summary: ClassVar[str] = "a U-Net that gives the velocity of an ordinary differential equation from noise to image"
    trained_by: ClassVar[str | None] = "flow_matching"

    kind: Literal["flow"] = "flow"
    widths: tuple[int, ...] = Field((32, 64, 96), min_length=1, description="channels of each level, finest first")
    blocks: int = Field(1, ge=1, description="residual blocks of each level, on either side")
    patch: int = Field(2, ge=1, description="side of the patches that the finest level reads")
    conditioning: Conditioning = Field("adaptive", description="normalisation that depends on the place, or as input")
    predicts: Literal["velocity", "image"] = Field("velocity", description="what the network's output means")
    end: float = Field(0.2, gt=0, le=1, description="least 1 - t by which the error of a predicted image is divided")
    sampler: Sampler = Sampler()

    def build(self, randomness: Randomness, shapes: Shapes) -> Flow:
        return Flow(shapes, self)

    def check_data(self, condition: Given) -> None:
        """Anything will do, also no condition."""
