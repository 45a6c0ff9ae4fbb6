"""Codes: everything random about one image, as one vector drawn on the CPU from a (seed, index) counter.

Image `index` of `seed` therefore does not depend on how many images are drawn, in what order, in which batches or on
which device (the seed law). Philox is a counter-based generator: its key is the pair itself, so no stream is skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from .errors import ConfigError

Prior = Literal["gaussian", "uniform"]
Seed = tuple[int, int]  # (seed, index)


def draw(seed: int, index: int, size: int, prior: Prior) -> Tensor:
    """The code of image `index` of `seed`: (D,) from N(0, I) or U(0, 1)."""
    stream = np.random.Generator(np.random.Philox(key=np.array([seed % 2**64, index % 2**64], dtype=np.uint64)))
    if prior == "gaussian":
        return torch.from_numpy(stream.standard_normal(size, dtype=np.float32))
    return torch.from_numpy(stream.random(size, dtype=np.float32))


def draw_many(seeds: Sequence[Seed], size: int, prior: Prior) -> Tensor:
    """Codes of several (seed, index) pairs: (S, D)."""
    if not seeds:
        return torch.empty(0, size)
    return torch.stack([draw(seed, index, size, prior) for seed, index in seeds])


def every_choice(count: int) -> Tensor:
    """Codes (count, 1) of all outputs of a network that has only so many: the middles of equal parts of [0, 1]."""
    return ((torch.arange(count) + 0.5) / count).unsqueeze(1)


def draw_choices(seeds: Sequence[Seed], count: int) -> Tensor:
    """Codes (S, 1) that choose one of `count` outputs.

    Images 0 to count - 1 of a seed are all different, and so are the next `count`: each such round has an order of its
    own.
    """
    orders = {
        (seed, round_): torch.from_numpy(np.argsort(draw(seed, round_, count, "uniform").numpy(), kind="stable"))
        for seed, round_ in {(seed, index // count) for seed, index in seeds}
    }
    chosen = [int(orders[seed, index // count][index % count]) for seed, index in seeds]
    return every_choice(count)[chosen]


def check(codes: Tensor, size: int, model: str) -> Tensor:
    """Validate codes (n, D), and return them as float32.

    Raises:
        ConfigError: they are another model's, there are none, or they are not finite.
    """
    codes = codes.float()
    if codes.ndim != 2 or len(codes) < 1 or codes.shape[1] != size:
        raise ConfigError(
            f"codes have shape {tuple(codes.shape)}, but this {model} model expects (n, {size}) with n at least 1; "
            "use codes drawn by this model"
        )
    broken = [i for i, good in enumerate(codes.isfinite().all(dim=1).tolist()) if not good]
    if broken:
        raise ConfigError(f"code {broken[0]} of {len(codes)} holds NaN or infinity; use codes drawn by this model")
    return codes


def path(start: Tensor, end: Tensor, steps: int, prior: Prior) -> Tensor:
    """A path between two codes (D,), both ends included: (steps, D).

    Gaussian codes move along the arc between them, which keeps their typical length; a straight line would pass
    through unusually short codes. Uniform codes move along the line, which stays inside the unit cube.
    """
    return along(start, end, shares(steps), prior)


def between(start: Tensor, end: Tensor, share: float, prior: Prior) -> Tensor:
    """The code (D,) at a share of the `path`; at 0 and 1 it has exactly the bits of the ends."""
    if share in (0, 1):
        return end if share else start
    return along(start, end, torch.tensor([[share]]), prior)[0]


def along(start: Tensor, end: Tensor, t: Tensor, prior: Prior) -> Tensor:
    """The codes (n, D) at shares t (n, 1) of the `path`."""
    cosine = torch.dot(start, end) / (start.norm() * end.norm()).clamp_min(1e-12)
    angle = torch.arccos(cosine.clamp(-1, 1))
    if prior == "uniform" or angle < 1e-4 or torch.pi - angle < 1e-4:  # parallel codes leave the arc undefined
        return start + t * (end - start)
    return (torch.sin((1 - t) * angle) * start + torch.sin(t * angle) * end) / torch.sin(angle)


def line(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """A straight path between two codes (D,), both ends included: (steps, D)."""
    return start + shares(steps) * (end - start)


def shares(steps: int) -> Tensor:
    """How much of the way is behind at every step, (steps, 1)."""
    if steps < 1:
        raise ConfigError(f"frames must be at least 1, got {steps}")
    return torch.linspace(0, 1, steps).unsqueeze(1)
