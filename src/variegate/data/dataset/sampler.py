"""The order in which items are visited: a pure function of (seed, position).

Therefore resuming, the number of processes and the number of workers never change the data.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from ...core.errors import ConfigError

SEED_BITS, POSITION_BITS = 22, 40  # with one more bit, they fit a positive int64
_RARITY_WORD = 2**64 - 2
_EPOCH_WORD = 2**63  # far from the second words 0, 1, ... of training codes, which also use Philox


def order(length: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The permutation of 0 .. length-1 in which an epoch visits the items."""
    key = np.array([seed & (2**64 - 1), _EPOCH_WORD + epoch], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(length)


def visit_key(seed: int, position: int) -> int:
    """One number per visit of an item: a high bit, the low 22 bits of the seed, then 40 bits of stream position.

    The high bit keeps keys distinct from user seeds, whose codes must not coincide with training codes.
    """
    return (1 << (SEED_BITS + POSITION_BITS)) + ((seed & ((1 << SEED_BITS) - 1)) << POSITION_BITS) + position


class InfiniteSampler(Sampler[tuple[int, int]]):
    """An infinite stream of (index, key) of one rank's items, reshuffled every epoch.

    Step t of the global stream has positions t * batch_size .. (t + 1) * batch_size - 1; rank r has every
    `world_size`-th of them from the r-th on, so that the first half of all its shares is the first half of the batch.
    Use it in a DataLoader with batch size `per_rank`.
    """

    def __init__(
        self, length: int, batch_size: int, seed: int, rank: int = 0, world_size: int = 1, start_step: int = 0
    ) -> None:
        if length < 1:
            raise ConfigError("there are no items to sample batches from")
        if batch_size < 1 or batch_size % world_size:
            raise ConfigError(
                f"batch size {batch_size} cannot be divided equally among {world_size} processes; "
                f"give a multiple of {world_size}"
            )
        if not 0 <= rank < world_size:
            raise ConfigError(f"rank must be in 0..{world_size - 1}, got {rank}")
        if start_step < 0:
            raise ConfigError(f"start step must be at least 0, got {start_step}")
        self.length, self.batch_size, self.seed = length, batch_size, seed
        self.rank, self.world_size, self.start_step = rank, world_size, start_step
        self.per_rank = batch_size // world_size

        self.epoch, self.items = -1, np.empty(0, dtype=np.int64)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        step = self.start_step
        while True:
            first = step * self.batch_size
            for position in range(first + self.rank, first + self.batch_size, self.world_size):
                yield self.item(position), visit_key(self.seed, position)
            step += 1

    def uniform(self, position: int) -> float:
        """A uniform random number in [0, 1) that depends only on seed and position."""
        key = np.array([visit_key(self.seed, position), _RARITY_WORD], dtype=np.uint64)
        return float(np.random.Generator(np.random.Philox(key=key)).random())

    def item(self, position: int) -> int:
        """The item at a position of the stream: every item once per epoch."""
        if position // self.length != self.epoch:
            self.epoch = position // self.length
            self.items = order(self.length, self.seed, self.epoch)
        return int(self.items[position % self.length])


class ReplacementSampler(InfiniteSampler):
    """Items drawn uniformly with replacement."""

    def item(self, position: int) -> int:
        return min(int(self.uniform(position) * self.length), self.length - 1)


class WeightedInfiniteSampler(InfiniteSampler):
    """Items drawn with replacement in proportion to rarity: position p uses column p mod P of the scores.

    Args:
        scores: (N, P), non-negative; one column for each class that has a share of the stream.
    """

    def __init__(
        self,
        scores: NDArray[np.float64],
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        start_step: int = 0,
    ) -> None:
        super().__init__(len(scores), batch_size, seed, rank, world_size, start_step)
        self.cumulative = np.cumsum(scores / scores.sum(axis=0), axis=0).T  # (P, N)

    def item(self, position: int) -> int:
        column = self.cumulative[position % len(self.cumulative)]
        return min(int(np.searchsorted(column, self.uniform(position), side="right")), self.length - 1)
