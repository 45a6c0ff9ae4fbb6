"""Whatever the size of a study, its trials are balanced over participants and within each."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from study_helpers import study_of

from variegate.studio.study.design import main_trials, most_trials, plan, units
from variegate.studio.study.schema import Kind, Study, Trial

pytestmark = pytest.mark.core
KINDS: tuple[Kind, ...] = ("real-or-fake", "two-alternative", "ranking")


@st.composite
def studies(draw: st.DrawFn, kinds: tuple[Kind, ...] = KINDS) -> Study:
    kind = draw(st.sampled_from(kinds))
    fewest = {"real-or-fake": 1, "two-alternative": 2, "ranking": 3}[kind]
    conditions = draw(st.integers(2, 12))
    study = study_of(
        kind,
        methods=draw(st.integers(fewest, 4)),
        conditions=conditions,
        seed=draw(st.integers(0, 5)),
        attention=draw(st.integers(0, min(4, conditions))),
    )
    count = draw(st.integers(2, most_trials(study)))
    return study.model_copy(update={"per_participant": count, "repeats": draw(st.integers(0, count // 2))})


def spread(counts: Counter[object], expected: int) -> int:
    """The difference between the most and the least frequent of `expected` values."""
    return max(counts.values()) - (min(counts.values()) if len(counts) == expected else 0)


def combination(study: Study, trial: Trial) -> object:
    """What is shown, in any order, and for how long; for rankings, in this order."""
    return (trial.images if study.kind == "ranking" else frozenset(trial.images)), trial.exposure


@settings(max_examples=60)
@given(st.integers(1, 30), st.integers(2, 9), st.integers(1, 9), st.data())
def test_after_any_number_of_participants_combinations_were_shown_equally_often(
    participants: int, conditions: int, cells: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, conditions * cells))
    seen = Counter[object](
        (unit.condition, unit.cell) for index in range(participants) for unit in units(index, count, conditions, cells)
    )
    assert spread(seen, conditions * cells) <= 1


@settings(max_examples=40)
@given(studies(), st.integers(1, 25))
def test_images_are_shown_about_equally_often(study: Study, participants: int) -> None:
    trials = [trial for index in range(participants) for trial in main_trials(study, index)]
    conditions, methods = len(study.conditions), len(study.methods)
    if study.kind == "ranking":
        places = Counter[object]((name, place) for trial in trials for place, name in enumerate(trial.images))
        assert spread(places, conditions * methods**2) <= 1
        return
    fakes = [trial for trial in trials if study.images[trial.images[0]].method is not None]
    cells = methods * (methods - 1) // 2 if study.kind == "two-alternative" else methods * len(study.exposures)
    assert spread(Counter(combination(study, trial) for trial in fakes), conditions * cells) <= 1


@settings(max_examples=60)
@given(st.integers(0, 30), st.integers(2, 12), st.integers(1, 12), st.data())
def test_a_participant_sees_every_cell_about_equally_often(
    index: int, conditions: int, cells: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, conditions * cells))
    seen = units(index, count, conditions, cells)
    assert spread(Counter[object](unit.cell for unit in seen), cells) <= 2
    assert len({unit.condition for unit in seen}) == min(count, conditions)


@settings(max_examples=40)
@given(studies(), st.integers(0, 40))
def test_a_participant_sees_nothing_twice(study: Study, index: int) -> None:
    trials = main_trials(study, index)
    assert len({combination(study, trial) for trial in trials}) == len(trials)
    if len(trials) <= len(study.conditions):
        assert len({study.images[trial.images[0]].condition for trial in trials}) == len(trials)


@settings(max_examples=40)
@given(studies(kinds=("two-alternative",)), st.integers(1, 40))
def test_each_pair_has_either_image_on_the_left_equally_often(study: Study, participants: int) -> None:
    left = Counter[frozenset[str]]()
    for index in range(participants):
        for trial in main_trials(study, index):
            first, second = trial.images
            left[frozenset(trial.images)] += 1 if first < second else -1
    assert all(abs(difference) <= 1 for difference in left.values())


@settings(max_examples=40)
@given(studies(kinds=("real-or-fake",)), st.integers(0, 40))
def test_half_of_the_images_of_a_participant_are_real(study: Study, index: int) -> None:
    real = [study.images[trial.images[0]].method is None for trial in main_trials(study, index)]
    assert abs(2 * sum(real) - len(real)) <= 2


@settings(max_examples=40)
@given(studies(kinds=("ranking",)), st.integers(0, 40))
def test_every_method_is_at_every_place_about_equally_often(study: Study, index: int) -> None:
    trials = main_trials(study, index)
    places = Counter[object](
        (study.images[name].method, place) for trial in trials for place, name in enumerate(trial.images)
    )
    assert spread(places, len(study.methods) ** 2) <= 2


@settings(max_examples=60)
@given(studies(), st.integers(0, 20))
def test_repeats_come_half_a_session_later_with_sides_swapped(study: Study, index: int) -> None:
    trials = plan(study, index)
    assert [trial.number for trial in trials] == list(range(len(trials)))
    roles = Counter(trial.role for trial in trials)
    assert (roles["main"], roles["repeat"], roles["attention"]) == (
        study.per_participant,
        study.repeats,
        study.attention,
    )
    for trial in trials:
        assert (trial.role == "repeat") == (trial.repeats is not None)
        if trial.repeats is not None:
            before = trials[trial.repeats]
            assert before.role == "main"
            assert (trial.images, trial.exposure) == (before.images[::-1], before.exposure)
            assert sum(one.role == "main" for one in trials[trial.repeats : trial.number]) >= study.per_participant // 2


@settings(max_examples=40, suppress_health_check=[HealthCheck.filter_too_much])
@given(studies(), st.integers(0, 20))
def test_attention_checks_are_spread_and_never_first(study: Study, index: int) -> None:
    assume(study.attention)
    assume(study.per_participant >= 4 * study.attention)
    trials = plan(study, index)
    at = [trial.number for trial in trials if trial.role == "attention"]
    assert at[0] > 0
    assert len({study.destroyed[name] for n in at for name in trials[n].images if name in study.destroyed}) == len(at)
    assert all(sum(name in study.destroyed for name in trials[n].images) == 1 for n in at)


@settings(max_examples=20)
@given(studies(), st.integers(0, 20))
def test_the_order_follows_from_study_and_participant(study: Study, index: int) -> None:
    assert plan(study, index) == plan(Study.model_validate_json(study.model_dump_json()), index)


def test_another_seed_or_participant_has_another_order() -> None:
    study = study_of("two-alternative", conditions=20)
    plans = [plan(study, 0), plan(study, 1), plan(study.model_copy(update={"seed": 1}), 0)]
    assert len({tuple(trial.images for trial in one) for one in plans}) == 3
