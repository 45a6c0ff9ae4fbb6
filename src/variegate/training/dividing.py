"""Whether a batch can be divided among processes and micro-batches so that training stays the same."""

from __future__ import annotations

from itertools import count

from torch import nn

from ..core.errors import ConfigError
from ..core.method import Method
from ..networks.shared_norm import has_batch_norm


def check_division(method: Method, trained: list[nn.Module], processes: int, accumulate: int) -> None:
    """Raise ConfigError unless parts of a batch together give what the whole batch gives.

    Args:
        trained: the networks that training changes.
        accumulate: micro-batches of each process.
    """
    batch, parts, name = method.training.batch_size, processes * accumulate, method.name
    if batch % processes:
        return  # the sampler says so
    if batch // processes % accumulate:
        own = f"the {batch} pairs of a batch" if processes == 1 else f"the {batch // processes} pairs of each process"
        raise ConfigError(f"--accumulate {accumulate} does not divide {own}; give a divisor of {batch // processes}")
    smallest = method.objective.smallest_batch
    if smallest(batch // parts) * parts != smallest(batch):
        good = next(
            size for size in count(parts, parts) if size > batch and smallest(size // parts) * parts == smallest(size)
        )
        raise ConfigError(
            f"{name} trains its generator on {smallest(batch)} of the {batch} pairs of a batch, which {parts} parts "
            f"cannot share equally; give --batch-size {good}"
        )
    if accumulate == 1:
        return
    if reason := method.objective.indivisible():
        raise ConfigError(f"--accumulate {accumulate}: {name} needs its batch in one piece, since {reason}; omit it")
    if any(has_batch_norm(network) for network in trained):
        raise ConfigError(
            f"--accumulate {accumulate}: {name} has batch norm, which would see each micro-batch by itself; give "
            "--generator.norm instance and --objective.norm instance where it has them, or omit --accumulate"
        )
