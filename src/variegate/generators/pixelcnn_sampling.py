"""Exact sampling from an autoregressive network, at about the cost of a few parallel passes."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.capabilities import Choose
from ..networks.pixelcnn.colour_head import ColourHead, HeadSteps
from ..networks.pixelcnn.steps import Steps


def shade(level: Tensor, levels: int) -> Tensor:
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


def sample(
    steps: Steps, head: ColourHead, choose: Choose, image: Tensor, known: int, temperature: float = 1.0
) -> Tensor:
    """Sample levels (N, C, H, W): integers in a floating-point dtype.

    Args:
        choose: picks levels (N,) given probabilities (N, levels), for each value in order.
        temperature: of which logits are divided by; below 1, likely levels are even likelier.
        image: levels (N, C, H, W), of which the first `known` pixels in raster order are kept.
    """
    height, width = image.shape[-2:]
    last = HeadSteps(head, steps.result)
    levels = image.permute(2, 3, 1, 0).contiguous()
    shades = shade(levels, head.levels)
    for y in range(height):
        steps.row(y, shades[y - 1].permute(2, 1, 0) if y else None)
        if steps.skips and (y + 1) * width <= known:
            continue
        for x in range(width):
            steps.pixel(x)
            kept, level, value = y * width + x < known, levels[y, x], shades[y, x]
            for colour in range(head.colours):
                steps.colour(colour)
                if not kept:
                    level[colour] = choose(torch.softmax(last.logits(colour, value[:colour]) / temperature, dim=1))
                    value[colour] = shade(level[colour], head.levels)
                steps.put(x, colour, value[colour])
            steps.keep(x)
    return levels.permute(3, 2, 0, 1)
