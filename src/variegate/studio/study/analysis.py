"""The results of a study of any kind."""

from __future__ import annotations

from collections.abc import Iterable

from .answers import Responses
from .detection import Detection, detection
from .preference import Preference, Ranking, preference, ranking

Analysis = Detection | Preference | Ranking


def analyse(responses: Responses, without: Iterable[int] = ()) -> Analysis:
    """The results of a study without some participants."""
    if responses.study.kind == "real-or-fake":
        return detection(responses, without)
    if responses.study.kind == "two-alternative":
        return preference(responses, without)
    return ranking(responses, without)
