"""The residual stacks of PixelCNN++ (Salimans et al., ICLR 2017, sections 2.3 and 2.4), with the house's colour masks.

As in `gated_stacks`, a vertical stack sees the rows above a pixel and a horizontal one its row too, and never feeds
back. Both halve the resolution and double it again; a block of the second half also reads what its counterpart of the
first half gave. The paper's colours meet only in its output; here masks order them in all layers, so that any output
works. Not taken over: dropout, weight normalisation, and the plane of ones beside the image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...core.interfaces import Size
from .masked import Mask, Masked, pointwise, project

BRANCH = 0.1  # of the last weights of a block, as in the authors' code: blocks begin near the identity


def both(x: Tensor, dim: int = 1) -> Tensor:
    """ELU of p maps and of their negatives, 2p; each next to its own, so that groups of colours stay together."""
    return F.elu(torch.stack([x, -x], dim=dim + 1).flatten(dim, dim + 1))


def gated(x: Tensor, dim: int = 1) -> Tensor:
    """The first half of the maps, times the sigmoid of the other."""
    first, second = x.chunk(2, dim=dim)
    return first * torch.sigmoid(second)


def shrink(condition: Tensor) -> Tensor:
    """A condition at half of the resolution, rounded up; one that is the same everywhere stays as it is."""
    spatial = condition.shape[1] > 0 and condition.shape[-2:] != (1, 1)
    return F.avg_pool2d(condition, 2, ceil_mode=True) if spatial else condition


class Branch(nn.Module):
    """What a block adds to one stack's maps (B, p, H, W).

    Args:
        window, kind: as for `Masked`; the vertical stack has no mask (None), the horizontal one B.
        skips: it also reads the maps of its counterpart in the first half.
    """

    def __init__(self, width: int, window: tuple[int, int, int], kind: Mask | None, colours: int, skips: bool) -> None:
        super().__init__()
        self.first = Masked(2 * width, width, window, kind, colours)
        self.second = Masked(2 * width, 2 * width, window, kind, colours, parts=2)
        self.skip = pointwise(2 * width, width, colours if kind else 1) if skips else None

    def forward(self, x: Tensor, skip: Tensor | None, link: Tensor | float, projected: Tensor | float) -> Tensor:
        """`link` is added before the second convolution, V h after it."""
        inner = self.first(both(x)) + link
        if self.skip is not None and skip is not None:
            inner = inner + self.skip(both(skip))
        return gated(self.second(both(inner)) + projected)


class ResidualBlock(nn.Module):
    """One block of both stacks, `width` maps each: windows of (n + 1) / 2 rows of n, and of (n + 1) / 2 x (n + 1) / 2.

    Args:
        filter: n; 3 in the paper.
        conditions: K, channels of the condition; 0: none.
    """

    def __init__(self, width: int, filter: int, colours: int, conditions: int, skips: bool) -> None:
        super().__init__()
        back = filter // 2
        self.vertical = Branch(width, (back, back, (filter - 1) // 2), None, colours, skips)
        self.horizontal = Branch(width, (back, back, 0), "B", colours, skips)
        self.link = nn.Conv2d(2 * width, width, 1)
        self.condition = nn.Conv2d(conditions, 4 * width, 1, bias=False) if conditions else None

    def forward(
        self, maps: tuple[Tensor, Tensor], skips: tuple[Tensor, Tensor] | None, projected: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The maps of the vertical and the horizontal stack, given those of the counterpart and V h (B, 4p, H, W)."""
        (down, along), (skip_down, skip_along) = maps, skips or (None, None)
        above, ahead = (0.0, 0.0) if projected is None else projected.chunk(2, dim=1)
        down = down + self.vertical(down, skip_down, 0.0, above)
        return down, along + self.horizontal(along, skip_along, self.link(both(down)), ahead)


class Halving(nn.Module):
    """One stack's way to half of the resolution, by a strided convolution, and back, by a transposed one of 2x2."""

    def __init__(self, width: int, window: tuple[int, int, int], kind: Mask | None, colours: int) -> None:
        super().__init__()
        self.strided = Masked(width, width, window, kind, colours, stride=2)
        self.transposed = pointwise(width, 4 * width, colours if kind else 1)

    def back(self, maps: Tensor, size: Size) -> Tensor:
        """Maps at twice the resolution, without what lies beyond the image."""
        return F.pixel_shuffle(self.transposed(maps), 2)[..., : size[0], : size[1]]


class Resolution(nn.Module):
    """The blocks of one resolution, before and after the lower ones.

    Args:
        blocks: how many come first, at this and at every lower resolution. One more follows after the lower ones.
    """

    def __init__(self, blocks: Sequence[int], width: int, filter: int, colours: int, conditions: int) -> None:
        super().__init__()
        (count, *lower), back, sizes = blocks, filter // 2, (width, filter, colours, conditions)
        self.before = nn.ModuleList([ResidualBlock(*sizes, False) for _ in range(count)])
        self.after = nn.ModuleList([ResidualBlock(*sizes, True) for _ in range(count + bool(lower))])
        self.lower = Resolution(lower, *sizes) if lower else None
        if lower:
            self.vertical = Halving(width, (back, back, (filter - 1) // 2), None, colours)
            self.horizontal = Halving(width, (back, back, 0), "B", colours)

    def projections(self, condition: Tensor) -> Iterator[Tensor | None]:
        """V h of each block, (B, 4p, H, W) at its resolution, in the order in which `forward` takes them."""
        yield from project(self.before, condition)
        if self.lower is not None:
            yield from self.lower.projections(shrink(condition))
        yield from project(self.after, condition)

    def forward(self, maps: tuple[Tensor, Tensor], projections: Iterator[Tensor | None]) -> tuple[Tensor, Tensor]:
        kept, size = [maps], (maps[0].shape[2], maps[0].shape[3])
        for block in self.before:
            kept.append(block(kept[-1], None, next(projections)))
        if self.lower is None:
            maps = kept.pop()
        else:
            down, along = kept[-1]
            down, along = self.lower((self.vertical.strided(down), self.horizontal.strided(along)), projections)
            maps = self.vertical.back(down, size), self.horizontal.back(along, size)
        for block in self.after:
            maps = block(maps, kept.pop(), next(projections))
        return maps


class ResidualStacks(nn.Module):
    """Images (B, C, H, W) to `width` maps; a colour's group does not depend on that colour or what follows it.

    Pixel (i, j) of a halved map sees what pixel (2i, 2j) may see, and so may the four pixels that it is doubled to.
    Images of any size work: halves are rounded up.

    Args:
        layers: blocks before the last of the lower resolutions, spread evenly; the paper's 15 are 5 at each of three.
        halvings: of the resolution.

    Attributes:
        maps: the number of output maps.
    """

    def __init__(
        self,
        colours: int,
        width: int,
        layers: int,
        filter: int,
        first_filter: int,
        conditions: int = 0,
        halvings: int = 2,
    ) -> None:
        super().__init__()
        self.maps, self.colours, back = width, colours, first_filter // 2
        self.vertical = Masked(colours, width, (back, back, (first_filter - 1) // 2), None, colours)
        self.horizontal = Masked(colours, width, (0, back, 0), "A", colours)
        self.link = nn.Conv2d(width, width, 1)
        each, more = divmod(layers, halvings + 1)
        blocks = [each + (i < more) for i in range(halvings + 1)]
        self.whole = Resolution(blocks, width, filter, colours, conditions)

    @torch.no_grad()
    def start(self) -> None:
        """Let blocks begin near the identity, as in the authors' code."""
        for module in self.modules():
            if isinstance(module, Branch):
                module.second.weight.mul_(BRANCH)

    def projections(self, condition: Tensor) -> Iterator[Tensor | None]:
        """V h of each block: for the vertical stack, then for the horizontal one. None without K."""
        return self.whole.projections(condition)

    def forward(self, image: Tensor, projections: Iterable[Tensor | None]) -> Tensor:
        down = F.pad(self.vertical(image), (0, 0, 1, 0))[:, :, :-1]
        along: Tensor = self.whole((down, self.horizontal(image) + self.link(down)), iter(projections))[1]
        return along
