"""What a pool's slots are matched with, and the matches, kept from step to step and in checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.errors import ConfigError
from ..core.interfaces import Batch
from ..core.processes import gather_rows, number

NAMES = ("winners", "closest", "rounds")
NEAREST = 1e-6  # of distances, whose powers would otherwise have no bound


class Targets(NamedTuple):
    """What the slots of a pool are matched with."""

    image: Tensor  # (B, T, C, H, W) in [-1, 1]; the first is the slot's own
    present: Tensor  # bool (B, T)


class Slots(NamedTuple):
    """Slots of a pool that are matched together, their targets embedded."""

    keys: Tensor  # (b,)
    condition: Tensor  # (b, K, H, W)
    maps: Sequence[Tensor]  # feature maps of the targets, (b, T, C_l, H_l, W_l)
    present: Tensor  # bool (b, T)
    mask: Tensor | None  # (b, 1, H, W)


class Matches(nn.Module):
    """Winning candidates (B, T, P), their distances (B, T), and rounds of matching (B,)."""

    def __init__(self) -> None:
        super().__init__()
        self.forget()

    def forget(self) -> None:
        for name in NAMES:
            self.register_buffer(name, torch.empty(0))

    @staticmethod
    def check_shares(inner_batch: int) -> None:
        """Raise ConfigError if processes cannot have equally many pairs of an update."""
        if inner_batch % number():
            raise ConfigError(
                f"objective.inner_batch {inner_batch} cannot be divided equally among {number()} processes; "
                f"give a multiple of {number()}"
            )

    def keep(self, winners: Tensor, closest: Tensor, rounds: Tensor) -> None:
        for name, rows in zip(NAMES, (winners, closest, rounds)):
            self.register_buffer(name, rows)

    def recall(self) -> list[Tensor]:
        return [self.get_buffer(name) for name in NAMES]

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name in NAMES:  # as large as they were; checkpoints of earlier versions have none
            saved = state.setdefault(prefix + name, torch.empty(0))
            self.register_buffer(name, torch.empty_like(saved))
        super()._load_from_state_dict(state, prefix, *rest)


def weight_of(batch: Batch, rows: Tensor) -> Tensor | None:
    return None if batch.weight is None else batch.weight[rows]


def smaller(condition: Tensor, image: Tensor, mask: Tensor | None, scale: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """Reduce all three to 1 / scale; conditions by picking pixels, so that label maps stay hard."""
    if scale == 1:
        return condition, image, mask
    half = scale // 2
    picked = condition[..., half::scale, half::scale].contiguous(memory_format=torch.channels_last)
    small = F.avg_pool2d(image.flatten(0, 1), scale).unflatten(0, image.shape[:2])
    return picked, small, None if mask is None else F.avg_pool2d(mask, scale)


def mixed(numbers: Tensor, distances: Tensor) -> Tensor:
    """The first candidate, and one whose class parts are those of the nearest candidates: (b, 2, P).

    Args:
        numbers: of candidates, (b, m, P); the first part is the whole image's, the next ones those of the classes.
        distances: of candidates in the pixels of each class, (b, m, K).
    """
    own = slice(1, 1 + distances.shape[2])
    mixture = numbers[:, 0].clone()
    mixture[:, own] = numbers[:, :, own].gather(1, distances.argmin(dim=1, keepdim=True))[:, 0]
    return torch.stack([numbers[:, 0], mixture], dim=1)


def targets_of(batch: Batch) -> Targets:
    """The image of each slot, and its neighbours if there are any."""
    own, here = batch.image.unsqueeze(1), torch.ones_like(batch.key, dtype=torch.bool).unsqueeze(1)
    if batch.neighbours is None or batch.present is None:
        return Targets(own, here)
    return Targets(torch.cat([own, batch.neighbours], dim=1), torch.cat([here, batch.present], dim=1))


def now_nearer(pick: Tensor, distances: Tensor, limits: Tensor) -> Tensor:
    """Slots of picked (slot, target) pairs (b, 2) whose images came nearer than a limit, in any process.

    Args:
        distances: of this process's share of the pairs.
        limits: of all pairs, (B, T).
    """
    slots, which = pick.unbind(1)
    return slots[gather_rows(distances.detach()) < limits[slots, which]].unique()


def power_mean(distances: Tensor, power: float) -> Tensor:
    """Of distances (b,), or of (d^p - 1) / p, for p = 0 of log d: the slope is d^(p-1), so far ones pull less."""
    near = distances.clamp(min=NEAREST)
    if power == 1:
        return distances.mean()
    return (near.log() if power == 0 else (near.pow(power) - 1) / power).mean()
