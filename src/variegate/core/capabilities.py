"""What some generators can do beside drawing: protocols that are asked for with `isinstance`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

from torch import Tensor

from .interfaces import Features

Choose = Callable[[Tensor], Tensor]  # probabilities (B, levels) to levels (B,), whole numbers


@runtime_checkable
class HasLikelihood(Protocol):
    """A generator with a likelihood: PixelCNN, moment predictors."""

    def log_prob(self, condition: Tensor, image: Tensor) -> Tensor:
        """log p(image | condition) in nats, (B,). Teacher-forced: no code is involved."""


@runtime_checkable
class HasLevels(HasLikelihood, Protocol):
    """A generator that knows the probability of every level of a colour, value by value: PixelCNN.

    Attributes:
        bits: of a colour; images have 2 ** bits levels.
    """

    bits: int

    def surprisal(self, condition: Tensor, image: Tensor) -> Tensor:
        """Bits of every pixel, given those before it, (B, H, W): `log_prob` is minus ln 2 times their sum."""


@runtime_checkable
class Completes(Protocol):
    """A generator that draws pixel after pixel, in raster order, so that it can go on from given ones: PixelCNN."""

    def complete(self, features: Features, code: Tensor, image: Tensor, known: int) -> Tensor:
        """Images (B, S, C, H, W) of codes (B, S, D), whose first `known` pixels are those of `image` (C, H, W)."""


@runtime_checkable
class HasMoments(Protocol):
    """A generator that predicts, for every pixel and colour, where images lie and how far they spread."""

    def moments(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Centre and log dispersion, both (B, C, H, W), of conditions (B, K, H, W)."""

    def deviation(self, condition: Tensor) -> Tensor:
        """Standard deviation (B, C, H, W), for images in [-1, 1]."""


@runtime_checkable
class HasMemory(Protocol):
    """A generator that draws with training images. It is shown them once, after its training; they are saved with it.

    Attributes:
        images: uint8 (N, C, H, W), what it remembers; nothing while it is trained.
    """

    images: Tensor

    def get_ready(self) -> None:
        """Have what remembering needs; told before a training rather than after it. Raises WeightsError."""

    def remember(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Conditions (B, K, H, W) and images uint8 (B, C, H, W), batch by batch, in place of what was known before."""


@runtime_checkable
class Walks(Protocol):
    """A generator that draws value by value: rows from the top, pixels from the left, a pixel's colours in turn."""

    def walk(self, condition: Tensor, choose: Choose) -> Tensor:
        """`choose` is asked for every value, given all before it. (B, K, H, W) to images (B, C, H, W) in [-1, 1]."""

    def quantise(self, image: Tensor) -> Tensor:
        """Levels from 0 of images in [-1, 1]."""

    def show(self, level: Tensor) -> Tensor:
        """Images in [-1, 1] of levels."""
