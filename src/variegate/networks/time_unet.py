"""A small U-Net that reads a noised image and the time, and a condition's features at every level.

The condition enters by spatially adaptive normalisation (SPADE, Park et al., CVPR 2019) or next to the input; its part
is computed once for all times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .checkpointing import run

Conditioning = Literal["adaptive", "concat"]
FREQUENCIES = 32  # of the time's embedding
DETAIL = 8  # channels of the last block, which sees single pixels


def embed_time(time: Tensor) -> Tensor:
    """Sines and cosines of times (B,) in [0, 1] at FREQUENCIES frequencies: (B, 2 FREQUENCIES)."""
    rates = torch.exp(torch.linspace(0, math.log(1000), FREQUENCIES, device=time.device))
    angles = time[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def normalise(channels: int, affine: bool = True) -> nn.GroupNorm:
    groups = next(g for g in (8, 4, 2, 1) if channels % g == 0)
    return nn.GroupNorm(groups, channels, affine=affine)


@torch.no_grad()
def faint(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer, which at first adds next to nothing."""
    for parameter in layer.parameters():
        parameter.mul_(0.01)
    return layer


class TimeBlock(nn.Module):
    """x + conv(silu(a * norm(conv(silu(norm(x)))) + b)), where a and b depend on time and, adaptively, on the place.

    Args:
        time: numbers of the time's embedding.
        condition: channels of the condition's features; 0: none enter here.
    """

    def __init__(self, inputs: int, outputs: int, time: int, condition: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = normalise(inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.conv2 = normalise(outputs, affine=False), faint(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.time = nn.Linear(time, 2 * outputs)
        self.place = faint(nn.Conv2d(condition, 2 * outputs, 1)) if condition else None
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, time: Tensor, place: Tensor | None) -> Tensor:
        """x (B, C, H, W), the time's embedding (B, T), and what the condition adds (B, 2 C', H, W)."""
        h = self.norm2(self.conv1(F.silu(self.norm1(x))))
        both = self.time(time)[..., None, None]
        if place is not None:
            both = both + place
        scale, shift = both.chunk(2, dim=1)
        h = self.conv2(F.silu(h * (1 + scale) + shift))
        found: Tensor = self.skip(x) + h
        return found


class ConditionPyramid(nn.Module):
    """Features of a condition at every level: (B, K, H, W) to one (B, width, H / patch / 2^l, W / patch / 2^l) each."""

    def __init__(self, channels: int, width: int, levels: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.stem = nn.Conv2d(channels * patch**2, width, 3, padding=1)
        self.levels = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(levels))

    def forward(self, condition: Tensor) -> list[Tensor]:
        x, found = self.stem(F.pixel_unshuffle(condition, self.patch)), []
        for level, layer in enumerate(self.levels):
            x = F.avg_pool2d(x, 2) if level else x
            x = x + layer(F.silu(x))
            found.append(F.silu(x))
        return found


def each(blocks: nn.Module) -> list[TimeBlock]:
    """The blocks of one level."""
    return cast(list[TimeBlock], list(blocks.children()))


class TimeUNet(nn.Module):
    """(B, C, H, W), times (B,) and a condition's parts to (B, C, H, W).

    Args:
        channels: C of images.
        condition: K of conditions; 0: there are none.
        widths: channels of each level, from the finest.
        blocks: of each level, on either side.
        patch: images are read and written as patches of this side, so that the finest level has fewer pixels. A last
            block sees them at full resolution beside the input: without it, patches show as a checker pattern.

    Attributes:
        checkpoints: what is inside a block is not kept for the backward pass, but computed again; see `checkpointing`.
    """

    checkpoints = False

    def __init__(
        self, channels: int, condition: int, widths: Sequence[int], blocks: int, patch: int, conditioning: Conditioning
    ) -> None:
        super().__init__()
        self.patch, last = patch, len(widths) - 1
        time, features = 4 * widths[0], widths[0] if condition else 0
        place = features if conditioning == "adaptive" else 0
        levels = len(widths) if place else 1
        self.pyramid = ConditionPyramid(condition, features, levels, patch) if condition else None
        self.time = nn.Sequential(nn.Linear(2 * FREQUENCIES, time), nn.SiLU(), nn.Linear(time, time), nn.SiLU())
        self.stem = nn.Conv2d(channels * patch**2, widths[0], 3, padding=1)
        self.beside = faint(nn.Conv2d(features, widths[0], 3, padding=1)) if features and not place else None
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        kept = []
        for level, width in enumerate(widths):
            below = widths[level - 1] if level else width
            kept += [width] * blocks
            self.shrink.append(nn.Conv2d(below, width, 3, 2, 1) if level else nn.Identity())
            self.down.append(nn.ModuleList(TimeBlock(width, width, time, place) for _ in range(blocks)))
        self.middle = TimeBlock(widths[-1], widths[-1], time, place)
        for level in range(last, -1, -1):
            width = widths[level]
            self.up.append(nn.ModuleList(TimeBlock(width + kept.pop(), width, time, place) for _ in range(blocks)))
            self.grow.append(nn.Conv2d(width, widths[level - 1], 3, padding=1) if level else nn.Identity())
        self.norm = normalise(widths[0])
        self.spread = nn.Conv2d(widths[0], DETAIL * patch**2, 1)
        self.detail = TimeBlock(DETAIL + channels, DETAIL, time, 0)
        self.out = faint(nn.Conv2d(DETAIL, channels, 3, padding=1))

    def blocks(self) -> list[tuple[int, TimeBlock]]:
        """All blocks in the order in which they are run, with their levels."""
        last = len(self.down) - 1
        down = [(level, block) for level, some in enumerate(self.down) for block in each(some)]
        up = [(last - i, block) for i, some in enumerate(self.up) for block in each(some)]
        return [*down, (last, self.middle), *up]

    def parts(self, condition: Tensor) -> tuple[Tensor, ...]:
        """What a condition (B, K, H, W) adds: for each block, or to the input; nothing without a condition."""
        if self.pyramid is None:
            return ()
        levels = self.pyramid(condition)
        if self.beside is not None:
            return (self.beside(levels[0]),)
        return tuple(block.place(levels[level]) for level, block in self.blocks() if block.place is not None)

    def forward(self, x: Tensor, time: Tensor, parts: tuple[Tensor, ...]) -> Tensor:
        given, embedded = x, self.time(embed_time(time))
        x = self.stem(F.pixel_unshuffle(x, self.patch))
        if self.beside is not None:
            x = x + parts[0]
        places = iter(parts if self.beside is None else ())
        kept: list[Tensor] = []
        for shrink, some in zip(self.shrink, self.down):
            x = shrink(x)
            for block in each(some):
                x = run(block, x, embedded, next(places, None), again=self.checkpoints)
                kept.append(x)
        x = run(self.middle, x, embedded, next(places, None), again=self.checkpoints)
        for i, (some, grow) in enumerate(zip(self.up, self.grow)):
            for block in each(some):
                joined = torch.cat([x, kept.pop()], dim=1)
                x = run(block, joined, embedded, next(places, None), again=self.checkpoints)
            x = grow(F.interpolate(x, scale_factor=2.0, mode="nearest") if i < len(self.up) - 1 else x)
        x = F.pixel_shuffle(self.spread(F.silu(self.norm(x))), self.patch)
        x = run(self.detail, torch.cat([x, given], dim=1), embedded, None, again=self.checkpoints)
        found: Tensor = self.out(x)
        return found
