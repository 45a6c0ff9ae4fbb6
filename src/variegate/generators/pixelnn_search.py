"""PixelNN's search: the most similar pixel of another image for every pixel, within windows around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.interfaces import Size

BLOCK, FEWEST = 2**20, 64  # products at a time, but at least those of this many pixels
WHOLE, OUTSIDE = 0, -1


class Near(NamedTuple):
    """Places in a flattened image of H x W pixels."""

    places: Tensor  # (H * W, P), those in any window around each pixel, the closest first; OUTSIDE: not in the image
    windows: list[list[int] | None]  # which of the P lie in each window; None for all pixels of the image


def stack(maps: Sequence[Tensor], size: Size) -> Tensor:
    """Descriptors of length 1 for every pixel, (D, H, W), from maps (1, D_l, h, w) of any size."""
    return F.normalize(torch.cat([resize_map(one, size) for one in maps], dim=1), dim=1)[0]


def comparable(query: Tensor, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Reduce both to (P, H, W), P <= D, so that products at two pixels are still those of their descriptors.

    A map with fewer pixels than channels, m B when resized, needs no more values than pixels: q (m B) = (q m) B.

    Args:
        query: (D, H, W), stacked.
        maps: (1, D_l, h, w) of the other image.
    """
    size = (query.shape[1], query.shape[2])
    if all(one.shape[-2] * one.shape[-1] >= one.shape[1] for one in maps):
        return query, stack(maps, size)
    asked, offered, squares = [], [], torch.zeros(size, device=query.device)
    for mine, one in zip(query.split([one.shape[1] for one in maps]), maps):
        few = one[0].flatten(1)  # (D_l, h * w)
        if few.shape[1] < few.shape[0]:
            mine = torch.tensordot(few, mine, ([0], [0]))
            shares = resize_map(torch.eye(few.shape[1], device=few.device).view(1, -1, *one.shape[-2:]), size)[0]
            squares += (torch.tensordot(few.T @ few, shares, 1) * shares).sum(dim=0)
        else:
            shares = resize_map(one, size)[0]
            squares += shares.square().sum(dim=0)
        asked.append(mine)
        offered.append(shares)
    return torch.cat(asked), torch.cat(offered) / squares.clamp(min=0).sqrt().clamp(min=1e-12)


def resize_map(one: Tensor, size: Size) -> Tensor:
    return F.interpolate(one, size, mode="bilinear")


def best_matches(query: Tensor, other: Tensor, near: Near) -> tuple[Tensor, Tensor]:
    """For every pixel of `query`, the greatest product with a pixel of `other` in each of T windows around it.

    Args:
        query, other: (D, H, W).
        near: the windows; ties go to the closest pixel, or to the first if the window is the whole image.

    Returns:
        The products, (T, H, W), and the pixels' places in the flattened image, (T, H, W).
    """
    size, count = query.shape[1:], query[0].numel()
    pixels, others, places = query.flatten(1), other.flatten(1), near.places.clamp(min=0)
    if None in near.windows:  # the products with all pixels include those of every window
        close, whole = [], []
        rows = max(FEWEST, BLOCK // count)
        room = query.new_empty(rows, count)  # allocating every block anew would take longer than the arithmetic
        for some, there in zip(pixels.split(rows, dim=1), places.split(rows)):
            products = torch.mm(some.T, others, out=room[: some.shape[1]])
            close.append(products.gather(1, there))
            whole.append(products.max(dim=1))
        around, best = torch.cat(close), [tuple(torch.cat(parts) for parts in zip(*whole))]
    else:
        around = torch.stack([torch.linalg.vecdot(pixels, others[:, one], dim=0) for one in places.unbind(1)], dim=1)
    around = around.masked_fill(near.places == OUTSIDE, -torch.inf)
    found = []
    for members in near.windows:
        if members is None:
            found += best
            continue
        score, which = around[:, members].max(dim=1)
        found.append((score, near.places[:, members].gather(1, which.unsqueeze(1)).squeeze(1)))
    scores, chosen = (torch.stack(parts).unflatten(1, size) for parts in zip(*found))
    return scores, chosen


def surroundings(size: Size, windows: Sequence[int], device: torch.device) -> Near:
    """The pixels in windows of these sides around every pixel; an even side reaches further down and to the right."""
    height, width = size
    reaches = {side: range(-((side - 1) // 2), side // 2 + 1) for side in windows if side != WHOLE}
    steps = {(down, right) for reach in reaches.values() for down in reach for right in reach}
    closest = sorted(steps, key=lambda step: (step[0] ** 2 + step[1] ** 2, step))
    down, right = torch.tensor(closest, dtype=torch.long, device=device).view(-1, 2).unbind(dim=1)
    y = torch.arange(height, device=device).repeat_interleave(width).unsqueeze(1) + down
    x = torch.arange(width, device=device).repeat(height).unsqueeze(1) + right
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    members = {side: [i for i, step in enumerate(closest) if set(step) <= {*reach}] for side, reach in reaches.items()}
    return Near(torch.where(inside, y * width + x, OUTSIDE), [members.get(side) for side in windows])
