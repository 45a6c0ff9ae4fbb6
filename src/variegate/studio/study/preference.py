"""Results of two-alternative studies and of rankings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from .answers import Judgement, Responses
from .shares import Mean, Share, mean, share
from .statistics import Interval, Strengths, bradley_terry

NO_STRENGTHS = "a method was chosen every time or never, or methods never met, so no finite strengths fit"


@dataclass(frozen=True)
class Strength:
    """Bradley-Terry log-strength of being chosen, with mean 0 over methods, and its interval over participants."""

    value: float
    interval: Interval | None


@dataclass(frozen=True)
class Pair:
    """How often the first of two methods was chosen over the second."""

    first: str
    second: str
    chosen: Share


@dataclass(frozen=True)
class Preference:
    """Results of a two-alternative study.

    Attributes:
        pairs: every two methods that met.
        chosen: by method, how often it was chosen over any other.
        strengths: None if no finite ones fit.
        left: how often the left image was chosen: 0.5 without a position effect.
        consistency: how often the same image was chosen again after sides were swapped.
    """

    pairs: tuple[Pair, ...]
    chosen: dict[str, Share]
    strengths: dict[str, Strength] | None
    left: Share
    consistency: Share


@dataclass(frozen=True)
class Ranking:
    """Results of a ranking study.

    Attributes:
        ranks: by method, its mean rank; 1 is first.
        pairs, strengths: of the pairs that each ranking implies.
        first_by_place: by place from the left, how often the image there was ranked first.
        consistency: how often two images of a repeated ranking, places reversed, were ordered as before.
    """

    ranks: dict[str, Mean]
    pairs: tuple[Pair, ...]
    strengths: dict[str, Strength] | None
    first_by_place: tuple[Share, ...]
    consistency: Share


Beaten = tuple[int, str, str]  # participant, the method that was chosen, and one that it was chosen over


def preference(responses: Responses, without: Iterable[int] = ()) -> Preference:
    """Analyse the main trials of a two-alternative study, and its repeats."""
    without = set(without)
    main = responses.of_role("main", without)
    beaten = [one for judged in main for one in beaten_in(responses, judged)]
    methods = responses.study.methods
    return Preference(
        pairs=pairs_of(methods, beaten),
        chosen={
            name: share((who, won == name) for who, won, lost in beaten if name in (won, lost)) for name in methods
        },
        strengths=strengths_of(methods, beaten),
        left=share((one.participant, one.choice == "left") for one in main),
        consistency=agreement(responses, main, without),
    )


def ranking(responses: Responses, without: Iterable[int] = ()) -> Ranking:
    """Analyse the main trials of a ranking study, and its repeats."""
    without = set(without)
    main = responses.of_role("main", without)
    beaten = [one for judged in main for one in beaten_in(responses, judged)]
    methods = responses.study.methods
    ranks: dict[str, list[tuple[int, float]]] = {name: [] for name in methods}
    for one in main:
        for rank, place in enumerate(one.places, 1):
            ranks[responses.method_of(one.trial.images[place])].append((one.participant, rank))
    return Ranking(
        ranks={name: mean(each) for name, each in ranks.items()},
        pairs=pairs_of(methods, beaten),
        strengths=strengths_of(methods, beaten),
        first_by_place=tuple(
            share((one.participant, one.places[0] == place) for one in main) for place in range(len(methods))
        ),
        consistency=agreement(responses, main, without),
    )


def beaten_in(responses: Responses, one: Judgement) -> list[Beaten]:
    """The pairs that an answer decides: one, or every two images of a ranking, the better one first."""
    names = [responses.method_of(image) for image in one.trial.images]
    order = one.places if len(one.places) > 1 else (one.places[0], 1 - one.places[0])
    return [(one.participant, names[before], names[after]) for before, after in combinations(order, 2)]


def pairs_of(methods: Sequence[str], beaten: Sequence[Beaten]) -> tuple[Pair, ...]:
    found = []
    for first, second in combinations(methods, 2):
        met = [(who, won == first) for who, won, lost in beaten if {won, lost} == {first, second}]
        found += [Pair(first, second, share(met))] if met else []
    return tuple(found)


def strengths_of(methods: Sequence[str], beaten: Sequence[Beaten]) -> dict[str, Strength] | None:
    participants = {who: at for at, who in enumerate(dict.fromkeys(who for who, _, _ in beaten))}
    place = {name: at for at, name in enumerate(methods)}
    wins = np.zeros((len(participants), len(methods), len(methods)), dtype=np.int64)
    for who, won, lost in beaten:
        wins[participants[who], place[won], place[lost]] += 1
    found: Strengths | None = bradley_terry(wins)
    if found is None:
        return None
    return {name: Strength(value, interval) for name, value, interval in zip(methods, found.values, found.intervals)}


def agreement(responses: Responses, main: Iterable[Judgement], without: Iterable[int]) -> Share:
    """How often two images were ordered alike, by a participant who saw them a second time with places reversed."""
    before = {(one.participant, one.trial.number): beaten_in(responses, one) for one in main}
    return share(
        (one.participant, pair in before[one.participant, one.trial.repeats])
        for one in responses.of_role("repeat", without)
        if one.trial.repeats is not None and (one.participant, one.trial.repeats) in before
        for pair in beaten_in(responses, one)
    )
