"""Which branch is trained on which target (He, Schiele, Fritz, ECCV 2018, section 3.3 and released code)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.errors import ConfigError


def assign(distances: Tensor, present: Tensor | None = None) -> Tensor:
    """The matching set S of the neighbours-enhanced loss, in rounds:

    1. Every remaining target names its nearest free branch.
    2. In the first round target 0, the true image, gets the branch it names.
    3. Every other branch that was named takes the nearest of the targets that named it; both are then taken.

    With one target this is the minimum of the best-neighbour loss (eq 4).

    Args:
        distances: (B, n, T) of n branches to T targets.
        present: bool (B, T), which targets exist; None: all.

    Returns:
        Branch of every target, int64 (B, T); -1 where there is no target.

    Raises:
        ConfigError: there are more targets than branches.
    """
    rows, branches, targets = distances.shape
    if targets > branches:
        raise ConfigError(f"{targets} targets need at least as many branches, got {branches}; raise objective.count")
    left = torch.ones_like(distances[:, 0], dtype=torch.bool) if present is None else present.clone()
    free = torch.ones_like(distances[:, :, 0], dtype=torch.bool)
    chosen = torch.full((rows, targets), -1, dtype=torch.long, device=distances.device)
    for turn in range(targets):
        open_pairs = free.unsqueeze(2) & left.unsqueeze(1)
        cost, named = distances.masked_fill(~open_pairs, torch.inf).min(dim=1)  # (B, T)
        if turn == 0:
            cost = cost.index_fill(1, torch.zeros(1, dtype=torch.long, device=cost.device), -torch.inf)
        asked = torch.zeros_like(open_pairs).scatter_(1, named.unsqueeze(1), left.unsqueeze(1))
        taken = cost.unsqueeze(1).expand_as(asked).masked_fill(~asked, torch.inf).argmin(dim=2)  # (B, n)
        wins = torch.zeros_like(asked).scatter_(2, taken.unsqueeze(2), asked.any(dim=2, keepdim=True))
        won = wins.any(dim=1)  # (B, T)
        chosen = torch.where(won, named, chosen)
        free, left = free & ~wins.any(dim=2), left & ~won
    return chosen
