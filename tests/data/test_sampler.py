"""The stream of visits is a pure function of seed and position: laws of sharing, restarting and covering."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from variegate.core import codes
from variegate.core.errors import ConfigError
from variegate.data.dataset.sampler import InfiniteSampler, WeightedInfiniteSampler, order, visit_key

pytestmark = pytest.mark.core

FROZEN = [0, 4, 2, 3, 1]  # order(5, 7, 0)

lengths, seeds, ranks, shares, steps = (
    st.integers(1, 40),
    st.integers(0, 2**62),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(0, 30),
)


def take(sampler: InfiniteSampler, count: int) -> list[tuple[int, int]]:
    return list(islice(sampler, count))


@settings(max_examples=60)
@given(lengths, seeds, ranks, shares, steps)
def test_ranks_together_see_the_stream_of_one_rank_in_order(length: int, seed: int, world: int, share: int, start: int):
    batch = world * share
    whole = take(InfiniteSampler(length, batch, seed, start_step=start), 3 * batch)
    parts = [take(InfiniteSampler(length, batch, seed, rank, world, start), 3 * share) for rank in range(world)]
    for step in range(3):
        turns = zip(*(part[step * share : (step + 1) * share] for part in parts), strict=True)
        joined = [visit for visits in turns for visit in visits]
        assert joined == whole[step * batch : (step + 1) * batch]


@settings(max_examples=60)
@given(lengths, seeds, shares, steps)
def test_restarting_at_a_step_continues_the_stream(length: int, seed: int, batch: int, start: int) -> None:
    whole = take(InfiniteSampler(length, batch, seed), (start + 4) * batch)
    assert take(InfiniteSampler(length, batch, seed, start_step=start), 4 * batch) == whole[start * batch :]


@settings(max_examples=60)
@given(lengths, seeds)
def test_each_epoch_visits_each_item_once(length: int, seed: int) -> None:
    visits = take(InfiniteSampler(length, 1, seed), 3 * length)
    for epoch in range(3):
        assert sorted(index for index, _ in visits[epoch * length : (epoch + 1) * length]) == list(range(length))


@settings(max_examples=60)
@given(lengths, seeds)
def test_no_two_visits_share_a_key_and_keys_fit_int64(length: int, seed: int) -> None:
    keys = [key for _, key in take(InfiniteSampler(length, 2, seed), 100)]
    assert len(set(keys)) == 100
    assert all(0 <= key < 2**63 for key in keys)
    assert visit_key(seed, 2**40 - 1) < 2**63


def test_the_stream_is_frozen() -> None:
    """A change here breaks exact resume of every run made before."""
    assert order(5, 7, 0).tolist() == FROZEN
    assert order(5, 7, 1).tolist() != FROZEN
    assert take(InfiniteSampler(5, 2, 7), 4) == [
        (index, (1 << 62) + (7 << 40) + p) for p, index in enumerate(FROZEN[:4])
    ]


def test_order_and_training_codes_draw_from_different_streams() -> None:
    key = codes.np.array([7, 1], dtype=codes.np.uint64)
    same = codes.np.random.Generator(codes.np.random.Philox(key=key)).permutation(50)
    assert order(50, 7, 1).tolist() != same.tolist()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"length": 0}, "no items"),
        ({"batch_size": 3, "world_size": 2}, "batch size 3 cannot be divided equally among 2"),
        ({"batch_size": 0}, "batch size 0"),
        ({"rank": 2, "world_size": 2}, "got 2"),
        ({"start_step": -1}, "start step must be at least 0, got -1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        InfiniteSampler(**{"length": 10, "batch_size": 2, "seed": 0, **settings})


class Echo(Dataset):
    def __getitem__(self, visit: tuple[int, int]) -> tuple[int, int]:
        return visit


def test_a_loader_with_workers_gives_the_same_batches() -> None:
    def batches(workers: int) -> list:
        loader = DataLoader(Echo(), batch_size=4, sampler=InfiniteSampler(10, 4, 3), num_workers=workers)
        return [[part.tolist() for part in batch] for batch in islice(loader, 6)]

    assert batches(0) == batches(2)


def test_with_replacement_a_pool_holds_items_twice_and_leaves_others_out() -> None:
    """Conditional IMLE draws its pool so: of 400 out of 400 about 63 % are different items."""
    drawn = [item for item, _ in islice(WeightedInfiniteSampler(np.ones((400, 1)), 400, seed=0), 4000)]
    pools = [len(set(drawn[start : start + 400])) / 400 for start in range(0, 4000, 400)]
    assert sum(pools) / 10 == pytest.approx(1 - 1 / np.e, abs=0.02)
    counts = np.bincount(drawn, minlength=400)
    assert counts.mean() == 10
    assert counts.var() == pytest.approx(10, rel=0.3)
