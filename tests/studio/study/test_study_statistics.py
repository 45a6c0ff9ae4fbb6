"""Statistics against closed forms, published results and other implementations."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap, t
from sklearn.metrics import f1_score

from variegate.studio.study.shares import mean, share
from variegate.studio.study.statistics import bradley_terry, clustered_bootstrap, f_measure, realism, wilson

pytestmark = pytest.mark.core
Z = 1.959963984540054
STUDIES = 120

TEAMS = ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore")
WINS_1987 = np.array(  # of the row over the column; Agresti, Categorical Data Analysis, American League 1987
    [
        [0, 7, 9, 7, 7, 9, 11],
        [6, 0, 7, 5, 11, 9, 9],
        [4, 6, 0, 7, 7, 8, 12],
        [6, 8, 6, 0, 6, 7, 10],
        [6, 2, 6, 7, 0, 7, 12],
        [4, 4, 5, 6, 6, 0, 6],
        [2, 4, 1, 3, 1, 7, 0],
    ]
)
STRENGTHS_1987 = (1.5814, 1.4364, 1.2945, 1.2476, 1.1077, 0.6839, 0.0)  # above Baltimore, as published


@settings(max_examples=50)
@given(st.integers(1, 500), st.data())
def test_wilson_is_the_closed_form(n: int, data: st.DataObject) -> None:
    chosen = data.draw(st.integers(0, n))
    p = chosen / n
    centre, far = p + Z**2 / (2 * n), Z * sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    scale = 1 + Z**2 / n
    assert wilson(chosen, n) == pytest.approx(((centre - far) / scale, (centre + far) / scale), abs=1e-9)


def test_nothing_is_known_without_answers() -> None:
    assert wilson(0, 0) is None
    assert clustered_bootstrap([3.0], [4.0]) is None
    assert share([]).share is None
    assert mean([]).mean is None


def test_the_bootstrap_of_participants_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    chosen, seen = rng.integers(2, 9, 40), np.full(40, 10)
    ours = clustered_bootstrap(chosen.tolist(), seen.tolist())
    theirs = bootstrap((chosen / 10,), np.mean, n_resamples=5000, method="percentile", rng=rng).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_answers_of_one_participant_that_agree_are_worth_less() -> None:
    """Ten participants who always answer alike: Wilson believes in 200 answers, the bootstrap in ten."""
    answers = [(who, who < 5) for who in range(10) for _ in range(20)]
    found = share(answers)
    assert found.wilson is not None
    assert found.bootstrap is not None
    assert found.share == 0.5
    assert found.bootstrap[1] - found.bootstrap[0] > 3 * (found.wilson[1] - found.wilson[0])
    assert found.std == pytest.approx(np.std([1.0] * 5 + [0.0] * 5, ddof=1))


@settings(max_examples=20)
@given(st.integers(1, 30), st.data())
def test_f_measure_is_that_of_scikit_learn_at_even_numbers(n: int, data: st.DataObject) -> None:
    caught, alarms = data.draw(st.integers(0, n)), data.draw(st.integers(0, n))
    truth = [1] * n + [0] * n
    said = [1] * caught + [0] * (n - caught) + [1] * alarms + [0] * (n - alarms)
    assert f_measure(caught / n, alarms / n) == pytest.approx(f1_score(truth, said, zero_division=0))


def test_realism_is_one_for_guesses_and_zero_for_certainty() -> None:
    assert realism(detected=0.5, alarms=0.5) == 1
    assert realism(detected=1, alarms=0) == 0
    assert realism(detected=0, alarms=0) == 2
    assert 0 < realism(detected=0.9, alarms=0.1) < 0.5


@settings(max_examples=30)
@given(st.integers(1, 200), st.integers(1, 200))
def test_two_strengths_are_the_closed_form(won: int, lost: int) -> None:
    found = bradley_terry(np.array([[[0, won], [lost, 0]]]))
    assert found is not None
    assert found.values[0] - found.values[1] == pytest.approx(log(won / lost), abs=1e-5)
    assert sum(found.values) == pytest.approx(0, abs=1e-9)
    assert found.intervals == (None, None)


def test_intervals_of_independent_answers_are_those_of_a_logit() -> None:
    won, lost = 30, 12
    wins = np.zeros((won + lost, 2, 2), dtype=np.int64)
    wins[:won, 0, 1], wins[won:, 1, 0] = 1, 1
    found, n = bradley_terry(wins), won + lost
    assert found is not None
    error = sqrt((1 / won + 1 / lost) * n / (n - 1)) / 2  # half, since strengths are centred
    low, high = found.intervals[0] or (0, 0)
    assert (high - low) / 2 == pytest.approx(error * t.ppf(0.975, n - 1), rel=1e-4)


def test_strengths_of_baseball_teams_are_those_published() -> None:
    found = bradley_terry(WINS_1987[None])
    assert found is not None
    above = [value - found.values[-1] for value in found.values]
    assert above == pytest.approx(STRENGTHS_1987, abs=2e-4)


@settings(max_examples=10)
@given(st.integers(2, 6), st.integers(0, 1000))
def test_strengths_are_those_of_zermelos_iteration(count: int, seed: int) -> None:
    wins = np.random.default_rng(seed).integers(1, 12, (count, count))
    np.fill_diagonal(wins, 0)
    found = bradley_terry(wins[None])
    assert found is not None
    power = np.ones(count)
    for _ in range(1000):
        met = (wins + wins.T) / (power[:, None] + power[None])
        power = wins.sum(axis=1) / met.sum(axis=1)
        power /= power.sum()
    ours = [exp(value) for value in found.values]
    assert np.array(ours) / sum(ours) == pytest.approx(power, rel=1e-3)


@pytest.mark.parametrize(
    "wins",
    [
        [[0, 5], [0, 0]],  # always chosen
        [[0, 3, 0, 0], [3, 0, 0, 0], [0, 0, 0, 2], [0, 0, 2, 0]],  # two groups that never met
    ],
)
def test_where_no_finite_strengths_fit_there_are_none(wins: list[list[int]]) -> None:
    assert bradley_terry(np.array([wins])) is None


def test_intervals_cover_the_truth() -> None:
    """Of many studies with correlated answers, about 95 % of the intervals hold the true difference."""
    rng, covered = np.random.default_rng(1), 0
    leaning = rng.normal(0.4, 0.8, 200_000)
    truth = float(np.log(np.mean(1 / (1 + np.exp(-leaning))) / np.mean(1 / (1 + np.exp(leaning)))))
    for _ in range(STUDIES):
        chosen = rng.binomial(12, 1 / (1 + np.exp(-rng.normal(0.4, 0.8, 30))))
        wins = np.zeros((30, 2, 2), dtype=np.int64)
        wins[:, 0, 1], wins[:, 1, 0] = chosen, 12 - chosen
        found = bradley_terry(wins)
        assert found is not None
        low, high = found.intervals[0] or (0, 0)
        covered += 2 * low <= truth <= 2 * high
    assert 0.9 <= covered / STUDIES <= 0.99
