"""The core types: Shapes, Batch, Randomness, Generator, Objective; Method is in `core.method`. Read this first.

Axes, project-wide: B batch, S samples per condition, K condition channels, C image channels, H W, D code, N neighbours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple, Self, TypedDict, Unpack

import torch
from torch import Tensor, nn

from . import codes

Size = tuple[int, int]  # (H, W)


class Shapes(NamedTuple):
    """What every component is built for."""

    condition_channels: int  # K
    image_channels: int  # C
    size: Size

    def reversed(self) -> Shapes:
        """Shapes of the opposite direction, from images to conditions."""
        return Shapes(self.image_channels, self.condition_channels, self.size)


Losses = Mapping[str, Mapping[str, Tensor]]  # player -> term -> weighted scalar; the loop sums the terms


class Batch(NamedTuple):
    """One minibatch, on the device. Optional fields are None unless the data or the sampler supplies them."""

    condition: Tensor  # (B, K, H, W)
    image: Tensor  # (B, C, H, W) in [-1, 1]
    index: Tensor  # type: ignore[assignment]  # (B,) which item of the data set; hides tuple.index
    key: Tensor  # (B,) one number per visit to an item; training codes are drawn from it, whichever rank has the item
    weight: Tensor | None = None  # (B, 1, H, W) rebalancing weight of each pixel
    neighbours: Tensor | None = None  # (B, N, C, H, W) other plausible images of the same condition
    present: Tensor | None = None  # (B, N) bool, which neighbours exist
    encode: Callable[[Tensor], Tensor] | None = None  # of pools: turns `condition`, as read, into network input
    parts: int = 1  # this is one of so many equal parts of the whole batch; gradients are averaged over them

    def conditions(self, rows: Tensor) -> Tensor:
        """Conditions of some rows (b,), encoded now if the batch is a pool: (b, K, H, W)."""
        given = self.condition[rows]
        return given if self.encode is None else self.encode(given)


class Conv(TypedDict, total=False):
    """How a stage describes the convolution it asks for; `randomness.sites.convolution` has the defaults."""

    kernel_size: int
    stride: int
    padding: int
    output_padding: int
    dilation: int
    transposed: bool
    bias: bool
    padding_mode: Literal["zeros", "reflect"]
    norm: Callable[[int], nn.Module] | None  # made for the output channels and applied after the convolution
    size: Size  # H, W of the layer's input at the size the network is built for


class Randomness(nn.Module, ABC):
    """Where the code enters a backbone: "a convolution that reads a code", at the stages named in `sites`."""

    sites: frozenset[str]
    size: int = 0  # D; may grow while a backbone asks for its layers
    prior: codes.Prior = "gaussian"
    alternatives: int | None = None  # distinct codes, if there are only so many
    parts: tuple[int, ...] = ()  # lengths of a code's parts: one for the whole image, then one for each class

    @abstractmethod
    def layer(self, site: str, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> nn.Module:
        """A module `(x, code) -> x` (convolution, then its normalisation). Outside `sites` it ignores the code."""

    def feeds(self, site: str) -> bool:
        """Whether a layer reads noise as further input channels, so that it may have no other input."""
        return False

    def prepare(self, code: Tensor, condition: Tensor) -> Tensor:
        """Transform the code once per decode, before any layer reads it (a noise encoder); the identity by default."""
        return code

    def fixed_codes(self, count: int) -> Tensor:
        """Draw fixed codes (count, D), which training uses throughout, as initial weights are drawn."""
        return torch.rand(count, self.size) if self.prior == "uniform" else torch.randn(count, self.size)

    def finish(self) -> None:
        """Called when the backbone has asked for all of its layers.

        Raises:
            ConfigError: a site matches no layer of the backbone.
        """


class Features(NamedTuple):
    """What `encode` returns: all of the computation that does not depend on the code."""

    condition: Tensor  # (B, K, H', W') padded to a size that the network can divide
    state: tuple[Tensor, ...]  # dim 0 is B everywhere
    size: Size  # H, W before padding

    def repeat(self, samples: int) -> Features:
        """Repeat each condition `samples` times in a row, to match `samples` codes."""
        if samples == 1:
            return self
        rows = torch.arange(len(self.condition), device=self.condition.device).repeat_interleave(samples)
        repeated = [tensor[rows] for tensor in (self.condition, *self.state)]  # indexing keeps the memory format
        return Features(repeated[0], tuple(repeated[1:]), self.size)


Agree = Callable[[Tensor, Tensor], Tensor]  # encoded condition (1, K, H, W), images (S, C, H, W) to such images


class Generator(nn.Module, ABC):
    """images = generator(condition, codes). The deterministic part runs once per condition, the rest once per code.

    Attributes:
        agree: after training, changes samples so that they agree with what their condition tells; None: nothing does.
    """

    agree: Agree | None = None
    code_size: int
    prior: codes.Prior
    alternatives: int | None = None  # different images of one condition, if there are only so many
    parts: tuple[int, ...] = ()  # lengths of the code's parts, if each class of a layout has its own; see `Randomness`

    @abstractmethod
    def encode(self, condition: Tensor) -> Features:
        """Run the longest prefix of stages that does not read the code on conditions (B, K, H, W)."""

    @abstractmethod
    def decode(self, features: Features, code: Tensor) -> Tensor:
        """One image (C, H, W) per row of features and code (B, D). Same features and code, same image."""

    def decode_all(self, features: Features, code: Tensor) -> Tensor:
        """S images of each condition: codes (B, S, D) give (B, S, C, H, W)."""
        samples = code.shape[1]
        return self.decode(features.repeat(samples), code.flatten(0, 1)).unflatten(0, (-1, samples))

    def forward(self, condition: Tensor, code: Tensor) -> Tensor:
        """(B, K, H, W) and (B, S, D) to (B, S, C, H, W); encodes once. The only entry point for training and DDP."""
        return self.decode_all(self.encode(condition), code)

    @property
    def fixed_codes(self) -> Tensor | None:
        """Codes (n, D) used throughout training and saved with the weights; None if training drew fresh ones."""
        return self._buffers.get("training_codes")

    def adopt(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Convert weights to start from, which may be another method's, to what this network can load."""
        return weights

    def reached(self, step: int, steps: int, ema: Generator) -> None:
        """Called before every step of training, with the moving average of this generator's weights."""

    def draw(self, seeds: Sequence[codes.Seed]) -> Tensor:
        """Codes of (seed, index) pairs, on the CPU: (S, D). Where there are only so many, without repetition."""
        if self.alternatives is not None:
            return codes.draw_choices(seeds, self.alternatives)
        return codes.draw_many(seeds, self.code_size, self.prior)

    def draw_for(self, keys: Tensor, samples: int) -> Tensor:
        """Training codes 0 .. samples-1 of every item of a batch, on its device: (B, S, D)."""
        seeds = [(key, index) for key in keys.tolist() for index in range(samples)]
        return self.draw(seeds).unflatten(0, (len(keys), samples)).to(keys.device)


class Objective(nn.Module, ABC):
    """What is optimised, by whom, in which order. Owns discriminators, encoders, predictors and fixed codes.

    Registered modules and buffers are its whole state, so checkpoints need no special cases.

    Attributes:
        predictor: the generator trained by `Method.previous`, if its role is predictor or teacher; never trained here.
        images_wait: whether the generator learns from images that it made before another player's move.
    """

    images_wait: ClassVar[bool] = False
    predictor: Generator | None

    def __init__(self) -> None:
        super().__init__()
        self.predictor = None

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.predictor is not None:
            self.predictor.eval()
        return self

    def players(self, generator: Generator) -> dict[str, Iterable[nn.Parameter]]:
        """Parameters by player; every player has an optimiser."""
        return {"generator": generator.parameters()}

    @abstractmethod
    def updates(self, generator: Generator, batch: Batch, step: int) -> Iterator[Losses]:
        """One yield is one simultaneous move: two yields alternate, two keys in one yield move together.

        Code after a yield sees the updated weights. A player's gradient reaches only its own parameters, so nothing is
        frozen here. Never yield inside `torch.no_grad()`: the loop would inherit it. A term that two players share is
        the same tensor in both.
        """

    def held_out(self, generator: Generator, batch: Batch) -> Tensor | None:
        """Errors (B,) of held-out pairs, by whose mean the best step is kept; None: samples are compared with truth."""
        return None

    def inverter(self) -> nn.Module | None:
        """The trained network that finds an image's code, (B, C, H, W) -> mean and log-variance (B, D), if any."""
        return None
