"""One row of one image through the gated stacks and the head, compiled by Numba, which importing this module requires.

The steps are those of `gated_steps` and `colour_head`. A layer's maps are kept without a: z and h of one colour after
the other, which is what the next layer reads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
# sums in any order, so that they can be vectorised; infinities and what is not a number stay what they are
compiled = njit(cache=True, fastmath={"reassoc", "contract", "nsz"})


class Layers(NamedTuple):
    """Weights of L layers; rows are a, b / 2 and h of each colour, or a and b / 2 alone where there are 2p."""

    ahead: Floats  # (W, L, 3p), what the rows above and the condition add
    left_first: Floats  # (3p, pixels * C)
    centre_first: Floats  # (3p, C)
    left: Floats  # (L - 1, 2p, pixels * p)
    matrices: Floats  # (L - 1, 3p, 2p)
    last: Floats  # (p, 2p)
    offset: Floats  # (p,)


class Head(NamedTuple):
    hidden: Floats  # (h, p)
    hidden_bias: Floats
    logits: Floats  # (C * levels, h)
    logits_bias: Floats
    temperature: np.float32


class State(NamedTuple):
    """What changes from pixel to pixel."""

    base: Floats  # (L, 3p)
    maps: Floats  # (L, 2p)
    past: Floats  # (L - 1, pixels + W, p), h of the pixels to the left
    shades: Floats  # (pixels + W, C)
    result: Floats  # (p,), after a ReLU
    hidden: Floats  # (h,)
    sums: Floats  # (levels,)


@compiled
def dot(one: Floats, other: Floats, count: int) -> np.float32:
    total = np.float32(0)
    for i in range(count):
        total += one[i] * other[i]
    return total


@compiled
def begin(layers: Layers, state: State, x: int) -> None:
    """What pixel x gets from its left, in every layer."""
    colours, count = state.shades.shape[1], len(state.base)
    seen = state.shades[x : x + layers.left_first.shape[1] // colours].reshape(-1)
    for row in range(state.base.shape[1]):
        state.base[0, row] = layers.ahead[x, 0, row] + dot(layers.left_first[row], seen, len(seen))
    group = len(layers.last) // colours
    for i in range(1, count):
        window = state.past[i - 1, x : x + state.past.shape[1] - len(layers.ahead)].reshape(-1)
        for colour in range(colours):
            for k in range(3 * group):
                row = 3 * group * colour + k
                state.base[i, row] = layers.ahead[x, i, row]
                if k < 2 * group:
                    state.base[i, row] += dot(layers.left[i - 1, 2 * group * colour + k], window, len(window))


@compiled
def run(layers: Layers, state: State, x: int, colour: int) -> None:
    """The maps of a colour in all layers, given the colours before it."""
    colours = state.shades.shape[1]
    group, count = len(layers.last) // colours, len(state.base)
    first, own, seen = 3 * group * colour, 2 * group * colour, 2 * group * (colour + 1)
    now = state.shades[len(state.shades) - len(layers.ahead) + x]
    for k in range(group):
        a = state.base[0, first + k] + dot(layers.centre_first[first + k], now, colour)
        b = state.base[0, first + group + k] + dot(layers.centre_first[first + group + k], now, colour)
        state.maps[0, own + k] = np.tanh(a) * (1 + np.tanh(b))
    for i in range(1, count):
        matrix, read = layers.matrices[i - 1], state.maps[i - 1]
        for k in range(group):
            a = state.base[i, first + k] + dot(matrix[first + k], read, seen)
            b = state.base[i, first + group + k] + dot(matrix[first + group + k], read, seen)
            h = state.base[i, first + 2 * group + k] + dot(matrix[first + 2 * group + k], read, seen)
            state.maps[i, own + k] = np.tanh(a) * (1 + np.tanh(b))
            state.maps[i, own + group + k] = h
            state.past[i - 1, state.past.shape[1] - len(layers.ahead) + x, group * colour + k] = h
    for row in range(group * colour, group * (colour + 1)):
        found = layers.offset[row] + dot(layers.last[row], state.maps[count - 1], seen)
        state.result[row] = max(found, np.float32(0))


@compiled
def choose(head: Head, state: State, colours: int, colour: int, uniform: np.float32) -> int:
    """The level of a colour whose part of the unit interval contains `uniform`."""
    width, levels, known = len(state.hidden) // colours, len(state.sums), len(state.result) // colours * (colour + 1)
    for row in range(width * colour, width * (colour + 1)):
        found = head.hidden_bias[row] + dot(head.hidden[row], state.result, known)
        state.hidden[row] = max(found, np.float32(0))
    for level in range(levels):
        row = levels * colour + level
        state.sums[level] = head.logits_bias[row] + dot(head.logits[row], state.hidden, width * (colour + 1))
    top, total = state.sums.max(), np.float32(0)
    for level in range(levels):
        total += np.exp((state.sums[level] - top) / head.temperature)
        state.sums[level] = total
    return min(int(np.searchsorted(state.sums, uniform * total, side="right")), levels - 1)


@compiled
def draw_row(layers: Layers, head: Head, state: State, levels: Floats, uniform: Floats, kept: int) -> None:
    """Draw a row's levels (W, C) after its first `kept` pixels, by numbers (W, C) in [0, 1)."""
    width, colours = levels.shape
    step = np.float32(2 / (len(state.sums) - 1))
    for x in range(width):
        begin(layers, state, x)
        for colour in range(colours):
            run(layers, state, x, colour)
            if x >= kept:
                levels[x, colour] = choose(head, state, colours, colour, uniform[x, colour])
            state.shades[len(state.shades) - width + x, colour] = levels[x, colour] * step - 1
