"""What several processes of one training or evaluation tell each other. With a single process, nothing happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from .errors import VariegateError
from .launch import by_slurm, lonely, processes
from .rendezvous import join

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def together(patience: timedelta = timedelta(minutes=30)) -> Iterator[None]:
    """Join the processes that torchrun or srun started, for what does not train; a single one has nothing to join.

    Args:
        patience: how long one waits for another.
    """
    if processes() == 1 or lonely() or distributed.is_initialized():
        yield
        return
    if by_slurm():
        from lightning_fabric.plugins.environments import SLURMEnvironment

        tasks = SLURMEnvironment()  # all of them agree on where the first one listens
        where = f"tcp://{tasks.main_address}:{tasks.main_port}"
        distributed.init_process_group("gloo", where, patience, processes(), tasks.global_rank())
    else:
        join("gloo", patience)
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


def by_first(work: Callable[[], T]) -> T:
    """What the first process finds, or the VariegateError that it raises, in all processes."""
    if not several():
        return work()
    found: list[T | VariegateError | None] = [None]
    if distributed.get_rank() == 0:
        try:
            found = [work()]
        except VariegateError as error:
            found = [error]
    distributed.broadcast_object_list(found)
    if isinstance(found[0], VariegateError):
        raise found[0]
    return found[0]  # type: ignore[return-value]


def several() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def number() -> int:
    """How many processes work together."""
    return distributed.get_world_size() if several() else 1


def gather_rows(own: Tensor) -> Tensor:
    """The rows (b, ...) of every process, equally many, as they lay in the whole batch: row i is of process i mod n.

    Gradients do not flow back.
    """
    if not several():
        return own
    return everyone(own).transpose(0, 1).flatten(0, 1)


def own_rows(rows: Tensor) -> Tensor:
    """This process's share of the rows of all."""
    return rows[distributed.get_rank() :: distributed.get_world_size()] if several() else rows


def everyone(own: Tensor) -> Tensor:
    """The same tensor of every process, in order of rank: (processes, ...)."""
    sent = own.contiguous()
    found = [torch.empty_like(sent) for _ in range(distributed.get_world_size())]
    distributed.all_gather(found, sent)
    return torch.stack(found)


def each_row(count: int, work: Callable[[Tensor], tuple[Tensor, ...]], device: torch.device) -> tuple[Tensor, ...]:
    """What `work` finds for rows 0 .. count-1, one row of each tensor for each; every process does a share of them.

    Args:
        work: called with numbers of rows, (b,).
    """
    rows = torch.arange(count, device=device)
    if not several():
        return work(rows)
    lacking = -count % distributed.get_world_size()  # processes do equally many, some of them twice
    found = work(own_rows(torch.cat([rows, rows[:1].expand(lacking)])))
    return tuple(gather_rows(one)[:count] for one in found)


class _Gathered(torch.autograd.Function):
    """`everyone`; what reaches a tensor backwards is the sum over the processes that used it."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        return everyone(own)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous()
        distributed.all_reduce(total)
        return total[distributed.get_rank()]


def gather(own: Tensor) -> Tensor:
    """The same tensor of every process, (processes, ...), with gradient to all of them."""
    if not several():
        return own.unsqueeze(0)
    found: Tensor = _Gathered.apply(own)
    return found


def mean_of_all(own: Tensor) -> Tensor:
    """The mean of a tensor over all processes, with gradient to each."""
    return gather(own).mean(dim=0) if several() else own


@torch.no_grad()
def average_over_processes(tensors: Sequence[Tensor]) -> None:
    """Replace tensors of one type by their means over all processes, in one exchange."""
    if not several() or not tensors:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors])):
        tensor.copy_(mean.view_as(tensor))
