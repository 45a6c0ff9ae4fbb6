"""How long images were really shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .answers import Judgement


@dataclass(frozen=True)
class Timing:
    """Measured exposures of one nominal exposure, in milliseconds.

    Attributes:
        off: answers whose measured exposure is off by more than two frames; they are flagged, and not left out.
        hidden: answers of trials during which the page was out of sight.
    """

    exposure: float
    n: int
    median: float
    low: float
    high: float
    frame: float
    off: int
    hidden: int


def timings(judgements: Iterable[Judgement]) -> tuple[Timing, ...]:
    """The median, 5 % and 95 % of all trials with an exposure, by exposure."""
    groups: dict[float, list[Judgement]] = {}
    for one in judgements:
        if one.trial.exposure is not None:
            groups.setdefault(one.trial.exposure, []).append(one)
    found = []
    for exposure, each in sorted(groups.items()):
        low, median, high = np.quantile([one.shown_ms or 0.0 for one in each], [0.05, 0.5, 0.95]).tolist()
        frame = float(np.median([one.frame_ms or 0.0 for one in each]))
        off, hidden = sum(one.off for one in each), sum(one.hidden for one in each)
        found.append(Timing(exposure, len(each), median, low, high, frame, off, hidden))
    return tuple(found)
