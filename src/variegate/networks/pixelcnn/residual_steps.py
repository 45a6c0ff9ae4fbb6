"""The residual stacks pixel by pixel: the vertical one a whole row at a time, the horizontal one colour by colour.

A lower resolution takes a step where a pixel of its own begins, at every second row and column of the next higher one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...core.interfaces import Size
from .masked import Masked
from .residual_stacks import ResidualBlock, ResidualStacks, Resolution, both, gated
from .steps import Steps, bias_of, empty, push


class Row:
    """A layer of the vertical stack in one row, and the rows that it reads."""

    def __init__(self, layer: Masked, batch: int, width: int) -> None:
        self.layer, self.weight = layer, layer.weights()
        self.window = empty(layer, layer.kernel_size[0], batch, (1, width))

    def result(self) -> Tensor:
        return F.conv2d(self.window, self.weight, self.layer.bias, self.layer.stride)[:, :, 0]

    def __call__(self, row: Tensor) -> Tensor:
        """(N, inputs, W) to (N, outputs, W), given the rows of earlier calls."""
        push(self.window, row)
        return self.result()


def along_row(layer: nn.Module, row: Tensor) -> Tensor:
    """A 1x1 convolution of (N, inputs, W)."""
    result: Tensor = layer(row.unsqueeze(2))
    return result[:, :, 0]


class Pixel:
    """A layer of the horizontal stack at one pixel, and the inputs (rows, W, inputs, N) that it reads.

    Inputs of later colours are left from the pixel above, or zero; weights that masks have set to zero hide them.
    """

    def __init__(self, layer: Masked, steps: Steps, width: int, parts: int = 1) -> None:
        (rows, _), self.left, colours = layer.kernel_size, layer.around[0], steps.colours
        self.seen = steps.zeros(rows, width + self.left, layer.in_channels, steps.batch)
        self.group = layer.in_channels // colours
        weight, bias = layer.weights().permute(0, 2, 3, 1).flatten(1), bias_of(layer)[:, None]
        each = [one.unflatten(0, (parts, colours, -1)).transpose(0, 1).flatten(1, 2) for one in (bias, weight)]
        self.plans = list(zip(*(one.contiguous() for one in each)))

    def row(self) -> None:
        """Begin the next row."""
        self.seen[:-1] = self.seen[1:].clone()

    def put(self, x: int, colour: int, maps: Tensor) -> None:
        self.seen[-1, x + self.left, self.group * colour : self.group * (colour + 1)] = maps

    def __call__(self, x: int, colour: int) -> Tensor:
        """The maps of a colour, (outputs / C, N), given the inputs of that colour and those before it."""
        bias, weight = self.plans[colour]
        return torch.addmm(bias, weight, self.seen[:, x : x + self.left + 1].flatten(0, 2))


class BlockSteps:
    """`index`: which of the projections is its own."""

    def __init__(self, block: ResidualBlock, index: int, steps: Steps, width: int) -> None:
        self.block, self.index, self.steps, self.maps = block, index, steps, block.link.out_channels
        vertical, horizontal = block.vertical, block.horizontal
        self.rows = [Row(layer, steps.batch, width) for layer in (vertical.first, vertical.second)]
        self.first, self.second = Pixel(horizontal.first, steps, width), Pixel(horizontal.second, steps, width, 2)
        self.skip = None if horizontal.skip is None else Pixel(horizontal.skip, steps, width)
        self.link = self.projected = steps.zeros(1)

    def row(self, y: int, down: Tensor, skip: Tensor | None) -> Tensor:
        """The vertical stack's row (N, p, W), and what it and the condition add to the horizontal one."""
        for layer in (self.first, self.second):
            if y:
                layer.row()
        inner = self.rows[0](both(down))
        if self.block.vertical.skip is not None and skip is not None:
            inner = inner + along_row(self.block.vertical.skip, both(skip))
        own, other = slice(0, 2 * self.maps), slice(2 * self.maps, None)
        down = down + gated(self.rows[1](both(inner)) + self.steps.project(self.index, y, own))
        self.link = self.by_colour(along_row(self.block.link, both(down)), 1)
        ahead = self.steps.zeros(1, 2 * self.maps, 1) + self.steps.project(self.index, y, other)
        self.projected = self.by_colour(ahead, 2).expand(down.shape[2], -1, -1, -1)
        return down

    def by_colour(self, row: Tensor, parts: int) -> Tensor:
        """(N, maps, W) to (W, C, maps / C, N)."""
        return row.unflatten(1, (parts, self.steps.colours, -1)).permute(4, 2, 1, 3, 0).flatten(2, 3)

    def pixel(self, x: int, colour: int, along: Tensor, skip: Tensor | None) -> Tensor:
        """A colour's group (p / C, N) of the horizontal stack."""
        self.first.put(x, colour, both(along, 0))
        inner = self.first(x, colour) + self.link[x, colour]
        if self.skip is not None and skip is not None:
            self.skip.put(x, colour, both(skip, 0))
            inner += self.skip(x, colour)
        self.second.put(x, colour, both(inner, 0))
        return along + gated(self.second(x, colour) + self.projected[x, colour], 0)


class ResolutionSteps:
    """The blocks of one resolution, for images of `width` there."""

    def __init__(self, stack: Resolution, indices: Iterator[int], steps: Steps, width: int) -> None:
        self.steps, self.size, self.y = steps, (2, width), 0
        before, after = (cast(list[ResidualBlock], list(blocks)) for blocks in (stack.before, stack.after))
        self.before = [BlockSteps(block, next(indices), steps, width) for block in before]
        self.lower = None
        if stack.lower is not None:
            half = (width + 1) // 2
            self.lower = ResolutionSteps(stack.lower, indices, steps, half)
            self.vertical, self.strided_row = stack.vertical, Row(stack.vertical.strided, steps.batch, width)
            self.strided = Pixel(stack.horizontal.strided, steps, width)
            self.transposed = Pixel(stack.horizontal.transposed, steps, half)
            self.two_rows = steps.zeros(1)
            self.doubled = steps.zeros(
                2, 2 * half, steps.colours, stack.horizontal.strided.out_channels // steps.colours, steps.batch
            )
        self.after = [BlockSteps(block, next(indices), steps, width) for block in after]

    def row(self, y: int, down: Tensor) -> Tensor:
        """Begin row y, with the vertical stack's maps (N, p, W)."""
        self.y, kept = y, [down]
        for block in self.before:
            kept.append(block.row(y, kept[-1], None))
        if self.lower is None:
            down = kept.pop()
        else:
            push(self.strided_row.window, kept[-1])
            if y:
                self.strided.row()
            if y % 2 == 0:
                lower = self.lower.row(y // 2, self.strided_row.result())
                self.two_rows = self.vertical.back(lower.unsqueeze(2), self.size)
            down = self.two_rows[:, :, y % 2]
        for block in self.after:
            down = block.row(y, down, kept.pop())
        return down

    def pixel(self, x: int, colour: int, along: Tensor) -> Tensor:
        """A colour's group (p / C, N) of the horizontal stack at pixel x of the row."""
        kept = [along]
        for block in self.before:
            kept.append(block.pixel(x, colour, kept[-1], None))
        along = self.through_lower(x, colour, kept[-1]) if self.lower is not None else kept.pop()
        for block in self.after:
            along = block.pixel(x, colour, along, kept.pop())
        return along

    def through_lower(self, x: int, colour: int, along: Tensor) -> Tensor:
        """The group as doubled from the lower resolution, which takes its step where both y and x are even."""
        assert self.lower is not None
        self.strided.put(x, colour, along)
        if self.y % 2 == x % 2 == 0:
            lower = self.lower.pixel(x // 2, colour, self.strided(x, colour))
            self.transposed.put(x // 2, colour, lower)
            self.doubled[:, x : x + 2, colour] = (
                self.transposed(x // 2, colour).unflatten(0, (-1, 2, 2)).permute(1, 2, 0, 3)
            )
        return self.doubled[self.y % 2, x, colour]


class ResidualSteps(Steps):
    """See `Steps`."""

    def __init__(self, stack: ResidualStacks, state: Sequence[Tensor], batch: int, size: Size) -> None:
        super().__init__(stack.horizontal, stack.maps, state, batch, size)
        self.stack, self.x = stack, 0
        self.first_row = Row(stack.vertical, batch, size[1])
        self.first = Pixel(stack.horizontal, self, size[1])
        self.whole = ResolutionSteps(stack.whole, count(), self, size[1])
        self.link = self.zeros(1)
        self.groups = self.result.unflatten(0, (self.colours, -1))

    def row(self, y: int, before: Tensor | None) -> None:
        """Run the vertical stack for row y, which sees the rows above."""
        down = self.zeros(self.batch, self.stack.maps, self.size[1]) if before is None else self.first_row(before)
        self.link = along_row(self.stack.link, down).unflatten(1, (self.colours, -1)).permute(3, 1, 2, 0)
        self.whole.row(y, down)

    def pixel(self, x: int) -> None:
        self.x = x

    def colour(self, colour: int) -> None:
        along = self.first(self.x, colour) + self.link[self.x, colour]
        self.groups[colour] = self.whole.pixel(self.x, colour, along)

    def put(self, x: int, colour: int, value: Tensor) -> None:
        self.first.put(x, colour, value)

    def keep(self, x: int) -> None:
        """All inputs were kept as they came."""
