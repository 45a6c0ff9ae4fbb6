"""Results of real-or-fake studies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .answers import Judgement, Responses
from .schema import REAL
from .shares import Share, share
from .statistics import Interval, clustered_bootstrap, realism


@dataclass(frozen=True)
class Realism:
    """Realism score of one method, see `statistics.realism`.

    Attributes:
        score: the mean over participants, as Lee et al. 2019 averaged the F-measure.
        bootstrap: its interval over participants.
        pooled: the score of all answers together; less biased where participants gave few answers.
        participants: those who saw a fake of this method and a real image.
    """

    score: float | None
    bootstrap: Interval | None
    pooled: float | None
    participants: int


@dataclass(frozen=True)
class Confusion:
    """How the fakes of a method were judged, and the real images that were shown as long.

    "Fake" is the positive class: fake_as_fake are true positives, real_as_fake false positives.
    """

    method: str
    exposure: float | None
    fake_as_fake: int
    fake_as_real: int
    real_as_fake: int
    real_as_real: int
    judged_real: Share
    realism: Realism


@dataclass(frozen=True)
class Detection:
    """Results of a real-or-fake study.

    Attributes:
        real_images: the share of real images judged real, by exposure.
        said_real: the share of all answers that are "real": 0.5 without a leaning.
        consistency: the share of repeated images judged as before.
    """

    confusions: tuple[Confusion, ...]
    real_images: tuple[tuple[float | None, Share], ...]
    said_real: Share
    consistency: Share


def detection(responses: Responses, without: Iterable[int] = ()) -> Detection:
    """Analyse the main trials of a real-or-fake study, and its repeats."""
    study, without = responses.study, set(without)
    main = responses.of_role("main", without)
    exposures: Sequence[float | None] = study.exposures or (None,)
    confusions, real_images = [], []
    for exposure in exposures:
        alike = [one for one in main if one.trial.exposure == exposure]
        real = [one for one in alike if responses.method_of(one.trial.images[0]) == REAL]
        real_images.append((exposure, share(as_real(real))))
        for method in study.methods:
            fakes = [one for one in alike if responses.method_of(one.trial.images[0]) == method]
            confusions.append(confusion(method, exposure, fakes, real))
    return Detection(tuple(confusions), tuple(real_images), share(as_real(main)), consistency(responses, main, without))


def as_real(judgements: Iterable[Judgement]) -> list[tuple[int, bool]]:
    return [(one.participant, one.choice == "real") for one in judgements]


def confusion(method: str, exposure: float | None, fakes: Sequence[Judgement], real: Sequence[Judgement]) -> Confusion:
    count = Counter([("fake", one.choice) for one in fakes] + [("real", one.choice) for one in real])
    return Confusion(
        method=method,
        exposure=exposure,
        fake_as_fake=count["fake", "fake"],
        fake_as_real=count["fake", "real"],
        real_as_fake=count["real", "fake"],
        real_as_real=count["real", "real"],
        judged_real=share(as_real(fakes)),
        realism=realism_of(fakes, real),
    )


def realism_of(fakes: Sequence[Judgement], real: Sequence[Judgement]) -> Realism:
    """The realism score of fakes among real images."""
    scores = []
    for who in sorted({one.participant for one in fakes} & {one.participant for one in real}):
        detected, alarms = ([one.choice == "fake" for one in each if one.participant == who] for each in (fakes, real))
        scores.append(realism(float(np.mean(detected)), float(np.mean(alarms))))
    if not scores:
        return Realism(None, None, None, 0)
    detected, alarms = ([one.choice == "fake" for one in each] for each in (fakes, real))
    pooled = realism(float(np.mean(detected)), float(np.mean(alarms)))
    return Realism(float(np.mean(scores)), clustered_bootstrap(scores, [1.0] * len(scores)), pooled, len(scores))


def consistency(responses: Responses, main: Iterable[Judgement], without: Iterable[int]) -> Share:
    """How often the same image at the same exposure was judged as the first time."""
    before = {(one.participant, one.trial.number): one.choice for one in main}
    return share(
        (one.participant, one.choice == before[one.participant, one.trial.repeats])
        for one in responses.of_role("repeat", without)
        if one.trial.repeats is not None and (one.participant, one.trial.repeats) in before
    )
