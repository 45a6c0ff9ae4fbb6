"""Staged networks: stages run in order over a tuple of tensors; the last one is current, the others are skips.

The first stage with a layer that reads the code splits the network: everything before it is `encode` and runs once per
condition; the rest is `decode` and runs once per code. The split is detected, not declared.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.interfaces import Features, Generator, Randomness
from ..networks.checkpointing import run
from ..randomness.sites import CodeLayer

State = tuple[Tensor, ...]


class Stage(nn.Module, ABC):
    """One step of a staged network."""

    @abstractmethod
    def forward(self, state: State, code: Tensor | None) -> State: ...


class Staged(Generator):
    """A generator made of named stages.

    Args:
        stages: in order; the last leaves the image as the current tensor.
        stride: height and width are padded to multiples of it on input and cropped on output.
        smallest: they are padded to at least this; reflection padding needs more than one pixel at the coarsest level.

    Attributes:
        checkpoints: what is inside a stage is not kept for the backward pass, but computed again; see `checkpointing`.
    """

    checkpoints = False

    def __init__(self, stages: dict[str, Stage], randomness: Randomness, stride: int, smallest: int = 1) -> None:
        super().__init__()
        self.stages = nn.ModuleDict(stages)
        self.randomness = randomness
        self.stride, self.smallest = stride, smallest
        randomness.finish()
        self.code_size, self.prior = randomness.size, randomness.prior
        self.alternatives, self.parts = randomness.alternatives, randomness.parts
        self.split = first_reader(list(stages.values()))

    def start(self, condition: Tensor) -> State:
        """The state that the first stage reads."""
        return (condition,)

    def encode(self, condition: Tensor) -> Features:
        height, width = condition.shape[-2:]
        condition = pad_to_multiple(condition, self.stride, self.smallest)
        state = self.start(condition)
        for stage in self.deterministic:
            state = run(stage, state, None, again=self.checkpoints)
        return Features(condition, state, (height, width))

    def decode(self, features: Features, code: Tensor) -> Tensor:
        prepared = self.randomness.prepare(code, features.condition) if self.code_size else code
        state = features.state
        for stage in self.stochastic:
            state = run(stage, state, prepared, again=self.checkpoints)
        height, width = features.size
        return state[-1][..., :height, :width]

    @property
    def deterministic(self) -> list[nn.Module]:
        return list(self.stages.values())[: self.split]

    @property
    def stochastic(self) -> list[nn.Module]:
        return list(self.stages.values())[self.split :]


def first_reader(stages: list[Stage]) -> int:
    """Index of the first stage with a layer that reads the code; the number of stages if there is none."""
    reads = [any(isinstance(module, CodeLayer) for module in stage.modules()) for stage in stages]
    return reads.index(True) if True in reads else len(stages)


def pad_to_multiple(x: Tensor, multiple: int, smallest: int = 1) -> Tensor:
    """Repeat the last row and column until height and width are multiples of `multiple` and at least `smallest`."""
    down, right = (max(smallest, -(-side // multiple) * multiple) - side for side in x.shape[-2:])
    if not x.shape[1]:
        return x.new_empty(len(x), 0, x.shape[-2] + down, x.shape[-1] + right)
    return F.pad(x, (0, right, 0, down), mode="replicate") if down or right else x


def bound(x: Tensor, channels: int, slope: float = 1.0) -> Tensor:
    """tanh(slope x) on the first channels of x (B, C', H, W), the image; others, a log dispersion, are unchanged."""
    if x.shape[1] == channels:
        return torch.tanh(slope * x)
    return torch.cat([torch.tanh(slope * x[:, :channels]), x[:, channels:]], dim=1)
