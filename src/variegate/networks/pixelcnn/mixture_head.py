"""Levels as a mixture of discretised logistic distributions (Salimans et al., PixelCNN++, ICLR 2017).

    p(level x) = sum_k w_k [ sigmoid((x + d - m_k) / s_k) - sigmoid((x - d - m_k) / s_k) ],   d half a level

on shades in [-1, 1]; the lowest level has all of the lower tail, the highest all of the upper one, so that the sum is
1. A mean is linear in the colours before it. Neighbouring levels have similar odds from the first step on, which 256
independent logits have to learn. Here each colour has weights of its own, given the colours before it, where the paper
has one set for all three; masks let every number depend on the colours before its own.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .colour_head import ColourHead

SCALES = (-7, 7)  # bounds of log s; the lower one as in the authors' code


class Mixture(NamedTuple):
    """The mixture of M values: each (M, K)."""

    log_weights: Tensor
    means: Tensor
    steepness: Tensor  # 1 / s


class MixtureHead(ColourHead):
    """K weights, means and scales of each colour, and K coefficients for each other colour."""

    def __init__(self, maps: int, width: int, colours: int, levels: int, components: int) -> None:
        super().__init__(maps, width, colours, levels, (2 + colours) * components)
        self.components = components

    @torch.no_grad()
    def start(self) -> None:
        """Spread the means over the range, with scales as wide as their distance."""
        count = self.components
        assert self.logits.bias is not None
        bias = self.logits.bias.view(self.colours, -1, count)
        bias[:, 1] = (torch.arange(count) + 0.5) * (2 / count) - 1
        bias[:, 2] = math.log(2 / count)

    def forward(self, maps: Tensor, shades: Tensor) -> Tensor:
        numbers, (height, width) = self.last(maps), maps.shape[-2:]
        found = [
            self.level_logits(rows(numbers[:, colour]), rows(shades[:, :colour]).T).unflatten(0, (-1, height, width))
            for colour in range(self.colours)
        ]
        return torch.stack(found, dim=1).permute(0, 1, 4, 2, 3)

    def nats(self, maps: Tensor, shades: Tensor, level: Tensor) -> Tensor:
        numbers, (height, width) = self.last(maps), maps.shape[-2:]
        found = [
            self.log_prob(self.mixture(rows(numbers[:, c]), rows(shades[:, :c]).T), level[:, c].reshape(-1, 1))
            for c in range(self.colours)
        ]
        return -torch.stack([each.view(-1, height, width) for each in found], dim=1)

    def level_logits(self, numbers: Tensor, before: Tensor) -> Tensor:
        levels = torch.arange(self.levels, device=numbers.device, dtype=numbers.dtype)
        return self.log_prob(self.mixture(numbers, before), levels.expand(len(numbers), -1))

    def mixture(self, numbers: Tensor, before: Tensor) -> Mixture:
        """The mixture that numbers (M, n) describe, given shades (c, M)."""
        exact = numbers.to(torch.promote_types(numbers.dtype, torch.float32))
        weights, means, scales, *coefficients = exact.unflatten(1, (-1, self.components)).unbind(1)
        for coefficient, shade in zip(coefficients, before):
            means = means + torch.tanh(coefficient) * shade[:, None]
        return Mixture(F.log_softmax(weights, dim=1), means, torch.exp(-scales.clamp(*SCALES)))

    def log_prob(self, mixture: Mixture, level: Tensor) -> Tensor:
        """Log-probability of levels (M, L), for M mixtures: (M, L).

        With a > b the bounds, sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)): nothing cancels.
        """
        top = self.levels - 1
        level, means, steepness = level.unsqueeze(2), mixture.means.unsqueeze(1), mixture.steepness.unsqueeze(1)
        centred = level * (2 / top) - 1 - means  # (M, L, K)
        below = F.logsigmoid((centred + 1 / top) * steepness).masked_fill(level == top, 0)
        above = F.logsigmoid((1 / top - centred) * steepness).masked_fill(level == 0, 0)
        between = (-torch.expm1(steepness * (-2 / top))).log().masked_fill((level == 0) | (level == top), 0)
        return torch.logsumexp(mixture.log_weights.unsqueeze(1) + below + above + between, dim=2)


def rows(maps: Tensor) -> Tensor:
    """Maps (B, n, H, W) as (B H W, n)."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)
