"""The gated stacks pixel by pixel for one image, on a processor: the same steps, called through NumPy.

The matrices of a colour are so small that calls take most of the time, and NumPy's take less than half of torch's. The
arrays share the memory of `GatedSteps`, whose rows are computed as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .colour_head import ColourHead, HeadSteps
from .gated_steps import GatedSteps

Floats = NDArray[np.float32]


def array(tensor: Tensor) -> Floats:
    """The memory of a tensor (..., 1) of one image as an array (...)."""
    found: Floats = tensor.detach().numpy()
    return found[..., 0]


class OneImageSteps(GatedSteps):
    """See `GatedSteps`; `batch` must be 1, and everything in single precision on the CPU."""

    def prepare(self) -> None:
        super().prepare()
        self.from_left = [each.detach().numpy() for each in (self.left_first, *self.left)]
        self.from_before = self.centre_first.detach().numpy()
        self.read_row, self.read_past = self.view(self.row_so_far), self.past.numpy()
        self.ahead, self.now = array(self.bases), array(self.base)
        self.heads = [self.gates_of(head[0]) for head, _, _ in self.plans]
        self.others = [[self.gates_of(views) for views in rest] for _, rest, _ in self.plans]
        self.tails = [self.gates_of(tail[0]) for _, _, tail in self.plans]
        later, split = len(self.layers) - 1, (self.colours, self.group)
        self.made = array(self.maps_now[1:]).reshape(later, self.colours, 3, self.group)[:, :, 2]
        self.kept = self.read_past.reshape(later, self.past.shape[1], *split)

    def gates_of(self, views: tuple[Tensor, ...]) -> tuple[Floats, ...]:
        """Views of one operation as arrays: matrices as they are, columns as vectors."""
        return tuple(one.detach().numpy() if one.shape[-1] != 1 else array(one) for one in views)

    def view(self, buffer: Tensor) -> Any:
        return array(buffer)

    def pixel(self, x: int) -> None:
        np.dot(self.from_left[0], self.read_row[x : x + self.behind].reshape(-1), out=self.now[0])
        for i, matrix in enumerate(self.from_left[1:]):
            np.dot(matrix, self.read_past[i, x : x + self.back].reshape(-1), out=self.now[i + 1])
        self.now += self.ahead[x]

    def colour(self, colour: int) -> None:
        base, gates, a, b = self.heads[colour]
        np.tanh(base, out=gates)
        np.multiply(a, b, out=b)
        np.add(a, b, out=b)
        for base, matrix, read, write, gates, a, b in self.others[colour]:
            np.dot(matrix, read, out=write)
            np.add(write, base, out=write)
            np.tanh(gates, out=gates)
            np.multiply(a, b, out=b)
            np.add(a, b, out=b)
        offset, matrix, read, write = self.tails[colour]
        np.dot(matrix, read, out=write)
        np.add(write, offset, out=write)

    def put(self, x: int, colour: int, value: Any) -> None:
        self.read_row[x + self.behind, colour] = value
        if colour + 1 < self.colours:
            later = 3 * self.group * (colour + 1)
            self.now[0, later:] += self.from_before[later:, colour] * value

    def keep(self, x: int) -> None:
        self.kept[:, x + self.back] = self.made


class OneImageHead(HeadSteps):
    """See `HeadSteps`, for one image."""

    def __init__(self, head: ColourHead, result: Tensor) -> None:
        super().__init__(head, result)
        self.arrays = [
            (
                array(maps),
                array(relued),
                array(bias),
                weight.detach().numpy(),
                array(known),
                array(hidden),
                last_bias.detach().numpy(),
                last.t().detach().numpy(),
                array(read.t()),
            )
            for maps, relued, bias, weight, known, hidden, last_bias, last, read in self.plans
        ]

    def picks(self, uniform: Iterator[float], temperature: float) -> Callable[[int, Floats], int]:
        """What picks the level of a colour, given the shades (c,) before it, by the next number in [0, 1)."""

        def pick(colour: int, before: Floats) -> int:
            maps, relued, bias, weight, known, hidden, last_bias, last, read = self.arrays[colour]
            np.maximum(maps, 0, out=relued)
            np.dot(weight, known, out=hidden)
            np.add(hidden, bias, out=hidden)
            np.maximum(hidden, 0, out=hidden)
            numbers = torch.from_numpy(np.dot(last, read) + last_bias).unsqueeze(0)
            logits = self.head.level_logits(numbers, torch.from_numpy(before).unsqueeze(1))[0].numpy()
            sums = np.exp((logits - logits.max()) / np.float32(temperature)).cumsum()
            return min(int(sums.searchsorted(next(uniform) * sums[-1], side="right")), len(sums) - 1)

        return pick
