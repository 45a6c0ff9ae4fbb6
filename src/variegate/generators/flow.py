"""Conditional flow matching: an ordinary differential equation carries noise to images (Lipman et al., ICLR 2023;
Liu, Gong, Liu, ICLR 2023).

    x_t = (1 - t) noise + t image        dx / dt = v(x_t, t, condition) = image - noise

The code is the noise, a field of the image's shape. The solver is deterministic, so the same code gives the same image.
For super-resolution, what is learned is the detail that the bicubic enlargement of the condition lacks.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from ..core.images import enlarge, with_known
from ..core.interfaces import Features, Generator, Shapes, Size
from ..networks.time_unet import TimeUNet
from ..randomness.sites import tile_to
from .change_of_variables import log_density
from .flow_guidance import snapshot_of
from .staged import pad_to_multiple

if TYPE_CHECKING:
    from .flow_config import FlowConfig

NEAREST_END = 1e-3  # of 1 - t, by which an image's prediction is divided
DETAIL = 0.2  # unit of detail in [-1, 1], so that it varies about as much as images do
EARLIER = "earlier."  # before the names of its weights
WITH_HOLES = 4  # channels of an image with holes: RGB, also of grey images, and the mask


class Flow(Generator):
    """A velocity field, and the solver that follows it from a code to an image."""

    prior = "gaussian"
    unet: ClassVar[type[TimeUNet]] = TimeUNet

    def __init__(self, shapes: Shapes, config: FlowConfig) -> None:
        super().__init__()
        self.config, self.shape = config, (shapes.image_channels, *shapes.size)
        self.code_size = shapes.image_channels * shapes.size[0] * shapes.size[1]
        self.network = self.unet(
            shapes.image_channels,
            shapes.condition_channels,
            config.widths,
            config.blocks,
            config.patch,
            config.conditioning,
        )
        self.earlier = snapshot_of(self.network) if config.earlier_at else None
        self.stride = config.patch * 2 ** (len(config.widths) - 1)

    @property
    def with_holes(self) -> bool:
        """Whether a condition begins with the known pixels and their mask."""
        return self.config.keep_known or self.config.shows_known

    @property
    def drawn_how(self) -> str:
        return self.config.sampler.in_words

    def reached(self, step: int, steps: int, ema: Generator) -> None:
        """Until its time has come, the earlier network follows the average, so that guidance changes nothing."""
        if self.earlier is not None and step <= math.ceil(self.config.earlier_at * steps):
            assert isinstance(ema, Flow)
            self.earlier.load_state_dict(ema.network.state_dict())

    def adopt(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights of a flow with or without its earlier network, which becomes the network itself."""
        own = {name: one for name, one in weights.items() if not name.startswith(EARLIER)}
        if self.earlier is None:
            return own
        return own | {name.replace("network.", EARLIER, 1): one for name, one in own.items()}

    def encode(self, condition: Tensor) -> Features:
        size = (condition.shape[-2], condition.shape[-1])
        condition = pad_to_multiple(self.enlarged(condition), self.stride)
        return Features(condition, self.parts_of(condition), size)

    def parts_of(self, condition: Tensor) -> tuple[Tensor, ...]:
        """What the network reads of a condition, and then what the earlier one reads of it, if that guides."""
        networks = (self.network, self.earlier) if self.looks_back else (self.network,)
        return tuple(part for network in networks if network is not None for part in network.parts(condition))

    @property
    def looks_back(self) -> bool:
        return self.config.sampler.guide == "earlier" and self.config.sampler.guidance != 1

    def decode(self, features: Features, code: Tensor) -> Tensor:
        x = self.solve(features, code)
        height, width = features.size
        condition = self.told(features.condition)[..., :height, :width]
        image = x[..., :height, :width]
        image = (condition + DETAIL * image if self.config.enlarges else image).clamp(-1, 1)
        return with_known(image, condition) if self.config.keep_known else image

    def solve(self, features: Features, code: Tensor) -> Tensor:
        """What the equation carries codes (B, D) to, (B, C, H', W') of the padded size."""
        x = self.field(code, features)
        for start, end in self.times():
            x = self.advance(features, x, start, end)
        return x

    def told(self, condition: Tensor) -> Tensor:
        """The channels that tell of the image's pixels: all, or those before the conditions that are joined to them."""
        return condition[:, : WITH_HOLES if self.with_holes else self.shape[0]]

    def enlarged(self, condition: Tensor) -> Tensor:
        """The condition, a low resolution in it replaced by its bicubic enlargement."""
        if not self.config.enlarges:
            return condition
        return torch.cat([enlarge(self.told(condition), self.config.enlarges), condition[:, self.shape[0] :]], dim=1)

    def carried(self, condition: Tensor, image: Tensor) -> Tensor:
        """What noise is carried to: the image, or its detail beyond the enlarged condition."""
        return (image - self.told(condition)) / DETAIL if self.config.enlarges else image

    def field(self, code: Tensor, features: Features) -> Tensor:
        """The noise (B, C, H', W') of codes (B, D), repeated where images are larger than in training."""
        size: Size = (features.condition.shape[-2], features.condition.shape[-1])
        return tile_to(code.unflatten(1, self.shape), size)

    def times(self) -> list[tuple[float, float]]:
        """Where each step of the solver starts and ends."""
        steps, spacing = self.config.sampler.steps, self.config.sampler.spacing
        ends = [(i / steps) ** spacing for i in range(steps + 1)]
        return list(pairwise(ends))

    def advance(self, features: Features, x: Tensor, start: float, end: float) -> Tensor:
        """One step of the solver; the last is of first order, since there is no velocity at the end to average with."""
        slope = self.velocity(features, x, start)
        reached = x + (end - start) * slope
        if self.config.sampler.kind == "euler" or end >= 1:
            return reached
        return x + (end - start) / 2 * (slope + self.velocity(features, reached, end))

    def velocity(self, features: Features, x: Tensor, time: float) -> Tensor:
        """dx / dt at x (B, C, H, W), guided."""
        times, state, sampler = torch.full_like(x[:, 0, 0, 0], time), features.state, self.config.sampler
        own = state[: len(state) // 2] if self.looks_back else state
        learned = self.slope(x, times, own, features.condition)
        if sampler.guidance == 1 or time < sampler.guided_from or not (own or self.looks_back):
            return learned
        if self.looks_back:
            worse = self.slope(x, times, state[len(own) :], features.condition, self.earlier)
        else:
            worse = self.slope(x, times, tuple(torch.zeros_like(part) for part in own), features.condition)
        return worse + sampler.guidance * (learned - worse)

    def slope(
        self,
        x: Tensor,
        times: Tensor,
        parts: tuple[Tensor, ...],
        condition: Tensor,
        network: nn.Module | None = None,
    ) -> Tensor:
        """The velocity at x (B, C, H, W) and times (B,), whichever of the two a network predicts."""
        hole = self.hole(condition)
        found: Tensor = (network or self.network)(self.seen(x, condition), times, parts)
        if self.config.predicts == "image":
            found = (found - x) / (1 - times).clamp(min=NEAREST_END)[:, None, None, None]
        return found if hole is None else found * hole

    def seen(self, x: Tensor, condition: Tensor) -> Tensor:
        """What the network reads of x."""
        return with_known(x, self.told(condition)) if self.config.shows_known else x

    def hole(self, condition: Tensor) -> Tensor | None:
        """Where noise becomes an image, bool (B, 1, H, W); None: everywhere."""
        return self.told(condition)[:, -1:] > 0 if self.config.shows_known else None

    def velocity_error(self, condition: Tensor, image: Tensor, noise: Tensor, times: Tensor, kept: Tensor) -> Tensor:
        """Mean squared error (B,) of the velocity at x_t, or of that inside holes, for training.

        If the network predicts the image, that is the error of the image divided by the greater of
        (1 - t)^2 and `end`^2.

        Args:
            image, noise: (B, C, H, W); times: (B,).
            kept: bool (B,), whether the network sees the condition.
        """
        height, width = image.shape[-2:]
        condition = self.enlarged(condition)
        image = self.carried(condition, image)
        x = noise + times[:, None, None, None] * (image - noise)
        condition, x = pad_to_multiple(condition, self.stride), pad_to_multiple(x, self.stride)
        parts = [part * kept[:, None, None, None] for part in self.network.parts(condition)]
        found = self.network(self.seen(x, condition), times, tuple(parts))[..., :height, :width]
        velocity = self.config.predicts == "velocity"
        error = (found - (image - noise if velocity else image)).square()
        if (hole := self.hole(condition)) is None:
            error = error.flatten(1).mean(dim=1)
        else:
            hole = hole[..., :height, :width]
            inside = (error.mean(dim=1, keepdim=True) * hole).flatten(1).sum(dim=1)
            error = inside / hole.flatten(1).sum(dim=1).clamp(min=1)
        return error if velocity else error / (1 - times).clamp(min=self.config.end) ** 2

    def invert(self, condition: Tensor, image: Tensor, iterations: int = 30) -> Tensor:
        """Codes (B, D) that `decode` carries to images (B, C, H, W) of the training size: each step is undone.

        A step x -> x + h v(x) is undone by repeating x <- y - h v(x), which converges where steps are short enough.
        """
        features, x = self.encode_pair(condition, image)
        for start, end in reversed(self.times()):
            reached = x
            for _ in range(iterations):
                x = reached - (self.advance(features, x, start, end) - x)
        height, width = self.shape[1:]
        return x[..., :height, :width].flatten(1)

    def encode_pair(self, condition: Tensor, image: Tensor) -> tuple[Features, Tensor]:
        """The condition's features, and what noise is carried to for an image of the same size."""
        features, (height, width) = self.encode(condition), image.shape[-2:]
        return features, pad_to_multiple(self.carried(features.condition[..., :height, :width], image), self.stride)

    def log_density(
        self, condition: Tensor, image: Tensor, probes: int = 8, steps: int = 32, seed: int = 0
    ) -> tuple[Tensor, Tensor]:
        """log p(image | condition) in nats, and its standard error, both (B,): see `change_of_variables`.

        Of images as vectors in [-1, 1], or of what fills their holes.

        Args:
            condition, image: (B, K, H, W) and (B, C, H, W), of the training size.
            probes: 0 gives the exact divergence, for tiny images.
            seed: equal seeds give equal answers.
        """
        features, x = self.encode_pair(condition, image)

        def velocity(x: Tensor, time: float) -> Tensor:
            return self.velocity(features, x, time)

        found, error = log_density(velocity, x, self.hole(features.condition), probes, steps, seed)
        return (found - image[0].numel() * math.log(DETAIL) if self.config.enlarges else found), error
