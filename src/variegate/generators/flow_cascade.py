"""A flow that draws a low resolution first, and then the detail that it lacks.

    image = rise(low) + detail        p(image | condition) = p(low | condition) p(detail | low, condition)

The low resolution has the means of blocks of 2x2 pixels, and detail has none: both are orthogonal, in images and in
noise, so that a code remains a field of the image's shape and densities remain exact, as in a Haar transform (Yu,
Derpanis, Brubaker: Wavelet flow, NeurIPS 2020). Both are learned at once, detail from real low resolutions, as in
cascades of diffusion models (Ho et al., JMLR 2022).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.errors import ConfigError
from ..core.images import with_known
from ..core.interfaces import Features, Generator, Shapes
from ..networks.time_unet import TimeUNet
from .flow import WITH_HOLES, Flow
from .staged import pad_to_multiple

if TYPE_CHECKING:
    from .flow_config import FlowConfig

UNIT = 0.1  # of detail in [-1, 1], beyond the bicubic enlargement, so that it varies about as much as images do
MASK = slice(WITH_HOLES - 1, WITH_HOLES)


def means(x: Tensor) -> Tensor:
    """The means (B, C, H / 2, W / 2) of blocks of 2x2 pixels of x (B, C, H, W)."""
    return F.avg_pool2d(x, 2)


def rise(x: Tensor) -> Tensor:
    """Every pixel of x (B, C, H, W) as a block of 2x2."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def detail_of(x: Tensor) -> Tensor:
    """x without the means of its blocks of 2x2 pixels."""
    return x - rise(means(x))


def beyond(image: Tensor, low: Tensor) -> Tensor:
    """The detail of an image (B, C, H, W) beyond the bicubic enlargement of its low resolution, in UNITs."""
    return detail_of(image - F.interpolate(low, scale_factor=2, mode="bicubic")) / UNIT


def merge(low: Tensor, detail: Tensor) -> Tensor:
    """The image (B, C, H, W) of a low resolution and its detail."""
    return rise(low) + detail_of(F.interpolate(low, scale_factor=2, mode="bicubic")) + UNIT * detail


class DetailUNet(TimeUNet):
    """A network whose answers are detail."""

    def forward(self, x: Tensor, time: Tensor, parts: tuple[Tensor, ...]) -> Tensor:
        return detail_of(super().forward(x, time, parts))


class Detail(Flow):
    """A flow from noise to images that are both without means of blocks."""

    unet = DetailUNet

    def field(self, code: Tensor, features: Features) -> Tensor:
        return detail_of(super().field(code, features))


class Cascade(Generator):
    """Flows of half the resolution, itself a cascade or not, and of the detail beyond it."""

    prior = "gaussian"

    def __init__(self, shapes: Shapes, config: FlowConfig) -> None:
        super().__init__()
        self.config, self.channels = config, shapes.image_channels
        (height, width), parts = shapes.size, 2**config.cascade
        if height % parts or width % parts:
            raise ConfigError(
                f"generator.cascade {config.cascade} halves {width}x{height} to pixels that do not exist; give a size "
                f"that {parts} divides"
            )
        reduced = shapes._replace(size=(height // 2, width // 2))
        widths = tuple(max(8, round(width * config.low_scale / 8) * 8) for width in config.widths)
        below = config.model_copy(update={"cascade": config.cascade - 1, "widths": widths})
        self.low: Flow | Cascade = Cascade(reduced, below) if below.cascade else Flow(reduced, below)
        joined = (WITH_HOLES if self.with_holes else 0) + self.channels + shapes.condition_channels
        self.detail = Detail(
            shapes._replace(condition_channels=joined), config.model_copy(update={"keep_known": False})
        )
        self.code_size = self.detail.code_size

    @property
    def with_holes(self) -> bool:
        """Whether a condition begins with the known pixels and their mask."""
        return self.config.keep_known or self.config.shows_known

    @property
    def drawn_how(self) -> str:
        return f"{self.config.sampler.in_words}, {self.config.cascade + 1} resolutions"

    def reached(self, step: int, steps: int, ema: Generator) -> None:
        assert isinstance(ema, Cascade)
        self.low.reached(step, steps, ema.low)
        self.detail.reached(step, steps, ema.detail)

    def adopt(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights of a cascade whose flows have an earlier network or not."""
        found: dict[str, Tensor] = {}
        for part, flow in (("low.", self.low), ("detail.", self.detail)):
            own = {name.removeprefix(part): weight for name, weight in weights.items() if name.startswith(part)}
            found |= {part + name: weight for name, weight in flow.adopt(own).items()}
        return found or weights

    def encode(self, condition: Tensor) -> Features:
        size = (condition.shape[-2], condition.shape[-1])
        condition = pad_to_multiple(condition, 2**self.config.cascade)
        low = self.low.encode(self.reduced(condition))
        return Features(condition, (low.condition, *low.state), size)

    def decode(self, features: Features, code: Tensor) -> Tensor:
        condition, (of_low, *state) = features.condition, features.state
        height, width = condition.shape[-2:]
        low = self.low.decode(Features(of_low, tuple(state), (height // 2, width // 2)), self.coarse(code))
        detail = self.detail.solve(self.detail.encode(self.joined(condition, low)), code)[..., :height, :width]
        image = self.with_known(merge(low, detail).clamp(-1, 1), condition)
        return image[..., : features.size[0], : features.size[1]]

    def with_known(self, image: Tensor, condition: Tensor) -> Tensor:
        return with_known(image, condition[:, :WITH_HOLES]) if self.config.keep_known else image

    def coarse(self, code: Tensor) -> Tensor:
        """The part (B, D / 4) of codes (B, D) that the low resolution is drawn from."""
        return 2 * means(code.unflatten(1, self.detail.shape)).flatten(1)

    def reduced(self, condition: Tensor) -> Tensor:
        """The condition in half the resolution; a pixel is in a hole if one of its four is."""
        if not condition.shape[1]:
            return condition[..., ::2, ::2]
        found = means(condition)
        if self.with_holes:
            found[:, MASK] = F.max_pool2d(condition[:, MASK], 2)
        return found

    def joined(self, condition: Tensor, low: Tensor) -> Tensor:
        """What detail is drawn from: what is known of it and a mask, if there are holes; low resolution; condition."""
        found = [F.interpolate(low, scale_factor=2, mode="bicubic"), condition]
        if self.with_holes:
            mask = rise(F.max_pool2d(condition[:, MASK], 2))
            known = beyond(condition[:, : self.channels], low) * (mask <= 0)
            found = [known.expand(-1, WITH_HOLES - 1, -1, -1), mask, *found]
        return torch.cat(found, dim=1)

    def velocity_error(self, condition: Tensor, image: Tensor, noise: Tensor, times: Tensor, kept: Tensor) -> Tensor:
        """The sum (B,) of both flows' errors at the same times; see `Flow.velocity_error`."""
        low, coarse = means(image), 2 * means(noise)
        first = self.low.velocity_error(self.reduced(condition), low, coarse, times, kept)
        joined, fine = self.joined(condition, low), detail_of(noise)
        return first + self.detail.velocity_error(joined, beyond(image, low), fine, times, kept)

    def invert(self, condition: Tensor, image: Tensor, iterations: int = 30) -> Tensor:
        """Codes (B, D) that `decode` carries to images (B, C, H, W) of the training size; see `Flow.invert`."""
        image = self.with_known(image, condition)
        low = means(image)
        coarse = self.low.invert(self.reduced(condition), low, iterations).view_as(low)
        fine = self.detail.invert(self.joined(condition, low), beyond(image, low), iterations)
        return rise(coarse / 2).flatten(1) + fine

    def log_density(
        self, condition: Tensor, image: Tensor, probes: int = 8, steps: int = 32, seed: int = 0
    ) -> tuple[Tensor, Tensor]:
        """As `Flow.log_density`. Of a hole, all blocks of 2x2 pixels that it touches count."""
        image = self.with_known(image, condition)
        low = means(image)
        joined = self.joined(condition, low)
        first, error = self.low.log_density(self.reduced(condition), low, probes, steps, seed)
        second, other = self.detail.log_density(joined, beyond(image, low), probes, steps, seed)
        hole = self.detail.hole(joined)
        blocks = low[0, 0].numel() if hole is None else hole.flatten(1).sum(1) / 4
        # of four values, one is a mean, and half the sum as the noise has it; detail has three dimensions, not four
        unit = math.log(2) + 3 * math.log(UNIT) - 0.5 * math.log(2 * math.pi)
        return first + second - self.channels * blocks * unit, torch.hypot(error, other)
