"""Intervals and strengths for judgements that are clustered by participant: pure functions of counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
RESAMPLED = 2000  # bootstrap samples of the participants

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Interval = tuple[float, float]


def wilson(chosen: int, n: int) -> Interval | None:
    """Wilson's score interval of a share, as if every answer were independent; None without answers."""
    from scipy.stats import binomtest

    if n == 0:
        return None
    found = binomtest(chosen, n).proportion_ci(LEVEL, method="wilson")
    return float(found.low), float(found.high)


def clustered_bootstrap(numerators: Sequence[float], denominators: Sequence[float], seed: int = 0) -> Interval | None:
    """Percentile bootstrap over participants of sum(numerators) / sum(denominators), a ratio of their totals.

    Args:
        numerators, denominators: one each per participant, such as the times an image was chosen, and all times.

    Returns:
        None for fewer than two participants: from one, nothing is known about others.
    """
    count = len(numerators)
    if count < 2 or sum(denominators) == 0:
        return None
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLED)
    below = drawn @ np.asarray(denominators, dtype=np.float64)
    ratios = (drawn @ np.asarray(numerators, dtype=np.float64))[below > 0] / below[below > 0]
    low, high = np.quantile(ratios, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def f_measure(detected: float, alarms: float) -> float:
    """F-measure of detecting fakes, at as many fake as real images.

    "Fake" is the positive class. With the share of fakes that are called fake (recall, `detected`) and the share of
    real images that are called fake (`alarms`), precision at even numbers is detected / (detected + alarms), so
    F = 2 detected / (1 + detected + alarms), which is 2 TP / (2 TP + FP + FN). Written with shares, it does not depend
    on how many real images a participant happened to see.
    """
    return 2 * detected / (1 + detected + alarms)


def realism(detected: float, alarms: float) -> float:
    """Realism score 2 (1 - F) of Lee et al. 2019 (MR-GAN, section 5.1), with F as in `f_measure`.

    1: fake and real images are judged alike, by as many "fake" as "real"; 0: no image is misjudged. Above 1 if fakes
    are called real more often than not.
    """
    return 2 * (1 - f_measure(detected, alarms))


@dataclass(frozen=True)
class Strengths:
    """Bradley-Terry log-strengths with mean 0, and their 95 % intervals; None for fewer than two participants.

    The odds that i is chosen over j are exp(values[i] - values[j]).
    """

    values: tuple[float, ...]
    intervals: tuple[Interval | None, ...]


def bradley_terry(wins: Counts) -> Strengths | None:
    """Maximum likelihood of P(i chosen over j) = 1 / (1 + exp(s_j - s_i)) (Bradley and Terry 1952).

    Intervals are clustered: the sandwich estimator over participants (Liang and Zeger 1986), Student's t of their
    number less one.

    Args:
        wins: (P, M, M), how often each participant chose i over j.

    Returns:
        None where the likelihood has no maximum (Ford 1957): some were chosen over all others every time, or some
        never met.
    """
    from scipy.optimize import minimize
    from scipy.sparse.csgraph import connected_components
    from scipy.stats import t as student

    total = wins.sum(axis=0)
    count = total.shape[0]
    if count < 2 or connected_components(total > 0, connection="strong")[0] > 1:
        return None
    found = minimize(
        lambda free: bt_loss(free, total),
        np.zeros(count - 1),
        jac=lambda free: -bt_scores(free, total[None])[0],
        hess=lambda free: bt_information(free, total),
        method="trust-exact",
        options={"gtol": 1e-9},
    )
    values = np.append(0.0, found.x)
    centre = np.eye(count) - 1 / count
    clusters = len(wins)
    if clusters < 2:
        return Strengths(tuple((centre @ values).tolist()), (None,) * count)
    bread = np.linalg.inv(bt_information(found.x, total))
    scores = bt_scores(found.x, wins)
    covariance = np.zeros((count, count))
    covariance[1:, 1:] = bread @ (scores.T @ scores) @ bread * clusters / (clusters - 1)
    spread = np.sqrt(np.diag(centre @ covariance @ centre)) * student.ppf((1 + LEVEL) / 2, clusters - 1)
    values = centre @ values
    intervals = tuple((float(value - far), float(value + far)) for value, far in zip(values, spread))
    return Strengths(tuple(values.tolist()), intervals)


def bt_odds(free: Floats) -> Floats:
    """The probability (M, M) that i is chosen over j; the first strength is 0."""
    values = np.append(0.0, free)
    return np.asarray(1 / (1 + np.exp(values[None] - values[:, None])))


def bt_loss(free: Floats, total: Counts) -> float:
    """The negative log-likelihood of wins (M, M)."""
    return float(-(total * np.log(bt_odds(free))).sum())


def bt_scores(free: Floats, wins: Counts) -> Floats:
    """The gradient (P, M - 1) of each participant's log-likelihood: wins, less those expected."""
    met = wins + wins.swapaxes(1, 2)
    return np.asarray((wins - met * bt_odds(free)).sum(axis=2)[:, 1:])


def bt_information(free: Floats, total: Counts) -> Floats:
    """Fisher information (M - 1, M - 1)."""
    odds = bt_odds(free)
    weights = (total + total.T) * odds * odds.T
    return np.asarray((np.diag(weights.sum(axis=1)) - weights)[1:, 1:])
