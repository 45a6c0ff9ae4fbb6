"""Operations on a window of an image with the results that they have on the whole image.

Two kinds of layers see more than their kernel: normalisation by the mean and variance of the whole image, and resizing
with aligned corners, whose places depend on the image's size. Their layers need not know of windows.

Moments of the whole image are found layer by layer: all windows are run as far as the first normalisation, then, with
its moments known, as far as the second, and so on.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from .interfaces import Size
from .tiles import Span, Tile

NAMES = ("running_mean", "running_var", "weight", "bias", "use_input_stats", "momentum", "eps")  # of instance_norm


class Moments(NamedTuple):
    """Mean and variance of the groups of a layer's maps, both (B, G)."""

    mean: Tensor
    variance: Tensor


class UnknownMoments(Exception):
    """A window was run as far as the first normalisation whose moments are not known yet."""


class Book:
    """Moments of the normalisations of one run, in the order in which they are computed.

    Attributes:
        known: those of the whole image.
    """

    def __init__(self) -> None:
        self.known: list[Moments] = []
        self.count, self.mean, self.squares = 0, torch.zeros(()), torch.zeros(())

    def add(self, part: Tensor) -> None:
        """Values (B, G, C / G, h, w) of the next normalisation, in one window's part of the image."""
        count = part[0, 0].numel()
        variance, mean = (one.double() for one in torch.var_mean(part, dim=(2, 3, 4), correction=0))
        total = self.count + count
        away = mean - self.mean.to(mean)
        self.squares = self.squares.to(mean) + variance * count + away**2 * (self.count * count / total)
        self.mean, self.count = self.mean.to(mean) + away * (count / total), total

    def turn(self) -> bool:
        """After all windows: whether the moments of another normalisation are known now."""
        if not self.count:
            return False
        self.known.append(Moments(self.mean.float(), (self.squares / self.count).float()))
        self.count, self.mean, self.squares = 0, torch.zeros(()), torch.zeros(())
        return True


class AsWhole(TorchFunctionMode):
    """While it is active, layers that read a window of an image compute their part of the whole image.

    Args:
        tile: the window; its ends, and those of its part of the image, are multiples of the network's stride.
        whole: H, W of the image, likewise.
        book: moments of the whole image; at the first that is missing, the window's part is added to it, and
            UnknownMoments raised. None: nothing is normalised, so that pixels depend only on those around them.
    """

    def __init__(self, tile: Tile, whole: Size, book: Book | None) -> None:
        super().__init__()
        self.tile, self.whole, self.book, self.turn = tile, whole, book, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.group_norm and args[0].ndim == 4:
            return self.group_norm(*args, **kwargs)
        if func is F.instance_norm and args[0].ndim == 4:
            x, given = args[0], dict(zip(NAMES, args[1:])) | kwargs
            if given.get("use_input_stats", True):
                own = (given.get("weight"), given.get("bias"), given.get("eps", 1e-5))
                return self.group_norm(x, x.shape[1], *own)
        if func is F.interpolate and kwargs.get("align_corners"):
            return self.interpolate(*args, **kwargs)
        return func(*args, **kwargs)

    def group_norm(
        self, x: Tensor, groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
    ) -> Tensor:
        if self.book is None:
            return x
        if len(self.book.known) == self.turn:
            part = x[..., part_of(self.tile.rows, x.shape[-2]), part_of(self.tile.columns, x.shape[-1])]
            self.book.add(part.unflatten(1, (groups, -1)))
            raise UnknownMoments
        moments, self.turn = self.book.known[self.turn], self.turn + 1
        mean, variance = (one.repeat_interleave(x.shape[1] // groups, dim=1)[..., None, None] for one in moments)
        scale = torch.rsqrt(variance + eps)
        scale = scale if weight is None else scale * weight[:, None, None]
        shift = -mean * scale
        return torch.addcmul(shift if bias is None else shift + bias[:, None, None], x, scale)

    def interpolate(self, x: Tensor, size: Size, **_: Any) -> Tensor:
        """Bilinear, with the corners of the whole image aligned."""
        for dim, span, whole, length in zip((-2, -1), self.tile, self.whole, size):
            x = resize(x, dim, span, whole, length)
        return x


def part_of(span: Span, length: int) -> slice:
    """A window's own part of the image, in maps of this length."""
    step = (span.end - span.start) // length
    return slice((span.first - span.start) // step, (span.last - span.start) // step)


def resize(x: Tensor, dim: int, span: Span, whole: int, length: int) -> Tensor:
    """One side of a window's maps to `length`, as if the whole of the image were resized with aligned corners."""
    old, new = (span.end - span.start) // x.shape[dim], (span.end - span.start) // length  # pixels a value
    scale = (whole // old - 1) / max(whole // new - 1, 1)
    place = (torch.arange(length, dtype=torch.float64) + span.start // new) * scale - span.start // old
    below = place.floor()
    share = (place - below).to(x)
    share = share[:, None] if dim == -2 else share
    last = x.shape[dim] - 1
    first, second = (x.index_select(dim, at.long().clamp(0, last).to(x.device)) for at in (below, below + 1))
    return torch.lerp(first, second, share)
