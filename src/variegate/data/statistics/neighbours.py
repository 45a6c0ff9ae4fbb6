"""Neighbours: images of nearly the same condition (He, Schiele, Fritz, ECCV 2018, and its released code).

    neighbours of (X, Y) are the Y_i of pairs with dis(X_i, X) < theta; all of them are targets for the condition X

dis is the L1 distance between the `descriptors` of conditions. If more than k images remain, including the true one,
their colours are grouped by k-means into k clusters, each represented by one member: the true image's cluster by the
true image, any other by a random one as in the paper (the released code takes the first), seeded by the pair's index.
Deviation: only the nearest 256 neighbours are grouped, which bounds the time for a large threshold.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.config import Neighbours
from ...core.errors import ConfigError
from ..dataset.pairs import Pairs
from ..files import cache
from .descriptors import Described, Floats, describe, unit

Numbers = NDArray[np.int64]

VERSION = 1  # to be raised by any change, here or in `descriptors`, that changes results
ROWS = 512  # conditions compared with all others at a time
GROUPED = 256  # nearest neighbours from which those to keep are chosen
ROUNDS = 20  # most iterations of k-means
ASKED = 2000  # most pairs used to suggest a threshold
WORD = 2**64 - 3  # separates this stream from others, which are keyed by small numbers


class Found(NamedTuple):
    """Neighbours of N pairs, at most most - 1 each, nearest first."""

    others: NDArray[np.int32]  # (N, most - 1) indices of pairs; -1: there are no more
    distances: Floats  # (N, most - 1) between conditions; infinite where there are none
    within: NDArray[np.int32]  # (N,) pairs within the threshold, excluding itself, before most - 1 were chosen

    @property
    def kept(self) -> Numbers:
        """Number of kept neighbours of each pair, (N,)."""
        return (self.others >= 0).sum(axis=1)


def neighbours(pairs: Pairs, settings: Neighbours, described: Described | None = None) -> Found:
    """Find the neighbours of every pair; results are cached on disk, so that the same data are searched only once.

    Args:
        described: `describe(pairs)`, if already computed.

    Raises:
        ConfigError: no pair has a neighbour, conditions and images are unpaired, or scikit-learn is not installed.
    """
    require()
    described = described or describe(pairs)
    empty, name = blank(len(pairs), settings.most), key(described, settings)
    kept = cache.load("neighbours", name, empty._asdict())
    found = search(described, settings) if kept is None else Found(**kept)
    if kept is None:
        cache.save("neighbours", name, found._asdict())
    if not found.within.any():
        half = f"half of the pairs have a neighbour at {suggest(described):g}" if len(pairs) > 1 else "add pairs"
        raise ConfigError(
            f"no two conditions of the {len(pairs)} pairs of {pairs.name} are closer than training.neighbours.threshold"
            f" {settings.threshold:g} ({unit(pairs.condition)}); {half}; 0 trains without neighbours"
        )
    return found


def require() -> None:
    if find_spec("sklearn") is None:
        raise ConfigError("neighbours need the package scikit-learn: pip install 'variegate[evaluation]'")


def key(described: Described, settings: Neighbours) -> str:
    """sha256 over everything that decides the result."""
    numbers = (settings.threshold, settings.most, GROUPED, ROUNDS, *(part.shape for part in described))
    total = hashlib.sha256(f"{VERSION} {version('scikit-learn')} {numbers}".encode())
    for part in described:
        total.update(np.ascontiguousarray(part).tobytes())
    return total.hexdigest()


def blank(pairs: int, most: int) -> Found:
    """An empty result for this number of pairs."""
    shape = (pairs, most - 1)
    return Found(np.full(shape, -1, np.int32), np.full(shape, np.inf, np.float32), np.zeros(pairs, np.int32))


def search(described: Described, settings: Neighbours) -> Found:
    """Search exactly, one block of conditions at a time, keeping only the chosen neighbours of each block."""
    from threadpoolctl import threadpool_limits

    found, index = blank(len(described.conditions), settings.most), nearest_index(described.conditions)
    for start in range(0, len(described.conditions), ROWS):
        block = described.conditions[start : start + ROWS]
        distances, numbers = index.radius_neighbors(block, radius=settings.threshold)
        with threadpool_limits(1):  # groups are too small for threads to pay off
            for k, (away, other) in enumerate(zip(distances, numbers), start):
                near = (away < settings.threshold) & (other != k)
                away, other = away[near], other[near]
                order = np.lexsort((other, away))  # ties: lowest index first
                found.within[k] = len(order)
                order = order[:GROUPED]
                order = order[choose(k, other[order], described.colours, settings.most)]
                found.others[k, : len(order)], found.distances[k, : len(order)] = other[order], away[order]
    return found


def nearest_index(conditions: Floats) -> Any:
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(metric="manhattan", algorithm="brute").fit(conditions)


def choose(k: int, others: Numbers, colours: Floats, most: int) -> Numbers:
    """Choose the positions in `others` (n,) of at most most - 1 representatives, in order.

    All of them, if with pair k itself they are no more than `most`; else one per cluster, except that of pair k.
    """
    if len(others) < most:
        return np.arange(len(others))
    labels = clusters(colours[[k, *others]], most)
    rng = np.random.Generator(np.random.Philox(key=np.array([k, WORD], dtype=np.uint64)))
    groups = [np.flatnonzero(labels[1:] == label) for label in range(most) if label != labels[0]]
    return np.sort(np.array([rng.choice(group) for group in groups if len(group)], dtype=np.int64))


def clusters(colours: Floats, count: int) -> NDArray[np.int32]:
    """The cluster of each row (n, 300), 0 .. count - 1; some clusters are empty if rows are equal."""
    from sklearn import config_context
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(), config_context(assume_finite=True, skip_parameter_validation=True):
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct rows than clusters
        labels: NDArray[np.int32] = KMeans(count, n_init=1, max_iter=ROUNDS, random_state=0).fit_predict(colours)
    return labels


def suggest(described: Described) -> float:
    """Suggest a threshold at which about half of the pairs have a neighbour, rounded up to three digits.

    If there are more than 2,000 pairs, 2,000 evenly spaced ones are used.

    Raises:
        ConfigError: there are fewer than two pairs.
    """
    require()
    count = len(described.conditions)
    if count < 2:
        raise ConfigError(f"neighbours need at least two pairs, but there is only {count}; add pairs")
    asked = np.unique(np.linspace(0, count - 1, min(count, ASKED)).astype(int))
    distances, _ = nearest_index(described.conditions).kneighbors(described.conditions[asked], n_neighbors=2)
    return rounded_up(float(np.quantile(distances[:, 1], 0.5, method="higher")))


def rounded_up(value: float) -> float:
    """More than `value`, by at most one in its third digit."""
    step = 10.0 ** (math.floor(math.log10(value)) - 2) if value > 0 else 1e-6
    return float(f"{(math.floor(value / step) + 1) * step:.6g}")
