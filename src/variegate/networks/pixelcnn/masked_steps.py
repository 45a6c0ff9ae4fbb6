"""A plain masked stack pixel by pixel: rows above are read once per row, the row itself once per pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F

from ...core.interfaces import Size
from .masked_stack import MaskedBlock, MaskedStack
from .steps import Steps, bias_of, centre_of, empty, left_of, push


class MaskedSteps(Steps):
    """See `Steps`."""

    def __init__(self, stack: MaskedStack, state: Sequence[Tensor], batch: int, size: Size) -> None:
        super().__init__(stack.first, stack.maps, state, batch, size)
        self.first, self.blocks = stack.first, cast(list[MaskedBlock], list(stack.blocks))
        count, wide, width = len(self.blocks), stack.maps, stack.maps // 2
        self.back = self.blocks[-1].masked.around[0] if count else 0
        layers = [self.first, *(block.masked for block in self.blocks)]
        self.above = [empty(layer, layer.kernel_size[0] - 1, batch, size) for layer in layers]
        self.weights = [layer.weights()[:, :, :-1] for layer in layers]
        self.biases = [layer.bias for layer in layers]
        self.bases = [self.zeros(size[1], wide, batch), self.zeros(size[1], count, width, batch)]
        self.base = [self.zeros(wide, batch), self.zeros(count, width, batch)]
        self.streams = [self.zeros(wide, batch) for _ in self.blocks]
        self.streams.append(self.result)
        self.seen = [[self.zeros(maps, batch) for maps in (wide, width, width)] for _ in self.blocks]
        self.past = self.zeros(count, size[1] + self.back, width, batch)
        self.left_first, self.centre_first = left_of(self.first), centre_of(self.first)
        self.left = torch.stack([left_of(one.masked) for one in self.blocks]) if count else None
        self.plans = [self.plan(colour) for colour in range(self.colours)]

    def plan(self, colour: int) -> list[tuple[Tensor, ...]]:
        """All views that the operations of a colour need, block by block."""
        plan = []
        for i, block in enumerate(self.blocks):
            wide, inner, outer = self.seen[i]
            views: list[Tensor] = [self.part(self.streams[i], colour), self.part(wide, colour)]
            for layer, read in ((block.reduce, wide), (block.masked, inner), (block.expand, outer)):
                rows = self.part(centre_of(layer), colour)
                known = read[: len(read) // self.colours * (colour + 1)]
                views += [rows[:, : len(known)].contiguous(), known]
            own = (self.part(bias_of(block.reduce), colour)[:, None], self.part(inner, colour))
            base = (self.part(self.base[1][i], colour), self.part(outer, colour))
            last = (self.part(bias_of(block.expand), colour)[:, None], self.part(self.streams[i + 1], colour))
            plan.append((*views, *own, *base, *last))
        return plan

    def part(self, maps: Tensor, colour: int) -> Tensor:
        """The group of a colour."""
        return maps.unflatten(0, (self.colours, -1))[colour]

    def row(self, y: int, before: Tensor | None) -> None:
        """Collect what all rows above add to row y."""
        for i, (window, weight, bias) in enumerate(zip(self.above, self.weights, self.biases)):
            if before is not None:
                push(window, before if i == 0 else self.past[i - 1, self.back :].permute(2, 1, 0))
            told = F.conv2d(window, weight, bias)[:, :, 0] + self.project(i, y, slice(None))
            base = self.bases[0] if i == 0 else self.bases[1][:, i - 1]
            base.copy_(told.permute(2, 1, 0))

    def pixel(self, x: int) -> None:
        seen = self.row_so_far[x : x + self.behind].flatten(0, 1)
        torch.addmm(self.bases[0][x], self.left_first, seen, out=self.base[0])
        if self.left is not None:
            window = self.past[:, x : x + self.back].flatten(1, 2)
            torch.baddbmm(self.bases[1][x], self.left, window, out=self.base[1])

    def colour(self, colour: int) -> None:
        self.part(self.streams[0], colour).copy_(self.part(self.base[0], colour))
        for stream, wide, a, seen_a, b, seen_b, c, seen_c, bias, inner, base, outer, last, result in self.plans[colour]:
            torch.clamp_min(stream, 0, out=wide)
            torch.addmm(bias, a, seen_a, out=inner).relu_()
            torch.addmm(base, b, seen_b, out=outer).relu_()
            torch.addmm(stream, c, seen_c, out=result).add_(last)

    def put(self, x: int, colour: int, value: Tensor) -> None:
        self.row_so_far[x + self.behind, colour] = value
        later = slice(len(self.result) // self.colours * (colour + 1), None)
        if colour + 1 < self.colours:
            self.base[0][later].addr_(self.centre_first[later, colour], value)

    def keep(self, x: int) -> None:
        for i, (_, inner, _) in enumerate(self.seen):
            self.past[i, x + self.back] = inner
