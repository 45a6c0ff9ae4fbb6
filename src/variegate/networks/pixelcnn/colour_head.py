"""From the maps of an autoregressive stack to the logits of every colour's levels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .masked import pointwise
from .steps import bias_of, centre_of


class ColourHead(nn.Module):
    """ReLU, 1x1, ReLU, 1x1, both with mask B, from maps (B, p, H, W) to numbers (B, C, n, H, W): logits, n = levels.

    A subclass may have other numbers, of which `level_logits` makes the logits.
    """

    def __init__(self, maps: int, width: int, colours: int, levels: int, numbers: int | None = None) -> None:
        super().__init__()
        self.colours, self.levels, self.numbers = colours, levels, levels if numbers is None else numbers
        self.hidden = pointwise(maps, width, colours)
        self.logits = pointwise(width, colours * self.numbers, colours)

    def start(self) -> None:
        """Set what weights drawn at random should not decide."""

    def last(self, maps: Tensor) -> Tensor:
        """The numbers (B, C, n, H, W)."""
        numbers: Tensor = self.logits(torch.relu(self.hidden(torch.relu(maps))))
        return numbers.unflatten(1, (self.colours, self.numbers))

    def forward(self, maps: Tensor, shades: Tensor) -> Tensor:
        """Logits (B, C, levels, H, W) of maps (B, p, H, W), given shades (B, C, H, W) of the colours before each."""
        return self.last(maps)

    def nats(self, maps: Tensor, shades: Tensor, level: Tensor) -> Tensor:
        """Negative log-probability of levels (B, C, H, W), integers in any dtype."""
        return F.cross_entropy(self.last(maps).transpose(1, 2), level.long(), reduction="none")

    def level_logits(self, numbers: Tensor, before: Tensor) -> Tensor:
        """Logits (N, levels) of one colour's numbers (N, n), given the shades (c, N) of the colours before it."""
        return numbers


class HeadSteps:
    """The head for one pixel, colour by colour, from `Steps.result`."""

    def __init__(self, head: ColourHead, result: Tensor) -> None:
        self.head, self.result = head, result
        self.plans = []
        hidden = result.new_zeros(head.hidden.out_channels, result.shape[1])
        relued = torch.zeros_like(result)
        for colour in range(head.colours):
            views: list[Tensor] = []
            for layer, read, write in ((head.hidden, relued, hidden), (head.logits, hidden, None)):
                known = read[: len(read) // head.colours * (colour + 1)]
                own = slice(*(layer.out_channels // head.colours * (colour + k) for k in (0, 1)))
                weight = centre_of(layer)[own, : len(known)].contiguous()
                if write is None:
                    views += [bias_of(layer)[own], weight.t(), known.t()]
                else:
                    views += [bias_of(layer)[own, None], weight, known, write[own]]
            own = slice(*(len(result) // head.colours * (colour + k) for k in (0, 1)))
            self.plans.append((result[own], relued[own], *views))

    def logits(self, colour: int, before: Tensor) -> Tensor:
        """Logits (N, levels) of a colour, whose group of the result must be valid.

        Args:
            before: shades (colour, N) of the colours before it.
        """
        maps, relued, bias, weight, known, hidden, last_bias, last, read = self.plans[colour]
        torch.clamp_min(maps, 0, out=relued)
        torch.addmm(bias, weight, known, out=hidden).relu_()
        return self.head.level_logits(torch.addmm(last_bias, read, last), before)
