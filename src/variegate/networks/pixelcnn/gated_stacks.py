"""The gated layers of a conditional PixelCNN (van den Oord et al., NIPS 2016, section 2 and figure 2).

Two stacks, so that no pixel above stays unseen: the vertical one sees whole rows down to the pixel's own and is shifted
down by one before the horizontal one reads it; the horizontal one sees the pixel's row up to the pixel, and never feeds
back into the vertical one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor, nn
from torch.nn import functional as F

from .masked import Mask, Masked, gate, pointwise, project


class GatedLayer(nn.Module):
    """One layer of both stacks, `width` maps each.

    Args:
        inputs: maps of the previous layer, or the image's colours.
        filter: n; windows are (n + 1) / 2 rows of n for the vertical stack, (n + 1) / 2 pixels for the other; for an
            even n, n / 2 + 1 of each, with one column fewer on the right than on the left.
        kind: A for the first layer, which reads the image and has no residual connection; B for all others.
        conditions: K, channels of the condition; 0: none.
    """

    def __init__(self, inputs: int, width: int, filter: int, kind: Mask, colours: int, conditions: int) -> None:
        super().__init__()
        back, self.residual = filter // 2, kind == "B"
        self.vertical = Masked(inputs, 2 * width, (back, back, (filter - 1) // 2), None, colours)
        self.link = nn.Conv2d(2 * width, 2 * width, 1)
        self.horizontal = Masked(inputs, 2 * width, (0, back, 0), kind, colours, parts=2)
        self.output = pointwise(width, width, colours)
        self.condition = nn.Conv2d(conditions, 4 * width, 1, bias=False) if conditions else None

    def forward(self, down: Tensor, along: Tensor, projected: Tensor | None) -> tuple[Tensor, Tensor]:
        """Eqs. 4 and 5, on maps of the vertical and the horizontal stack, (B, p, H, W), and V h, (B, 4p, H, W)."""
        above = self.vertical(down)
        ahead = self.horizontal(along) + self.link(F.pad(above, (0, 0, 1, 0))[:, :, :-1])
        if projected is not None:
            first, second = projected.chunk(2, dim=1)
            above, ahead = above + first, ahead + second
        result = self.output(gate(ahead))
        return gate(above), along + result if self.residual else result


class GatedStacks(nn.Module):
    """Images (B, C, H, W) to `width` maps; a colour's group does not depend on that colour or what follows it.

    Attributes:
        maps: the number of output maps.
    """

    def __init__(
        self, colours: int, width: int, layers: int, filter: int, first_filter: int, conditions: int = 0
    ) -> None:
        super().__init__()
        self.maps, self.colours = width, colours
        first = GatedLayer(colours, width, first_filter, "A", colours, conditions)
        rest = [GatedLayer(width, width, filter, "B", colours, conditions) for _ in range(layers - 1)]
        self.layers = nn.ModuleList([first, *rest])

    def projections(self, condition: Tensor) -> Iterator[Tensor | None]:
        """V h of each layer, (B, 4p, H, W): for the vertical stack, then for the horizontal one. None without K."""
        return project(self.layers, condition)

    def forward(self, image: Tensor, projections: Iterable[Tensor | None]) -> Tensor:
        down = along = image
        for layer, told in zip(self.layers, projections, strict=True):
            down, along = layer(down, along, told)
        return along
