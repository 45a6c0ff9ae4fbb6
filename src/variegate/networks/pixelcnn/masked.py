"""Masked convolutions, stacked into autoregressive networks: a pixel sees those above it and to its left.

Maps are split into as many groups of equal size as there are colours. At its own pixel a group sees the colours before
its own (mask A, which reads the image) or also its own (mask B, which reads other maps). Masks are applied at every
use, so that no optimiser step can undo them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Mask = Literal["A", "B"]


def groups(maps: int, colours: int, parts: int = 1) -> Tensor:
    """The colour (0, 1, ...) of each map, (maps,); each of `parts` equal parts of the maps is grouped separately."""
    part = maps // parts
    return colours * (torch.arange(maps) % part) // part


def colour_mask(kind: Mask, inputs: int, outputs: int, colours: int, parts: int = 1) -> Tensor:
    """(outputs, inputs) bool: what a map may see of its own pixel; `parts` applies to the outputs."""
    reader, read = groups(outputs, colours, parts)[:, None], groups(inputs, colours)[None]
    return read < reader if kind == "A" else read <= reader


class Masked(nn.Conv2d):
    """A convolution over the window above and to the left of a pixel, which is in the window's last or middle column.

    Args:
        window: (rows, columns to the left, columns to the right) that are read, not counting the pixel's own. Columns
            to the right are read only in the rows above.
        kind: what is seen of the pixel itself; None: all of its row, as in a stack that is shifted down afterwards.
        parts: equal parts of the outputs, each grouped by colours separately.
    """

    mask: Tensor | None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        window: tuple[int, int, int],
        kind: Mask | None,
        colours: int,
        parts: int = 1,
        stride: int = 1,
    ) -> None:
        above, left, right = window
        super().__init__(inputs, outputs, (above + 1, left + 1 + right), stride)
        self.around = (left, right, above, 0)
        mask = None
        if kind is not None:
            mask = torch.ones_like(self.weight, dtype=torch.bool)
            mask[:, :, above, left] = colour_mask(kind, inputs, outputs, colours, parts).to(mask.device)
            mask[:, :, above, left + 1 :] = False
        self.register_buffer("mask", mask, persistent=False)

    def weights(self) -> Tensor:
        """The masked weight (outputs, inputs, rows, columns)."""
        return self.weight if self.mask is None else self.weight * self.mask

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, self.around), self.weights(), self.bias, self.stride)


def pointwise(inputs: int, outputs: int, colours: int) -> Masked:
    """A 1x1 convolution with mask B."""
    return Masked(inputs, outputs, (0, 0, 0), "B", colours)


@torch.no_grad()
def scale_by_visible(network: nn.Module, gain: float = 1.0) -> None:
    """Draw weights anew with deviations of gain / sqrt(inputs that a map sees through its mask), and no biases.

    PyTorch's own initialisation also counts what masks hide.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            mask = layer.mask if isinstance(layer, Masked) else None
            seen = (torch.ones_like(layer.weight) if mask is None else mask).flatten(1).sum(dim=1).clamp(min=1)
            layer.weight.normal_().mul_((gain / seen.sqrt())[:, None, None, None])
            if layer.bias is not None:
                layer.bias.zero_()


def project(layers: Iterable[nn.Module], condition: Tensor) -> Iterator[Tensor | None]:
    """V h of each layer by its own `condition`, an unmasked 1x1 convolution; None if K is 0."""
    for layer in layers:
        assert layer.condition is None or isinstance(layer.condition, nn.Conv2d)
        yield None if layer.condition is None else layer.condition(condition)


def gate(x: Tensor) -> Tensor:
    """Eq. 2: tanh of the first half of the maps, times the sigmoid of the other."""
    first, second = x.chunk(2, dim=1)
    return torch.tanh(first) * torch.sigmoid(second)
