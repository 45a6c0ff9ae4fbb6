"""The layers of a plain PixelCNN (van den Oord, Kalchbrenner, Kavukcuoglu: Pixel recurrent neural networks, ICML 2016).

One stack of masked n x n convolutions. Part of what lies above and to the right stays unseen, however many layers there
are: the blind spot, which two stacks do not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from .masked import Masked, pointwise, project


class MaskedBlock(nn.Module):
    """2h maps to h, a masked n x n convolution, back to 2h; each after a ReLU, with a residual connection."""

    def __init__(self, width: int, filter: int, colours: int, conditions: int) -> None:
        super().__init__()
        back = filter // 2
        self.reduce = pointwise(2 * width, width, colours)
        self.masked = Masked(width, width, (back, back, (filter - 1) // 2), "B", colours)
        self.expand = pointwise(width, 2 * width, colours)
        self.condition = nn.Conv2d(conditions, width, 1, bias=False) if conditions else None

    def forward(self, x: Tensor, projected: Tensor | None) -> Tensor:
        inner = self.masked(torch.relu(self.reduce(torch.relu(x))))
        if projected is not None:
            inner = inner + projected
        return x + self.expand(torch.relu(inner))


class MaskedStack(nn.Module):
    """Images (B, C, H, W) to 2 `width` maps; a colour's group does not depend on that colour or what follows it.

    Attributes:
        maps: the number of output maps.
    """

    def __init__(
        self, colours: int, width: int, layers: int, filter: int, first_filter: int, conditions: int = 0
    ) -> None:
        super().__init__()
        self.maps, self.colours, back = 2 * width, colours, first_filter // 2
        self.first = Masked(colours, 2 * width, (back, back, (first_filter - 1) // 2), "A", colours)
        self.condition = nn.Conv2d(conditions, 2 * width, 1, bias=False) if conditions else None
        self.blocks = nn.ModuleList([MaskedBlock(width, filter, colours, conditions) for _ in range(layers - 1)])

    def projections(self, condition: Tensor) -> Iterator[Tensor | None]:
        """What the condition adds to each masked convolution; None without K."""
        return project((self, *self.blocks), condition)

    def forward(self, image: Tensor, projections: Iterable[Tensor | None]) -> Tensor:
        each = iter(projections)
        x, told = self.first(image), next(each)
        if told is not None:
            x = x + told
        for block, told in zip(self.blocks, each, strict=True):
            x = block(x, told)
        return x
