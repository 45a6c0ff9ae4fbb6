"""What some generators can do besides sampling: protocols to check with `isinstance`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor

from .interfaces import Features

Choose = Callable[[Tensor], Tensor]  # probabilities (B, levels) to levels (B,), integers


@runtime_checkable
class HasLikelihood(Protocol):
    """A generator with a likelihood: PixelCNN, moment predictors."""

    def log_prob(self, condition: Tensor, image: Tensor) -> Tensor:
        """log p(image | condition) in nats, (B,), of what the condition does not give. Teacher-forced: no code."""

    def values(self, condition: Tensor, image: Tensor) -> Tensor:
        """How many values of each image that is the probability of, (B,): a pixel has one for each colour channel."""


@runtime_checkable
class HasLevels(HasLikelihood, Protocol):
    """A generator that gives the probability of every level of every value: PixelCNN.

    Attributes:
        bits: bits per colour; images have 2 ** bits levels.
    """

    bits: int

    def surprisal(self, condition: Tensor, image: Tensor) -> Tensor:
        """Bits of every pixel, given those before it, (B, H, W): `log_prob` is minus ln 2 times their sum."""


@runtime_checkable
class Completes(Protocol):
    """A generator that samples pixel by pixel in raster order, so that it can continue from known pixels: PixelCNN."""

    def complete(self, features: Features, code: Tensor, image: Tensor, known: int) -> Tensor:
        """Images (B, S, C, H, W) of codes (B, S, D), whose first `known` pixels are those of `image` (C, H, W)."""


@runtime_checkable
class HasMoments(Protocol):
    """A generator that predicts the centre and spread of images for every pixel and colour channel."""

    def moments(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Centre and log dispersion as trained, both (B, C, H, W), of conditions (B, K, H, W)."""

    def hole(self, condition: Tensor) -> Tensor | None:
        """Where images are unknown, bool (B, 1, H, W); None: everywhere."""

    def set_min_noise(self, value: float) -> None:
        """What training adds to squared or absolute errors, so that a trained dispersion contains it."""

    def dispersion(self, log_dispersion: Tensor) -> Tensor:
        """Dispersion of images, at least 0: without that noise, and 0 where the image is known."""

    def deviation(self, condition: Tensor) -> Tensor:
        """Standard deviation (B, C, H, W), for images in [-1, 1], without that noise."""

    def centre_weights(self, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights with which another network outputs the centre: of the same layers, which may read noise besides.

        Args:
            own: state of that network.
        """


@runtime_checkable
class HasMemory(Protocol):
    """A generator that copies from training images, which it gets once after training and which are saved with it.

    Attributes:
        images: uint8 (N, C, H, W), the remembered images; empty during training.
    """

    images: Tensor

    def get_ready(self) -> None:
        """Load what remembering needs; called before training, so that it fails early. Raises WeightsError."""

    def remember(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Conditions (B, K, H, W) and images uint8 (B, C, H, W), batch by batch, replace all remembered before."""


@runtime_checkable
class HasSampler(Protocol):
    """A generator whose way of drawing may be changed after training.

    Attributes:
        drawn_how: this way in words, for the records of measurements.
    """

    drawn_how: str


@runtime_checkable
class HasVelocity(HasSampler, Protocol):
    """A generator that follows a learned velocity from noise to image: flow matching."""

    def velocity_error(self, condition: Tensor, image: Tensor, noise: Tensor, times: Tensor, kept: Tensor) -> Tensor:
        """Squared errors (B,) between images and noise (B, C, H, W) at times (B,); `kept`: the condition is seen."""

    def invert(self, condition: Tensor, image: Tensor) -> Tensor:
        """Codes (B, D) of images (B, C, H, W) in [-1, 1]."""

    def log_density(self, condition: Tensor, image: Tensor, probes: int = 8) -> tuple[Tensor, Tensor]:
        """log p(image | condition) in nats, of images as vectors in [-1, 1], and its standard error, both (B,)."""


@runtime_checkable
class Walks(Protocol):
    """A generator that samples value by value: rows from the top, pixels from the left, a pixel's colours in turn."""

    def walk(self, condition: Tensor, choose: Choose) -> Tensor:
        """Images (B, C, H, W) in [-1, 1] of conditions (B, K, H, W); `choose` picks every value, given all before."""

    def quantise(self, image: Tensor) -> Tensor:
        """The levels, from 0, of images in [-1, 1]."""

    def show(self, level: Tensor) -> Tensor:
        """The images in [-1, 1] of levels."""
