"""Autoregressive networks pixel by pixel and colour by colour, every activation computed exactly once.

Buffers hold maps first and rows of the batch last, (maps, N), so that the maps of one colour are one contiguous piece.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ...core.interfaces import Size
from .masked import Masked


class Steps(ABC):
    """One pass over images, in this order:

    `row` for each row from the top; in it, unless its pixels are known and `skips` is true, for each pixel from the
    left: `pixel`; for each colour `colour`, then `put` its value; `keep`.

    Args:
        state: what the condition adds to each layer, (B, maps, H or 1, W or 1), or nothing.
        batch: N, a multiple of B: N / B consecutive images belong to one condition.

    Attributes:
        result: (maps, N) of the current pixel; a colour's group is valid once `colour` was called for it.
        skips: known rows need no steps for their pixels.
    """

    skips = False

    def __init__(self, first: Masked, maps: int, state: Sequence[Tensor], batch: int, size: Size) -> None:
        self.colours, self.state, self.batch, self.size = first.in_channels, state, batch, size
        self.bias = first.weight.new_zeros(0)
        self.result = self.zeros(maps, batch)
        self.behind = first.around[0]  # pixels to the left that the first layer reads
        self.row_so_far = self.zeros(size[1] + self.behind, self.colours, batch)

    def zeros(self, *shape: int) -> Tensor:
        return self.bias.new_zeros(shape)

    def project(self, layer: int, y: int, maps: slice) -> Tensor | float:
        """What the condition adds to `maps` of a layer in row y: (N, maps, W or 1)."""
        if not self.state:
            return 0.0
        whole = self.state[layer]
        row = whole[:, maps, min(y, whole.shape[2] - 1)].to(self.bias.dtype)
        return row if len(row) == self.batch else row.repeat_interleave(self.batch // len(row), dim=0)

    def view(self, buffer: Tensor) -> Any:
        """What values are read from and written to, in the place of a buffer (..., N): it, or an array like it."""
        return buffer

    @abstractmethod
    def row(self, y: int, before: Tensor | None) -> None:
        """Begin row y. `before`: the complete row above it, (N, C, W); None for y = 0."""

    @abstractmethod
    def pixel(self, x: int) -> None:
        """Begin pixel x with the contributions of its left neighbours."""

    @abstractmethod
    def colour(self, colour: int) -> None:
        """Compute the maps of a colour, given the colours before it."""

    @abstractmethod
    def put(self, x: int, colour: int, value: Tensor) -> None:
        """Set the values (N,) of a colour, as the network reads them."""

    @abstractmethod
    def keep(self, x: int) -> None:
        """End pixel x, and keep its maps for its neighbours to read."""


def left_of(layer: Masked) -> Tensor:
    """Weights of the pixels to the left in the same row, (outputs, pixels * inputs)."""
    return layer.weights()[:, :, -1, : layer.around[0]].transpose(1, 2).flatten(1)


def centre_of(layer: Masked) -> Tensor:
    """Weights of the pixel itself, (outputs, inputs)."""
    return layer.weights()[:, :, -1, layer.around[0]]


def bias_of(layer: torch.nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


def empty(layer: Masked, rows: int, batch: int, size: Size) -> Tensor:
    """Zeros for the rows that a layer reads, including its padding: (N, inputs, rows, padded W)."""
    return layer.weight.new_zeros(batch, layer.in_channels, rows, size[1] + sum(layer.around[:2]))


def push(window: Tensor, row: Tensor) -> None:
    """Move a window (N, maps, rows, padded W) down by one row (N, maps, W)."""
    edge = (window.shape[3] - row.shape[2] + 1) // 2  # an even window has one column more on the left
    window[:, :, :-1] = window[:, :, 1:].clone()
    window[:, :, -1, edge : edge + row.shape[2]] = row
