"""Mode counts against numbers worked out by hand and against simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from variegate.data.dataset.opening import open_data
from variegate.data.streets.factors import Reading
from variegate.data.streets.streets import FACTORS, Streets, odds, paint, read
from variegate.evaluation.measuring.streets import mode_results
from variegate.evaluation.metrics.modes import RARE, expected_coverage, is_of_factor, modes
from variegate.evaluation.pages.report import numbers_of, readable_factors
from variegate.methods.pix2pix import pix2pix
from variegate.runs.measured import Results

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
    each = {"time": 1.0, "paint": 5 / 6, "season": 1.0, "car": 5 / 6, "weather": 1.0, "time x paint": 5 / 6}
    assert result.readable == pytest.approx(each)


def test_total_variation_by_hand() -> None:
    assert modes(reading(DAY_CREAM)).total_variation == pytest.approx(1 - 0.50 * 0.40)
    half = modes(reading(DAY_CREAM, [2, 0, 0, 0, 0]), ("time",))
    assert half.total_variation == pytest.approx(0.5 * (abs(0.5 - 0.50) + 0.30 + abs(0.5 - 0.20)))


def test_unreadable_draws_reach_nothing() -> None:
    result = modes(reading([-1] * 5, [-1] * 5))
    assert result[:4] == (0, 0, 0, 1)


def test_precision_asks_only_for_factors_the_layout_shows() -> None:
    no_car = (True, True, True, False, True)
    found = modes(reading([0, 0, 0, -1, 0], [0, 0, -1, -1, 0], present=no_car))
    assert found.precision == 0.5
    assert found.readable == {"time": 1, "paint": 1, "season": 0.5, "weather": 1, "time x paint": 1}
    assert "time x car" not in modes(reading([0, 0, 0, -1, 0], present=no_car), ("time", "car")).readable


def test_precision_comes_by_factor_but_apart_from_the_other_numbers() -> None:
    pairs = open_data("streets:9", size=32, split="test")
    generator = pix2pix(width=4).build_generator(pairs.shapes).eval()
    found = mode_results(generator, pairs, seed=0, layouts=2, draws=3)[0]
    every = ["time_and_paint", *(factor.name for factor in FACTORS)]
    assert {name for name in found if is_of_factor(name)} == {f"precision_of_{what}" for what in every}
    assert found["precision"].value <= min(found[f"precision_of_{what}"].value for what in every)
    assert not any(is_of_factor(name) for name in numbers_of(Results(found)).measured)
    assert set(readable_factors(Results(found))[0].measured) == {f"precision_of_{what}" for what in every}
    assert readable_factors(Results({"coverage": found["coverage"]})) == []


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
