"""Mode counts against numbers worked out by hand and against simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from variegate.data.streets.factors import Reading
from variegate.data.streets.streets import Streets, odds, paint, read
from variegate.evaluation.metrics.modes import RARE, expected_coverage, modes

pytestmark = pytest.mark.core
DAY_CREAM, DAY_BRICK, NIGHT_BLUE = [0, 0, 0, 0, 0], [0, 1, 0, 0, 0], [2, 3, 0, 0, 0]


def reading(*rows: list[int], present: tuple[bool, ...] = (True,) * 5) -> Reading:
    return Reading(torch.tensor(rows), torch.tensor(present))


def test_counts_by_hand() -> None:
    result = modes(reading(DAY_CREAM, DAY_CREAM, DAY_BRICK, NIGHT_BLUE, [0, -1, 0, 0, 0], [1, 0, 0, -1, 0]))
    assert result.counts[("day", "cream")] == 2
    assert result.counts[("night", "blue")] == 1
    assert result.counts[("dusk", "cream")] == 1  # its car is unreadable, its mode is not
    assert sum(result.counts.values()) == 5
    assert len(result.counts) == 12
    assert result.coverage == pytest.approx(4 / 12)
    assert result.rare_recall == pytest.approx(1 / 4)  # day blue, dusk blue, night sage, night blue
    assert result.precision == pytest.approx(4 / 6)


def test_total_variation_by_hand() -> None:
    assert modes(reading(DAY_CREAM)).total_variation == pytest.approx(1 - 0.50 * 0.40)
    half = modes(reading(DAY_CREAM, [2, 0, 0, 0, 0]), ("time",))
    assert half.total_variation == pytest.approx(0.5 * (abs(0.5 - 0.50) + 0.30 + abs(0.5 - 0.20)))


def test_unreadable_draws_reach_nothing() -> None:
    result = modes(reading([-1] * 5, [-1] * 5))
    assert result[:4] == (0, 0, 0, 1)


def test_precision_asks_only_for_factors_the_layout_shows() -> None:
    no_car = (True, True, True, False, True)
    assert modes(reading([0, 0, 0, -1, 0], [0, 0, -1, -1, 0], present=no_car)).precision == 0.5


def test_no_rare_mode_gives_no_recall() -> None:
    assert math.isnan(modes(reading(DAY_CREAM), ("weather",)).rare_recall)
    assert math.isnan(expected_coverage(10, ("weather",), RARE))


def test_expected_coverage_agrees_with_simulation() -> None:
    rng, truth = np.random.default_rng(0), odds(("time", "paint")).ravel()
    reached = rng.multinomial(50, truth, size=20_000) > 0
    assert expected_coverage(50) == pytest.approx(reached.mean(), abs=0.003)
    assert expected_coverage(50, at_most=RARE) == pytest.approx(reached[:, truth <= RARE + 1e-12].mean(), abs=0.005)
    assert expected_coverage(1, ("weather",)) == pytest.approx(0.5)


def test_draws_from_the_truth_score_as_expected() -> None:
    layouts, rng = Streets((32, 32), 3, split="test"), np.random.default_rng(0)
    readings = []
    for i in range(3):
        draws = [{"time": rng.choice(3, p=odds(["time"])), "paint": rng.choice(4, p=odds(["paint"]))}
                 for _ in range(100)]  # fmt: skip
        images = torch.stack([paint(layouts.layout(i), draw) for draw in draws]) / 127.5 - 1
        readings.append(read(images, layouts.layout(i)))
    each = [modes(reading) for reading in readings]
    assert np.mean([one.coverage for one in each]) == pytest.approx(expected_coverage(100), abs=0.1)
    assert all(one.precision == 1 for one in each)
    assert np.mean([one.total_variation for one in each]) < 0.15
