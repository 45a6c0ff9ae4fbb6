"""Numbers of several models side by side: only what was measured alike is in one column, and what differs is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...runs.measured import Measured, Protocol, Results, student

RESAMPLED = 2000  # times
FEWEST = 3  # conditions from which on there is an interval
MANY = 20  # conditions from which on it is by resampling, which is too narrow for few
FREE = {"drawn", "details", "libraries"}  # fields of a protocol that may differ; notes are told in full


class Difference(NamedTuple):
    """The mean difference to the best model over the same conditions, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def chance(self) -> bool:
        """Whether it may be nothing but chance."""
        return self.low <= 0 <= self.high


@dataclass(frozen=True)
class SideBySide:
    """Metrics of several models.

    Attributes:
        columns: metric -> model -> value, all measured alike.
        refused: metric -> why its values are not in one column.
        best: metric -> the model with the best value; not where all are equal.
        differences: metric -> model -> its difference to the best one, where both have a value for each condition.
    """

    columns: Mapping[str, Mapping[str, Measured]]
    refused: Mapping[str, str]
    best: Mapping[str, str]
    differences: Mapping[str, Mapping[str, Difference]]


def side_by_side(results: Mapping[str, Results], seed: int = 0) -> SideBySide:
    """Sort the metrics of several models, by name, into columns."""
    columns: dict[str, dict[str, Measured]] = {}
    refused: dict[str, str] = {}
    for metric in dict.fromkeys(metric for one in results.values() for metric in one.measured):
        found = {name: one.measured[metric] for name, one in results.items() if metric in one.measured}
        why = unlike(metric, found)
        if why is None:
            columns[metric] = found
        else:
            refused[metric] = why
    best = {metric: name for metric, found in columns.items() if (name := best_of(found)) is not None}
    differences = {metric: differences_to(columns[metric], name, seed) for metric, name in best.items()}
    return SideBySide(columns, refused, best, differences)


def unlike(metric: str, found: Mapping[str, Measured]) -> str | None:
    """Why values cannot be compared: the first field in which their protocols differ; None if they can."""
    (first, one), *others = found.items()
    for name, other in others:
        for field in Protocol.model_fields:
            ours, theirs = getattr(one.protocol, field), getattr(other.protocol, field)
            if field not in FREE | {"notes"} and ours != theirs:
                return f"{metric}: {field} is {told(ours)} for {first}, but {told(theirs)} for {name}"
        if one.protocol.notes != other.protocol.notes:
            gone = [note for note in one.protocol.notes if note not in other.protocol.notes]
            new = [note for note in other.protocol.notes if note not in one.protocol.notes]
            return f"{metric}: of {first}, {told(gone)}; of {name}, {told(new)}"
    return None


def told(value: object) -> str:
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value)) or "nothing such"
    return str(value)


def best_of(found: Mapping[str, Measured]) -> str | None:
    """The model with the best value; None if there is only one, or all are equal."""
    values = {name: one.value for name, one in found.items()}
    if len(set(values.values())) < 2:
        return None
    better = next(iter(found.values())).better
    if better.startswith("nearer"):
        aim = float(better.rpartition(" ")[2])
        return min(values, key=lambda name: abs(values[name] - aim))
    return max(values, key=values.__getitem__) if better == "higher" else min(values, key=values.__getitem__)


def differences_to(found: Mapping[str, Measured], best: str, seed: int) -> dict[str, Difference]:
    """Each model's difference to the best one, of those with a value for each of the same conditions."""
    ideal = found[best].values
    if ideal is None or len(ideal) < FEWEST:
        return {}
    return {
        name: difference(one.values, ideal, seed)
        for name, one in found.items()
        if name != best and one.values is not None and len(one.values) == len(ideal)
    }


def difference(values: Sequence[float], others: Sequence[float], seed: int = 0) -> Difference:
    """Mean of values - others over conditions.

    Its interval is by resampling conditions (paired percentile bootstrap, Efron 1979, by scipy), and by Student's t for
    fewer than MANY: resampling few finds differences where there are none.
    """
    from scipy.stats import bootstrap

    apart = np.subtract(values, others)
    if len(apart) < MANY or np.ptp(apart) == 0:
        average, interval = student(apart.tolist())
        return Difference(average, *(interval or (average, average)))
    rng = np.random.default_rng(seed)
    found = bootstrap((apart,), np.mean, n_resamples=RESAMPLED, method="percentile", rng=rng).confidence_interval
    return Difference(float(apart.mean()), float(found.low), float(found.high))


def versions_apart(found: Mapping[str, Measured]) -> set[str]:
    """Libraries of which the values of a column were computed with different versions."""
    each = [one.protocol.libraries for one in found.values()]
    return {name for name in set().union(*each) if len({libraries.get(name) for libraries in each}) > 1}
