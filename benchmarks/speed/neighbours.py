"""Neighbours of 20,000 pairs with 68 landmarks: time against the distances alone, and memory.

The baseline only computes the distances of every pair to every other, with SciPy, block by block, on one thread; it
does not sort, select or keep any. Conditions are 2,000 random ones with noise around them, so that a pair has about ten
neighbours; colours are random. `ratio` is our time over theirs and, for memory, the peak bytes of arrays over those of
the descriptors: memory use grows with the number of pairs, not with its square.
"""

from __future__ import annotations

import tracemalloc

import numpy as np
from scipy.spatial.distance import cdist

from variegate.core.config import Neighbours
from variegate.data.statistics.descriptors import Described
from variegate.data.statistics.neighbours import ROWS, search

from .results import Row, Settings, row

SLOWEST, LARGEST = 2.0, 2.0
PAIRS, CENTRES, NUMBERS, NOISE = 20_000, 2000, 136, 1.5  # in pixels
THRESHOLD = Neighbours(threshold=300.0)


def rows(settings: Settings) -> list[Row]:
    pairs = 500 if settings.quick else PAIRS
    data = described(pairs, max(1, pairs * CENTRES // PAIRS), settings.seed)
    timed = settings.compare(lambda: search(data, THRESHOLD), lambda: distances(data), pairs=1)
    tracemalloc.start()
    found = search(data, THRESHOLD)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    needed = sum(part.nbytes for part in data)
    case = f"{pairs} pairs, {np.median(found.within):.0f} neighbours"
    return [
        row(f"{case}, time", timed.ratio, SLOWEST, **timed.details("ours", "distances")),
        row(f"{case}, memory", peak / needed, LARGEST, megabytes_ours=peak / 1e6, megabytes_data=needed / 1e6),
    ]


def described(pairs: int, centres: int, seed: int) -> Described:
    """Generate noisy clusters of conditions, and colour histograms with a few sharp peaks."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 128, (centres, NUMBERS))[rng.integers(0, centres, pairs)]
    conditions = (points + rng.normal(0, NOISE, points.shape)).astype(np.float32)
    colours = rng.dirichlet(np.full(100, 0.05), (pairs, 3)).reshape(pairs, 300)
    return Described(conditions, colours.astype(np.float32))


def distances(data: Described) -> None:
    for start in range(0, len(data.conditions), ROWS):
        cdist(data.conditions[start : start + ROWS], data.conditions, "cityblock")
