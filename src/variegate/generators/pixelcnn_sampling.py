"""Exact sampling from an autoregressive network, at about the cost of a few parallel passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..core.capabilities import Choose
from ..networks.pixelcnn.colour_head import ColourHead, HeadSteps
from ..networks.pixelcnn.compiled_steps import CompiledSteps
from ..networks.pixelcnn.steps import Steps

T = TypeVar("T", Tensor, Any)
Pick = Callable[[int, Any], Any]


def shade(level: T, levels: int) -> T:
    """Levels 0 .. levels - 1 mapped to [-1, 1], as the network reads them."""
    return level * (2 / (levels - 1)) - 1


def inverse(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """The level whose part of the unit interval contains a uniform number: (N, levels) and (N, 1) to (N,)."""
    levels = torch.searchsorted(probabilities.cumsum(dim=1), uniform, right=True)
    return levels[:, 0].clamp_(max=probabilities.shape[1] - 1)  # sums may end below 1


def by_field(uniform: Tensor, known: int) -> Choose:
    """Choose by uniform numbers (N, C, H, W) in [0, 1), one after the other from pixel `known` on."""
    numbers = iter(uniform.permute(2, 3, 1, 0).flatten(0, 1)[known:].flatten(0, 1).unsqueeze(-1).contiguous())
    return lambda probabilities: inverse(probabilities, next(numbers))


def in_order(uniform: Tensor, known: int) -> Iterator[float]:
    """The numbers (1, C, H, W) of one image, one after the other from pixel `known` on."""
    return iter(uniform.permute(2, 3, 1, 0).flatten(0, 1)[known:].flatten().tolist())


def by_probability(head: ColourHead, steps: Steps, choose: Choose, temperature: float = 1.0) -> Pick:
    """Pick by `choose`, which has the probabilities (N, levels) of each value in order.

    Args:
        temperature: of which logits are divided by; below 1, likely levels are even likelier.
    """
    last = HeadSteps(head, steps.result)
    return lambda colour, before: choose(torch.softmax(last.logits(colour, before) / temperature, dim=1))


def sample(steps: Steps, pick: Pick, image: Tensor, levels: int, known: int) -> Tensor:
    """Sample levels (N, C, H, W): integers in a floating-point dtype.

    Args:
        pick: the levels (N,) of a colour, given the shades (c, N) of the colours before it.
        image: levels (N, C, H, W), of which the first `known` pixels in raster order are kept.
    """
    height, width = image.shape[-2:]
    found = image.permute(2, 3, 1, 0).contiguous()
    shades = shade(found, levels)
    places, values = steps.view(found), steps.view(shades)
    for y in range(height):
        steps.row(y, shades[y - 1].permute(2, 1, 0) if y else None)
        if steps.skips and (y + 1) * width <= known:
            continue
        for x in range(width):
            steps.pixel(x)
            kept, level, value = y * width + x < known, places[y, x], values[y, x]
            for colour in range(steps.colours):
                steps.colour(colour)
                if not kept:
                    level[colour] = pick(colour, value[:colour])
                    value[colour] = shade(level[colour], levels)
                steps.put(x, colour, value[colour])
            steps.keep(x)
    return found.permute(3, 2, 0, 1)


def sample_by_rows(steps: CompiledSteps, uniform: Tensor, image: Tensor, levels: int, known: int) -> Tensor:
    """`sample` for a single image, by uniform numbers (1, C, H, W) in [0, 1)."""
    height, width = image.shape[-2:]
    found, numbers = (one.permute(2, 3, 1, 0).contiguous() for one in (image, uniform))
    for y in range(height):
        steps.row(y, shade(found[y - 1], levels).permute(2, 1, 0) if y else None)
        if (y + 1) * width > known:
            steps.draw(found[y], numbers[y], max(0, known - y * width))
    return found.permute(3, 2, 0, 1)
