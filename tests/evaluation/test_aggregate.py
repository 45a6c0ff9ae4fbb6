"""The best, the mean, the ten best and the best of fewer are what a slow count over subsets says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from variegate.evaluation.metrics.aggregate import TOP, aggregate, aggregations, best_of, curves
from variegate.runs.measured import Protocol

pytestmark = pytest.mark.core

RECORD = Protocol(name="e", metric="error", libraries={}, value_range="[0, 1]")


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 1000))
def test_best_of_n_is_the_mean_of_the_best_over_all_subsets(n: int, samples: int, seed: int) -> None:
    n = min(n, samples)
    values = np.random.default_rng(seed).normal(size=samples)
    expected = np.mean([min(values[list(subset)]) for subset in itertools.combinations(range(samples), n)])
    assert float(best_of(n, samples) @ torch.from_numpy(np.sort(values))) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("samples", [1, 2, 10, 11, 72, 100])
def test_every_aggregation_is_an_average(samples: int) -> None:
    found = aggregations(samples)
    assert all(float(one.weights.sum()) == pytest.approx(1) for one in found.values())
    assert (f"top{TOP}" in found) == (samples > TOP)
    counts = [int(name.removeprefix("best_of_")) for name in found if name.startswith("best_of_")]
    assert counts == [2**power for power in range(1, 8) if 2**power < samples]


@pytest.mark.parametrize("better", ["lower", "higher"])
def test_numbers_equal_sorting_by_hand(better: str) -> None:
    values = torch.rand(4, 12, generator=torch.Generator().manual_seed(0))
    found = aggregate("e", values, "u", better, RECORD)  # type: ignore[arg-type]
    ordered = np.sort(values.double().numpy(), axis=1)[:, :: 1 if better == "lower" else -1]
    assert found["e_best"].value == pytest.approx(ordered[:, 0].mean())
    assert found["e_mean"].value == pytest.approx(ordered.mean())
    assert found["e_top10"].value == pytest.approx(ordered[:, :10].mean())
    assert found["e_best"].n == found["e_best"].protocol.inputs == 4
    assert found["e_top10"].protocol.metric == "error; mean of the 10 best of 12 samples"
    assert any("each measure by itself" in note for note in found["e_best"].protocol.notes)
    assert found["e_mean"].protocol.notes == ()


def test_error_falls_along_a_curve_from_the_mean_to_the_best() -> None:
    values = torch.rand(3, 20, generator=torch.Generator().manual_seed(1))
    found = aggregate("e", values, "u", "lower", RECORD) | aggregate("f", values[:, :2], "u", "lower", RECORD)
    ((name, points),) = curves(found)  # of two samples there is no curve
    assert name == "e"
    assert [n for n, _ in points] == [1, 2, 4, 8, 16, 20]
    heights = [one.value for _, one in points]
    assert heights[0] == found["e_mean"].value
    assert heights[-1] == found["e_best"].value
    assert all(after < before for before, after in itertools.pairwise(heights))
