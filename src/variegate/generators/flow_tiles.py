"""A flow whose velocity is computed in overlapping windows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..core import tiles
from ..core.interfaces import Features
from ..core.tiles import Tile
from .flow import Flow
from .staged import pad_to_multiple


class FlowInTiles(Flow):
    """The same flow, which shares its weights. At every step the velocities of all windows are blended, so that what
    the solver carries from noise to an image is one field from the start (Bar-Tal et al., ICML 2023).

    Features of the condition are computed again in every window and step, and never for the whole image.
    """

    def __init__(self, flow: Flow, windows: Sequence[Tile]) -> None:
        nn.Module.__init__(self)
        self.config, self.shape, self.code_size = flow.config, flow.shape, flow.code_size
        self.network, self.earlier = flow.network, flow.earlier
        self.stride, self.agree = flow.stride, flow.agree
        self.windows = windows

    def encode(self, condition: Tensor) -> Features:
        size = (condition.shape[-2], condition.shape[-1])
        return Features(pad_to_multiple(self.enlarged(condition), self.stride), (), size)

    def decode_all(self, features: Features, code: Tensor) -> Tensor:
        """One condition (1, K, H, W) and codes (1, S, D): the condition is not repeated."""
        return self.decode(features, code[0])[None]

    def velocity(self, features: Features, x: Tensor, time: float) -> Tensor:
        found = torch.zeros_like(x)
        for tile in self.windows:
            rows, columns = (slice(span.start, span.end) for span in tile)
            condition = features.condition[..., rows, columns]
            seen = Features(condition, self.parts_of(condition), (condition.shape[-2], condition.shape[-1]))
            tiles.add(found, tile, super().velocity(seen, x[..., rows, columns], time))
        return found
