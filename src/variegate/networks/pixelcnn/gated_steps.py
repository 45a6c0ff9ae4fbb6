"""The gated stacks pixel by pixel: the vertical one a whole row at a time, the horizontal one colour by colour.

Between two gates of the horizontal stack everything is linear. For a layer that reads h and has gates a and b, with
z = tanh(a) (1 + tanh(b / 2)), which is twice eq. 2, the next one has h + U z / 2 and gates W (h + U z / 2): one matrix
for all. Every group of maps therefore holds a, b and h of one layer, and z in place of b, so that a layer's matrix
reads z and h of the previous layer and writes a, b and h: three operations per layer and colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F

from ...core.interfaces import Size
from .gated_stacks import GatedLayer, GatedStacks
from .masked import gate
from .steps import Steps, bias_of, centre_of, empty, left_of, push

Views = list[tuple[Tensor, ...]]


class GatedSteps(Steps):
    """See `Steps`; known rows are read only by the vertical stack."""

    skips = True

    def __init__(self, stack: GatedStacks, state: Sequence[Tensor], batch: int, size: Size) -> None:
        layers = cast(list[GatedLayer], list(stack.layers))
        super().__init__(layers[0].horizontal, stack.maps, state, batch, size)
        self.layers, self.maps, self.group = layers, stack.maps, stack.maps // stack.colours
        count, maps = len(layers), 3 * stack.maps
        self.back = layers[-1].horizontal.around[0]
        vertical = [layer.vertical for layer in layers]
        self.down = [empty(layer, layer.kernel_size[0], batch, size) for layer in vertical]
        self.bases = self.zeros(size[1], count, maps, batch)
        self.base = self.zeros(count, maps, batch)
        self.maps_now = self.zeros(count, maps, batch)
        self.past = self.zeros(count - 1, size[1] + self.back, stack.maps, batch)
        self.prepare()

    def prepare(self) -> None:
        """Join the weights of neighbouring layers, and split them by colour."""
        first, *rest = self.layers
        self.weights = [layer.vertical.weights() for layer in self.layers]
        self.left_first = self.blocks(left_of(first.horizontal))
        self.centre_first = self.blocks(centre_of(first.horizontal))
        self.left = self.zeros(len(rest), 3 * self.maps, self.back * self.maps)
        constants, matrices = [bias_of(first.link) + bias_of(first.horizontal)], []
        for i, (layer, before) in enumerate(zip(rest, self.layers)):
            centre, carried = centre_of(layer.horizontal), self.carry(before)
            self.left[i] = self.blocks(left_of(layer.horizontal))
            matrices.append(self.blocks(centre @ carried, carried))
            offset = bias_of(before.output)
            constants.append(bias_of(layer.link) + bias_of(layer.horizontal) + centre @ offset)
            self.bases[:, i + 1] = self.blocks(self.zeros(2 * self.maps, 1), offset[:, None])
        self.constants, self.matrices = [constant[:, None] for constant in constants], matrices
        self.plans = [self.plan(colour, matrices, self.carry(self.layers[-1])) for colour in range(self.colours)]

    def blocks(self, gates: Tensor, stream: Tensor | None = None) -> Tensor:
        """Reorder rows of gates (2p, n) and h (p, n) as in the buffers: for each colour a, b / 2 and h."""
        a, b = gates.unflatten(0, (2, self.colours, -1))
        h = torch.zeros_like(a) if stream is None else stream.unflatten(0, (self.colours, -1))
        return torch.stack([a, b / 2, h], dim=1).flatten(0, 2)

    def carry(self, layer: GatedLayer) -> Tensor:
        """The matrix (p, 3p) from this layer's maps to the next one's h, without bias."""
        matrix = self.zeros(self.maps, self.colours, 3, self.group)
        matrix[:, :, 1] = centre_of(layer.output).unflatten(1, (self.colours, -1)) / 2
        if layer.residual:
            matrix[:, :, 2] = torch.eye(self.maps).to(matrix).unflatten(1, (self.colours, -1))
        return matrix.flatten(1)

    def plan(self, colour: int, matrices: list[Tensor], last: Tensor) -> tuple[Views, Views, Views]:
        """All views that the operations of a colour need: gates of the first layer, other layers, the result."""
        group = self.group
        own, seen = slice(3 * group * colour, 3 * group * (colour + 1)), slice(group, 3 * group * (colour + 1))
        head: Views = []
        rest: Views = []
        for i in range(len(self.layers)):
            write = self.maps_now[i, own]
            views = (write[: 2 * group], write[:group], write[group : 2 * group])
            if i == 0:
                head.append((self.base[0, own][: 2 * group], *views))
            else:
                matrix = matrices[i - 1][own, seen].contiguous()
                rest.append((self.base[i, own], matrix, self.maps_now[i - 1, seen], write, *views))
        kept = slice(group * colour, group * (colour + 1))
        offset = bias_of(self.layers[-1].output)[kept, None]
        tail: Views = [(offset, last[kept, seen].contiguous(), self.maps_now[-1, seen], self.result[kept])]
        return head, rest, tail

    def row(self, y: int, before: Tensor | None) -> None:
        """Run the vertical stack on row y - 1, and collect what it and the condition add to row y."""
        own, other = slice(0, 2 * self.maps), slice(2 * self.maps, None)
        for i, (layer, window) in enumerate(zip(self.layers, self.down)):
            ahead = self.constants[i] + self.project(i, y, other)
            if before is not None:
                push(window, before)
                above = F.conv2d(window, self.weights[i], layer.vertical.bias)[:, :, 0]
                ahead = ahead + layer.link.weight[:, :, 0, 0] @ above
                before = gate(above + self.project(i, y - 1, own)) if i + 1 < len(self.layers) else None
            gates = ahead.expand(self.batch, -1, self.size[1]).unflatten(1, (2, self.colours, self.group))
            base = self.bases[:, i].unflatten(1, (self.colours, 3, self.group))
            base[:, :, 0] = gates[:, 0].permute(3, 1, 2, 0)
            torch.div(gates[:, 1].permute(3, 1, 2, 0), 2, out=base[:, :, 1])

    def pixel(self, x: int) -> None:
        seen = self.row_so_far[x : x + self.behind].flatten(0, 1)
        torch.addmm(self.bases[x, 0], self.left_first, seen, out=self.base[0])
        if len(self.layers) > 1:
            window = self.past[:, x : x + self.back].flatten(1, 2)
            torch.baddbmm(self.bases[x, 1:], self.left, window, out=self.base[1:])

    def colour(self, colour: int) -> None:
        head, rest, tail = self.plans[colour]
        for base, gates, a, b in head:
            torch.tanh(base, out=gates)
            torch.addcmul(a, a, b, out=b)
        for base, matrix, read, write, gates, a, b in rest:
            torch.addmm(base, matrix, read, out=write)
            gates.tanh_()
            torch.addcmul(a, a, b, out=b)
        for base, matrix, read, write in tail:
            torch.addmm(base, matrix, read, out=write)

    def put(self, x: int, colour: int, value: Tensor) -> None:
        self.row_so_far[x + self.behind, colour] = value
        later = slice(3 * self.group * (colour + 1), None)
        if colour + 1 < self.colours:
            self.base[0, later].addr_(self.centre_first[later, colour], value)

    def keep(self, x: int) -> None:
        shape = (self.colours, 3, self.group)
        kept = self.maps_now[1:].unflatten(1, shape)[:, :, 2]
        self.past[:, x + self.back].unflatten(1, (self.colours, self.group)).copy_(kept)
