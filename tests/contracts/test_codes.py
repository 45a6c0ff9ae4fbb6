"""Codes are a function of (seed, index) and of nothing else."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from variegate.core import codes

pytestmark = pytest.mark.core

SEED = st.integers(0, 2**64 - 1)
INDEX = st.integers(0, 2**20)
PRIOR = st.sampled_from(["gaussian", "uniform"])
quick = settings(max_examples=40, derandomize=True, database=None)


@quick
@given(st.lists(st.tuples(SEED, INDEX), min_size=1, max_size=6), PRIOR, st.randoms(use_true_random=False))
def test_the_order_of_drawing_does_not_matter(seeds, prior, rng) -> None:
    order = list(range(len(seeds)))
    rng.shuffle(order)
    together = codes.draw_many(seeds, 5, prior)
    assert torch.equal(codes.draw_many([seeds[i] for i in order], 5, prior), together[order])
    for row, (seed, index) in zip(together, seeds):
        assert torch.equal(codes.draw(seed, index, 5, prior), row)


@quick
@given(SEED, INDEX, SEED, INDEX, PRIOR)
def test_another_seed_or_index_gives_another_code(seed, index, other, other_index, prior) -> None:
    assume((seed, index) != (other, other_index))
    assert not torch.equal(codes.draw(seed, index, 8, prior), codes.draw(other, other_index, 8, prior))


@pytest.mark.parametrize("seed", [1, 2**53, 2**62, 2**63, 2**64 - 1])
def test_neighbouring_seeds_differ_however_large_they_are(seed: int) -> None:
    assert not torch.equal(codes.draw(seed, 0, 8, "gaussian"), codes.draw(seed - 1, 0, 8, "gaussian"))
    assert not torch.equal(codes.draw(seed, 0, 8, "gaussian"), codes.draw(0, 0, 8, "gaussian"))


def test_codes_never_change_silently_between_versions() -> None:
    golden = {
        (0, 0): ([0.059911035, 0.015559634, -1.16443849], [0.034741879, 0.011546731, 0.61195022]),
        (0, 1): ([-1.431463, 1.67071688, -0.40272397], [0.97512537, 0.81335402, 0.2973789]),
        (7, 3): ([-1.4470675, -0.9134207, -0.51556069], [0.52412063, 0.48212856, 0.29393846]),
        (2**61 + 5, 2): ([0.0439239, 0.2151839, 0.72499293], [0.09011066, 0.15431893, 0.47429562]),
    }
    for (seed, index), (gaussian, uniform) in golden.items():
        assert codes.draw(seed, index, 3, "gaussian").tolist() == pytest.approx(gaussian, rel=1e-6)
        assert codes.draw(seed, index, 3, "uniform").tolist() == pytest.approx(uniform, rel=1e-6)


def test_the_global_seed_of_torch_is_neither_read_nor_moved() -> None:
    torch.manual_seed(1)
    first, state = codes.draw(4, 2, 16, "gaussian"), torch.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(codes.draw(4, 2, 16, "gaussian"), first)
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)


def test_gaussian_codes_are_standard_normal_within_and_across_seeds() -> None:
    drawn = codes.draw_many([(seed, index) for seed in range(20) for index in range(50)], 64, "gaussian")
    assert float(drawn.mean()) == pytest.approx(0, abs=0.02)
    assert float(drawn.std()) == pytest.approx(1, abs=0.02)
    assert float((drawn.abs() < 1.96).float().mean()) == pytest.approx(0.95, abs=0.005)
    correlation = (drawn[:-1] * drawn[1:]).mean()  # of neighbouring (seed, index) pairs
    assert float(correlation) == pytest.approx(0, abs=0.02)


def test_uniform_codes_fill_the_unit_interval() -> None:
    drawn = codes.draw_many([(seed, index) for seed in range(20) for index in range(50)], 64, "uniform")
    assert float(drawn.min()) >= 0
    assert float(drawn.max()) < 1
    counts = torch.histc(drawn, bins=10, min=0, max=1) / drawn.numel()
    assert counts.tolist() == pytest.approx([0.1] * 10, abs=0.005)


def test_no_seeds_give_no_codes_of_the_right_size() -> None:
    assert codes.draw_many([], 7, "gaussian").shape == (0, 7)


@quick
@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(2, 12))
def test_a_gaussian_path_keeps_both_ends_and_a_typical_length(one, two, steps) -> None:
    start, end = codes.draw(one, 0, 64, "gaussian"), codes.draw(two, 1, 64, "gaussian")
    way = codes.path(start, end, steps, "gaussian")
    assert way.shape == (steps, 64)
    assert torch.allclose(way[0], start, atol=1e-5)
    assert torch.allclose(way[-1], end, atol=1e-5)
    shortest = float(min(start.norm(), end.norm()))
    assert bool((way.norm(dim=1) >= 0.97 * shortest).all()), "a straight line would fall to 0.7 in the middle"


def test_steps_of_a_gaussian_path_are_equally_long() -> None:
    start = torch.tensor([1.0, 0.0])
    way = codes.path(start, torch.tensor([0.0, 1.0]), 5, "gaussian")
    steps = (way[1:] - way[:-1]).norm(dim=1)
    assert steps.tolist() == pytest.approx([float(steps[0])] * 4, rel=1e-4)


def test_a_uniform_path_is_a_line_inside_the_cube() -> None:
    start, end = codes.draw(0, 0, 64, "uniform"), codes.draw(0, 1, 64, "uniform")
    way = codes.path(start, end, 5, "uniform")
    assert torch.allclose(way[2], (start + end) / 2)
    assert float(way.min()) >= 0
    assert float(way.max()) < 1


def test_a_path_between_parallel_codes_is_finite() -> None:
    code = codes.draw(0, 0, 8, "gaussian")
    for end in (code, 2 * code, -code):
        way = codes.path(code, end, 4, "gaussian")
        assert bool(way.isfinite().all())
        assert torch.allclose(way[-1], end, atol=1e-5)
