"""Windows that cover an image, overlapping, and the share that each has in every pixel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from .interfaces import Size


class Span(NamedTuple):
    """One side of a window, in pixels of the image: what is computed, and the part of it that is kept.

    Attributes:
        start, end: of the window.
        first, last: of the part that is nearest to this window; the parts of all windows are the image.
        fade: how far beyond either end of its part a window still has a share, which falls smoothly to 0.
    """

    start: int
    end: int
    first: int
    last: int
    fade: int = 0

    def whole(self) -> bool:
        """Whether the window is not cut out of anything longer."""
        return (self.start, self.end) == (self.first, self.last)

    def reach(self, length: int) -> tuple[int, int]:
        """Where its share begins and ends in an image of this length."""
        first = self.first - self.fade if self.first else 0
        last = self.last + self.fade if self.last < length else length
        return max(first, self.start), min(last, self.end, length)

    def shares(self, length: int) -> Tensor:
        """Its share (L,) at every pixel that it reaches; the shares of all windows sum to 1."""
        first, last = self.reach(length)
        places = torch.arange(first, last) + 0.5
        share = torch.ones(last - first)
        if self.fade and self.first:
            share = share * rise((places - self.first) / self.fade)
        if self.fade and self.last < length:
            share = share * rise((self.last - places) / self.fade)
        return share


class Tile(NamedTuple):
    """A window of an image."""

    rows: Span
    columns: Span


def rise(t: Tensor) -> Tensor:
    """A smooth step from 0 at -1 to 1 at 1, for which rise(t) + rise(-t) = 1."""
    return (1 + torch.sin(t.clamp(-1, 1) * torch.pi / 2)) / 2


def spans(length: int, tile: int, overlap: int, align: int = 1, fades: bool = False) -> list[Span]:
    """Cover `length` pixels with windows of `tile`, of which neighbours share at least `overlap`.

    Windows start, and their parts end, at multiples of `align`; lengths are multiples of it, too.

    Args:
        fades: shares fall smoothly, over all that neighbours have in common; otherwise they end at once.
    """
    if length <= tile:
        return [Span(0, length, 0, length)]
    units, most = -(-(length - tile) // align), (tile - overlap) // align
    steps = -(-units // most)
    starts = [align * (i * units // steps) for i in range(steps + 1)]
    ends = [min(start + tile, length) for start in starts]
    cuts = [align * ((start + end) // 2 // align) for start, end in zip(starts[1:], ends)]
    fade = 0
    if fades:
        shared = [min(cut - start, end - cut) for start, end, cut in zip(starts[1:], ends, cuts)]
        apart = [b - a for a, b in pairwise([0, *cuts, length])]
        fade = min(*shared, *(gap // 2 for gap in apart[1:-1]), apart[0], apart[-1])
    firsts, lasts = [0, *cuts], [*cuts, length]
    return [Span(*ends_of, fade) for ends_of in zip(starts, ends, firsts, lasts)]


def tiles(size: Size, tile: int, overlap: int, align: int = 1, fades: bool = False) -> list[Tile]:
    """Cover an image of a size with square windows, row by row; see `spans`."""
    rows, columns = (spans(side, tile, overlap, align, fades) for side in size)
    return [Tile(row, column) for row in rows for column in columns]


def add(image: Tensor, tile: Tile, window: Tensor) -> None:
    """Add a window (..., h, w), times its share, to images (..., H, W) that started as zeros."""
    height, width = image.shape[-2:]
    (top, bottom), (left, right) = tile.rows.reach(height), tile.columns.reach(width)
    seen = window[..., top - tile.rows.start : bottom - tile.rows.start, :]
    seen = seen[..., left - tile.columns.start : right - tile.columns.start]
    if tile.rows.fade or tile.columns.fade:
        share = tile.rows.shares(height)[:, None] * tile.columns.shares(width)
        seen = seen * share.to(seen)
    image[..., top:bottom, left:right] += seen.to(image.device)


def passes(windows: Sequence[Tile], size: Size) -> float:
    """How many times the pixels of an image all windows together have."""
    computed = sum((tile.rows.end - tile.rows.start) * (tile.columns.end - tile.columns.start) for tile in windows)
    return computed / (size[0] * size[1])
