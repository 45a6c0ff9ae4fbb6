"""What several processes of one training tell each other. With a single process, nothing happens."""

from __future__ import annotations

import torch
from torch import Tensor, distributed


def several() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def gather_rows(own: Tensor) -> Tensor:
    """Equally many rows (b, ...) of every process, in order of rank."""
    if not several():
        return own
    rows = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
    distributed.all_gather(rows, own.contiguous())
    return torch.cat(rows)


def own_rows(rows: Tensor) -> Tensor:
    """This process's share of gathered rows."""
    return rows.chunk(distributed.get_world_size())[distributed.get_rank()] if several() else rows
