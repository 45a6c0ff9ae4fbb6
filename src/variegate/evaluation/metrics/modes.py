"""Mode coverage on Streets: which combinations of hidden factors do the samples of one layout show, and how often?

Everything here counts what the reader read (`data.streets.factors.Reading`); no learned network is involved.
A mode is a combination of the named factors, by default time of day x facade paint: 12 modes, odds 24.75 % to 1.5 %.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ...core.errors import DataError
from ...data.streets.factors import Reading
from ...data.streets.scene import FACTORS
from ...data.streets.streets import find, odds

NAMES = ("time", "paint")
PRECISION_OF = "precision_of_"  # prefix of the metrics of one factor, or of some
RARE = 0.05  # a mode is rare if its odds are at most this: 4 of the 12 time x paint modes, 14 % of all images


class Modes(NamedTuple):
    """Mode statistics of n samples of one layout. All values except `counts` are fractions in [0, 1]."""

    coverage: float  # fraction of modes reached by at least one readable sample; higher is better
    rare_recall: float  # the same among the rare modes; nan if no mode is rare
    precision: float  # fraction of samples in which every factor of the layout could be read, so they show some mode
    total_variation: float  # half the L1 distance between the readable samples and the true odds; lower is better
    counts: dict[tuple[str, ...], int]  # readable samples per mode, by the names of its values; includes every mode
    readable: dict[
        str, float
    ]  # fraction of samples in which each factor of the layout was read, and all named together


def is_of_factor(name: str) -> bool:
    """Whether a metric is the precision of some factors alone."""
    return name.startswith(PRECISION_OF)


def modes(reading: Reading, names: Sequence[str] = NAMES) -> Modes:
    """Count the modes of one layout's samples. A sample is readable if each of the named factors was read.

    Without a readable sample, the total variation is 1, as for two disjoint distributions.

    Raises:
        DataError: there are no samples.
    """
    if not len(reading.factors):
        raise DataError("counting modes needs at least one sample of the layout, got none")
    truth = odds(names)
    counts = count(reading, names)
    reached, rare = counts > 0, truth <= RARE + 1e-12
    draws = counts.sum()
    variation = 0.5 * float(np.abs(counts / draws - truth).sum()) if draws else 1.0
    whole = reading.factors[:, reading.present] >= 0
    words = itertools.product(*(find(name).values for name in names))
    return Modes(
        coverage=float(reached.mean()),
        rare_recall=float(reached[rare].mean()) if rare.any() else math.nan,
        precision=share(whole.all(1)) if reading.present.any() else 0.0,
        total_variation=variation,
        counts=dict(zip(words, counts.ravel().tolist())),
        readable=readable(reading, names),
    )


def share(found: Tensor) -> float:
    return float(found.float().mean())


def readable(reading: Reading, names: Sequence[str]) -> dict[str, float]:
    """The fraction of samples in which each factor was read, and that in which all the named ones were, "time x paint".

    Factors that the layout does not show are left out, and with one of them all the named ones together.
    """
    places = {factor.name: place for place, factor in enumerate(FACTORS) if reading.present[place]}
    read = reading.factors >= 0
    found = {name: share(read[:, place]) for name, place in places.items()}
    if len(names) > 1 and all(name in places for name in names):
        found[" x ".join(names)] = share(read[:, [places[name] for name in names]].all(1))
    return found


def count(reading: Reading, names: Sequence[str] = NAMES) -> npt.NDArray[np.int64]:
    """Readable samples per mode, with one axis for each named factor."""
    order = [factor.name for factor in FACTORS]
    columns = reading.factors.numpy()[:, [order.index(find(name).name) for name in names]]  # (n, names)
    table = np.zeros([len(find(name).values) for name in names], np.int64)
    np.add.at(table, tuple(columns[(columns >= 0).all(1)].T), 1)
    return table


def expected_coverage(draws: int, names: Sequence[str] = NAMES, at_most: float = 1.0) -> float:
    """The expected coverage of independent samples of the true distribution: the mean over modes of 1 - (1 - p)^draws.

    `at_most` keeps only modes with odds up to it: RARE gives the expected recall of rare modes.
    """
    truth = odds(names).ravel()
    truth = truth[truth <= at_most + 1e-12]
    return float((1 - (1 - truth) ** draws).mean()) if len(truth) else math.nan
