"""From the maps of an autoregressive stack to the logits of every colour's levels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .masked import pointwise
from .steps import bias_of, centre_of


class ColourHead(nn.Module):
    """ReLU, 1x1, ReLU, 1x1, both with mask B: maps (B, p, H, W) to logits (B, C, levels, H, W)."""

    def __init__(self, maps: int, width: int, colours: int, levels: int) -> None:
        super().__init__()
        self.colours, self.levels = colours, levels
        self.hidden = pointwise(maps, width, colours)
        self.logits = pointwise(width, colours * levels, colours)

    def forward(self, maps: Tensor) -> Tensor:
        logits: Tensor = self.logits(torch.relu(self.hidden(torch.relu(maps))))
        return logits.unflatten(1, (self.colours, self.levels))


class HeadSteps:
    """The head for one pixel, colour by colour, from `Steps.result`."""

    def __init__(self, head: ColourHead, result: Tensor) -> None:
        self.result = result
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

    def logits(self, colour: int) -> Tensor:
        """Logits (N, levels) of a colour, whose group of the result must be valid."""
        maps, relued, bias, weight, known, hidden, last_bias, last, read = self.plans[colour]
        torch.clamp_min(maps, 0, out=relued)
        torch.addmm(bias, weight, known, out=hidden).relu_()
        return torch.addmm(last_bias, read, last)
