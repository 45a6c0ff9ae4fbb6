"""Images from codes, a chunk at a time, and per-pixel moments of their distribution."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from .capabilities import HasMoments
from .chunks import CHUNK as CHUNK
from .chunks import in_parts
from .errors import ConfigError
from .images import heat, heat_scale, to_pil, to_uint8, to_unit
from .interfaces import Features, Generator

ROWS = 4  # images that `decode_rows` decodes at a time


@torch.no_grad()
def decode_in_chunks(generator: Generator, condition: Tensor, codes: Tensor, chunk: int | None = None) -> Tensor:
    """Encode each condition once, then decode `chunk` codes at a time; by default as many as fit, see `chunks`.

    condition (B, K, H, W), codes (B, S, D) or (S, D) for the same codes on every condition -> (B, S, C, H, W) on the
    CPU, in [-1, 1].

    Raises:
        ConfigError: `chunk` is less than 1.
    """
    if chunk is not None and chunk < 1:
        raise ConfigError(f"chunk must be at least 1, got {chunk}")
    if codes.ndim == 2:
        codes = codes.expand(len(condition), -1, -1)
    images, pixels = torch.empty(0), condition.shape[-2] * condition.shape[-1]
    for i, (row, own) in enumerate(zip(condition.split(1), codes)):
        draw, done = drawing(generator, row), 0
        for made in map(draw, own.split(chunk)) if chunk else in_parts(generator, own, pixels, row.device, draw):
            if not len(images):
                images = torch.empty(*codes.shape[:2], *made.shape[1:])
            images[i, done : done + len(made)] = made
            done += len(made)
    return images


@torch.no_grad()
def chunks_of(generator: Generator, condition: Tensor, parts: Iterable[Tensor]) -> Iterator[Tensor]:
    """Encode a condition (1, K, H, W) once, then decode codes (s, D) part by part: (s, C, H, W) on the CPU, in [-1, 1].

    An image has the same bits in any process that decodes it in a part of this size, at the same place in it.
    """
    yield from map(drawing(generator, condition), parts)


def drawing(generator: Generator, condition: Tensor) -> Callable[[Tensor], Tensor]:
    """Encode a condition (1, K, H, W); what draws codes (s, D) of it: (s, C, H, W) on the CPU, in [-1, 1]."""
    features = generator.encode(condition)

    def draw(codes: Tensor) -> Tensor:
        drawn = generator.decode_all(features, codes[None].to(condition.device))[0].clamp(-1, 1).float()
        return (drawn if generator.agree is None else generator.agree(condition, drawn)).cpu()

    return draw


class _Steady(TorchFunctionMode):
    """Calls `check` before each operation, and computes linear maps row by row, whose bits depend on a row's place."""

    def __init__(self, check: Callable[[], None]) -> None:
        super().__init__()
        self.check = check

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.check()
        if func is F.linear and args[0].ndim > 1:
            return torch.cat([func(row, *args[1:], **(kwargs or {})) for row in args[0].split(1)])
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def decode_rows(
    generator: Generator, rows: Sequence[Features], codes: Tensor, check: Callable[[], None] = lambda: None
) -> Tensor:
    """One image (C, H, W) in [-1, 1] for each of at most ROWS rows: features of one condition, and a code of (R, D).

    Operations round differently for different batch sizes. Rows are filled up to exactly ROWS here, so an image has the
    same bits whichever others are decoded with it. Features must have one size.

    Args:
        check: called before every operation; what it raises ends the pass.
    """
    filled = [*rows, *[rows[-1]] * (ROWS - len(rows))]
    state = tuple(torch.cat(planes) for planes in zip(*[(one.condition, *one.state) for one in filled]))
    wide = torch.cat([codes, codes[-1:].expand(ROWS - len(rows), -1)])
    with _Steady(check):
        images = generator.decode(Features(state[0], state[1:], rows[0].size), wide.to(state[0].device))
    return images[: len(rows)].clamp(-1, 1).float().cpu()


@torch.no_grad()
def draw_rows(generator: Generator, condition: Tensor, codes: Tensor) -> Tensor:
    """Images (n, C, H, W) in [-1, 1] of one encoded condition (1, K, H, W), with the bits of `decode_rows`."""
    features = generator.encode(condition)
    return torch.cat([decode_rows(generator, [features] * len(part), part) for part in codes.split(ROWS)])


class Moments(NamedTuple):
    """Moments of p(image | condition) for every pixel, in units of [0, 1]."""

    mean: Tensor  # (C, H, W); the median for a Laplace predictor
    deviation: Tensor  # (H, W): standard deviation, root of the mean square over colours

    def save(self, folder: str | Path, name: str = "", top: float | None = None) -> None:
        """Write `NAMEmean.png`, `NAMEdeviation.png`, a heat map up to `top` (default: its maximum), and its scale.

        `NAMEmoments.npz` has both as arrays of [0, 1]: `mean` (H, W, C) and `deviation` (H, W).
        """
        Path(folder).mkdir(parents=True, exist_ok=True)
        to_pil(to_uint8(self.mean * 2 - 1)).save(Path(folder) / f"{name}mean.png")
        top = float(self.deviation.max()) if top is None else top
        to_pil(heat(self.deviation, top)).save(Path(folder) / f"{name}deviation.png")
        to_pil(heat_scale(top)).save(Path(folder) / f"{name}scale.png")
        mean, deviation = self.mean.movedim(0, -1).numpy(), self.deviation.numpy()
        np.savez_compressed(Path(folder) / f"{name}moments.npz", mean=mean, deviation=deviation)


@torch.no_grad()
def image_moments(generator: Generator, condition: Tensor, codes: Tensor) -> Moments:
    """Moments for one condition (1, K, H, W): as predicted, or else those of the images of codes (n, D)."""
    if isinstance(generator, HasMoments):
        mean, deviation = generator.moments(condition)[0][0].clamp(-1, 1).cpu(), generator.deviation(condition)[0].cpu()
        return Moments(to_unit(mean), over_colours(deviation) / 2)
    return moments_of(to_unit(decode_in_chunks(generator, condition, codes)[0]))


def moments_of(images: Tensor) -> Moments:
    """Moments of images (n, C, H, W) in [0, 1], at least two."""
    deviation, mean = torch.std_mean(images, dim=0)
    return Moments(mean, over_colours(deviation))


def over_colours(deviation: Tensor) -> Tensor:
    """Deviations (C, H, W) as one for each pixel, (H, W)."""
    return deviation.square().mean(dim=0).sqrt()
