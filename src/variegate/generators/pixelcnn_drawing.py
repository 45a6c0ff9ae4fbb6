"""Drawing from an autoregressive network, exactly, at about the cost of a few parallel passes."""

from __future__ import annotations

import torch
from torch import Tensor

from ..networks.colour_head import ColourHead, HeadSteps
from ..networks.steps import Steps


def shade(level: Tensor, levels: int) -> Tensor:
    """What the network reads of a level: 0 .. levels - 1 to [-1, 1]."""
    return level * (2 / (levels - 1)) - 1


def inverse(logits: Tensor, uniform: Tensor) -> Tensor:
    """The level whose share of the unit interval holds a uniform number: (N, levels) and (N, 1) to (N, 1)."""
    shares = torch.softmax(logits, dim=1).cumsum(dim=1)
    return torch.searchsorted(shares, uniform, right=True).clamp_(max=logits.shape[1] - 1)  # sums may end below 1


def draw(steps: Steps, head: ColourHead, uniform: Tensor, image: Tensor, known: int) -> Tensor:
    """Levels (N, C, H, W), whole numbers as real ones.

    Args:
        uniform: (N, C, H, W) in [0, 1), what chance decides.
        image: levels (N, C, H, W), of which the first `known` pixels in raster order are kept.
    """
    height, width = image.shape[-2:]
    last, chance = HeadSteps(head, steps.result), uniform.permute(2, 3, 1, 0).unsqueeze(-1).contiguous()
    levels = image.permute(2, 3, 1, 0).contiguous()
    shades = shade(levels, head.levels)
    for y in range(height):
        steps.row(y, shades[y - 1].permute(2, 1, 0) if y else None)
        if steps.skips and (y + 1) * width <= known:
            continue
        for x in range(width):
            steps.pixel(x)
            kept, level, value, u = y * width + x < known, levels[y, x], shades[y, x], chance[y, x]
            for colour in range(head.colours):
                steps.colour(colour)
                if not kept:
                    level[colour] = inverse(last.logits(colour), u[colour])[:, 0]
                    value[colour] = shade(level[colour], head.levels)
                steps.put(x, colour, value[colour])
            steps.keep(x)
    return levels.permute(3, 2, 0, 1)
