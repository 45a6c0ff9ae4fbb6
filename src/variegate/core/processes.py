"""What several processes of one training or evaluation tell each other. With a single process, nothing happens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, distributed

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def together() -> Iterator[None]:
    """Join the processes that torchrun started, for what does not train; a single one has nothing to join."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or distributed.is_initialized():
        yield
        return
    distributed.init_process_group("gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def shared(items: Iterable[T], work: Callable[[T], R]) -> list[R]:
    """The work of every item, in order; each process does a share of it, and all get all results."""
    if not several():
        return [work(item) for item in items]
    size, rank = distributed.get_world_size(), distributed.get_rank()
    own = [work(item) for i, item in enumerate(items) if i % size == rank]
    every: list[list[R]] = [[] for _ in range(size)]
    distributed.all_gather_object(every, own)
    return [every[i % size][i // size] for i in range(sum(map(len, every)))]


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
