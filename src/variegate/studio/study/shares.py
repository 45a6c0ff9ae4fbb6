"""How often something was chosen, with intervals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .statistics import Interval, clustered_bootstrap, wilson


@dataclass(frozen=True)
class Share:
    """A share of answers; None where there are too few.

    Attributes:
        std: standard deviation of the participants' shares, as the study of conditional IMLE reports it.
        wilson: interval as if answers were independent.
        bootstrap: interval over participants, whose answers resemble each other.
    """

    chosen: int
    n: int
    share: float | None
    std: float | None
    wilson: Interval | None
    bootstrap: Interval | None


@dataclass(frozen=True)
class Mean:
    """A mean of answers, with the standard deviation of the participants' means, and the interval over participants."""

    n: int
    mean: float | None
    std: float | None
    bootstrap: Interval | None


def share(answers: Iterable[tuple[int, bool]]) -> Share:
    """The share of True among (participant, answer)."""
    answers = list(answers)
    found, chosen = mean(answers), sum(answer for _, answer in answers)
    return Share(chosen, found.n, found.mean, found.std, wilson(chosen, found.n), found.bootstrap)


def mean(answers: Iterable[tuple[int, float]]) -> Mean:
    """The mean over (participant, value)."""
    values: dict[int, list[float]] = {}
    for participant, value in answers:
        values.setdefault(participant, []).append(float(value))
    totals, counts = [sum(each) for each in values.values()], [len(each) for each in values.values()]
    n = sum(counts)
    if n == 0:
        return Mean(0, None, None, None)
    each = np.divide(totals, counts)
    std = float(each.std(ddof=1)) if len(each) > 1 else None
    return Mean(n, sum(totals) / n, std, clustered_bootstrap(totals, counts))
