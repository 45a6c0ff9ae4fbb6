"""Participants of known behaviour, and what the report says of them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from study_helpers import FRAME, Judge, answer, study_in

from variegate.cli import main
from variegate.core.errors import DataError
from variegate.studio.study.answers import read_responses
from variegate.studio.study.report import report_study
from variegate.studio.study.schema import Choice, Study, Trial, read_study

pytestmark = pytest.mark.core


def sharp(study: Study) -> Judge:
    """Catches every fake of m0 and every destroyed image; takes those of m1 for real."""
    return lambda who, trial: (
        "real" if study.images[trial.images[0]].method in (None, "m1") and alive(study, trial) else "fake"
    )


def alive(study: Study, trial: Trial) -> bool:
    return not any(name in study.destroyed for name in trial.images)


def prefers(study: Study, worst: str, slip: float = 0.0) -> Judge:
    """Chooses the image of one method, and destroyed ones, as that with more artefacts; slips now and then."""
    rng = Random(0)

    def judge(who: int, trial: Trial) -> Choice:
        methods = [study.images[name].method for name in trial.images]
        place = methods.index(None) if None in methods else methods.index(worst) if worst in methods else 0
        return ("left", "right")[place if None in methods or rng.random() >= slip else 1 - place]

    return judge


def of_method(found: list[dict[str, Any]], name: str, exposure: float) -> dict[str, Any]:
    return next(one for one in found if (one["method"], one["exposure"]) == (name, exposure))


def test_realism_of_a_method_that_is_always_caught_is_zero(tmp_path: Path) -> None:
    folder = study_in(tmp_path, conditions=24, attention=2)
    answer(folder, read_study(folder), 6, sharp(read_study(folder)))
    found = report_study(folder)
    assert found["participants"] == {**found["participants"], "joined": 6, "started": 6, "finished": 6, "excluded": []}
    for exposure in (0.5, 1.0):
        caught = of_method(found["included"]["confusions"], "m0", exposure)
        assert (caught["fake_as_real"], caught["real_as_fake"]) == (0, 0)
        assert caught["realism"]["score"] == caught["realism"]["pooled"] == 0
        assert caught["judged_real"]["share"] == 0
        fooling = of_method(found["included"]["confusions"], "m1", exposure)
        assert fooling["realism"]["score"] == 2
        assert fooling["judged_real"]["share"] == 1
        assert fooling["fake_as_real"] + caught["fake_as_fake"] == caught["real_as_real"]
    assert found["included"]["consistency"]["share"] == 1
    assert found["included"] == found["everyone"]


def test_guesses_have_a_realism_near_one(tmp_path: Path) -> None:
    rng = Random(1)
    folder = study_in(tmp_path, methods=1, conditions=40, attention=0, repeats=0, exposures=(1.0,))
    answer(folder, read_study(folder), 40, lambda who, trial: rng.choice(("real", "fake")))
    [found] = report_study(folder)["included"]["confusions"]
    assert found["realism"]["pooled"] == pytest.approx(1, abs=0.1)
    low, high = found["realism"]["bootstrap"]
    assert low < found["realism"]["score"] < high
    assert found["realism"]["score"] == pytest.approx(1, abs=0.15)


def test_who_fails_attention_checks_is_excluded_by_the_rule(tmp_path: Path) -> None:
    folder = study_in(tmp_path, conditions=16)
    study = read_study(folder)
    honest = sharp(study)

    def judge(who: int, trial: Trial) -> Choice:
        return "real" if who == 1 else honest(who, trial)

    answer(folder, study, 3, judge)
    found = report_study(folder)
    assert found["participants"]["excluded"] == [{"participant": 1, "passed": 0, "checks": 4}]
    assert "75%" in found["participants"]["rule"]
    counts = [sum(one["fake_as_real"] for one in found[which]["confusions"]) for which in ("included", "everyone")]
    assert counts[0] < counts[1]
    page = (folder / "report.html").read_text()
    assert "With excluded participants" in page
    assert "0 of 4" in page


def test_one_failed_check_of_four_is_forgiven(tmp_path: Path) -> None:
    folder = study_in(tmp_path, conditions=16)
    study, seen = read_study(folder), 0

    def judge(who: int, trial: Trial) -> Choice:
        nonlocal seen
        seen += trial.role == "attention"
        return "real" if trial.role != "attention" or seen == 1 else "fake"

    answer(folder, study, 1, judge)
    assert read_responses(folder).excluded() == {}


@pytest.mark.parametrize("asks_for", ["artefacts", "quality"])
def test_shares_and_strengths_of_pairs(tmp_path: Path, asks_for: str) -> None:
    folder = study_in(tmp_path, "two-alternative", methods=3, conditions=20, repeats=0.2, asks_for=asks_for)
    study = read_study(folder)
    judge = prefers(study, "m2", slip=0.2)
    flipped = {"left": "right", "right": "left"}

    def by_quality(who: int, trial: Trial) -> Choice:
        choice = judge(who, trial)
        return choice if alive(study, trial) else flipped[str(choice)]  # type: ignore[return-value]

    answer(folder, study, 12, judge if asks_for == "artefacts" else by_quality)
    found = report_study(folder)
    assert found["participants"]["excluded"] == []
    result = found["included"]
    assert result["chosen"]["m2"]["share"] == pytest.approx(0.8, abs=0.1)
    assert result["chosen"]["m2"]["n"] == pytest.approx(12 * 40 * 2 / 3, abs=12)
    strengths = {name: one["value"] for name, one in result["strengths"].items()}
    assert strengths["m2"] == max(strengths.values())
    for one in result["strengths"].values():
        assert one["interval"][0] < one["value"] < one["interval"][1]
    of_two = next(one for one in result["pairs"] if (one["first"], one["second"]) == ("m0", "m2"))
    low, high = of_two["chosen"]["wilson"]
    assert low < of_two["chosen"]["share"] < high < 0.5
    assert of_two["chosen"]["std"] is not None


def test_always_left_is_a_position_effect_without_consistency(tmp_path: Path) -> None:
    folder = study_in(tmp_path, "two-alternative", conditions=20, attention=0, repeats=0.5)
    answer(folder, read_study(folder), 6, lambda who, trial: "left")
    result = report_study(folder)["included"]
    assert result["left"]["share"] == 1
    assert result["consistency"] == {**result["consistency"], "n": 60, "share": 0.0}
    assert result["chosen"]["m0"]["share"] == pytest.approx(0.5, abs=0.05)


def test_one_method_that_is_always_chosen_has_no_finite_strength(tmp_path: Path) -> None:
    folder = study_in(tmp_path, "two-alternative", conditions=10)
    answer(folder, read_study(folder), 3, prefers(read_study(folder), "m1"))
    found = report_study(folder)
    assert found["included"]["strengths"] is None
    assert found["included"]["chosen"]["m1"]["share"] == 1
    assert "no finite strengths" in (folder / "report.html").read_text()


def test_ranks_are_those_that_participants_gave(tmp_path: Path) -> None:
    folder = study_in(tmp_path, "ranking", methods=4, conditions=12, repeats=0.25)
    study, rng = read_study(folder), Random(2)

    def judge(who: int, trial: Trial) -> Choice:
        names = [study.images[name].method or "z" for name in trial.images]  # a destroyed image comes last
        order = sorted(range(4), key=lambda place: names[place])
        if trial.role == "main" and rng.random() < 0.2:  # now and then the two best change places
            order[0], order[1] = order[1], order[0]
        return tuple(order)

    answer(folder, study, 10, judge)
    found = report_study(folder)
    result = found["included"]
    assert found["participants"]["excluded"] == []
    assert result["ranks"]["m0"]["mean"] == pytest.approx(1.2, abs=0.1)
    assert result["ranks"]["m3"]["mean"] == 4
    assert sum(one["mean"] for one in result["ranks"].values()) == pytest.approx(10)
    assert sum(one["share"] for one in result["first_by_place"]) == pytest.approx(1)
    assert all(one["share"] == pytest.approx(0.25, abs=0.1) for one in result["first_by_place"])
    assert 0.9 < result["consistency"]["share"] < 1
    assert result["consistency"]["n"] == 10 * 3 * 6


def test_exposures_that_are_off_by_more_than_two_frames_are_flagged(tmp_path: Path) -> None:
    folder = study_in(tmp_path, conditions=8, repeats=0, attention=0, exposures=(0.5,))
    study = read_study(folder)
    for late in (0.0, 1.0, 2.5):
        answer(folder, study, 1, lambda who, trial: "real", late)
    found = report_study(folder, folder / "answers.csv")
    [timing] = found["exposures"]
    assert (timing["n"], timing["off"], timing["hidden"]) == (24, 8, 0)
    assert timing["median"] == pytest.approx(500 + FRAME)
    shown = [500.0] * 8 + [500 + FRAME] * 8 + [500 + 2.5 * FRAME] * 8
    assert [timing["low"], timing["high"]] == pytest.approx(np.quantile(shown, [0.05, 0.95]))
    rows = list(csv.DictReader((folder / "answers.csv").open()))
    assert sum(row["off"] == "True" for row in rows) == 8
    assert found["answers"] == len(rows) == 24  # flagged, and not left out


def test_the_table_holds_every_answer_and_no_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = study_in(tmp_path, conditions=8)
    study = read_study(folder)
    answer(folder, study, 2, sharp(study))
    main(["study", "report", str(folder), "--csv", str(tmp_path / "out" / "answers.csv"), "--json"])
    content = json.loads(capsys.readouterr().out)
    text = (tmp_path / "out" / "answers.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == content["answers"] == 2 * (8 + 1 + 4)
    assert {row["shown"] for row in rows} == {"real", "m0", "m1", "destroyed"}
    assert {row["passed"] for row in rows if row["role"] == "attention"} == {"True"}
    identities = [one.id for one in read_store(folder)]
    assert not any(identity in text + json.dumps(content) for identity in identities)
    assert json.loads((folder / "results.json").read_text()) == content


def read_store(folder: Path) -> list[Any]:
    from variegate.studio.study.schema import ANSWERS
    from variegate.studio.study.store import Store

    with Store(folder / ANSWERS) as store:
        return store.participants()


@pytest.mark.parametrize("kind", ["real-or-fake", "two-alternative", "ranking"])
def test_a_study_without_answers_has_a_report(tmp_path: Path, kind: Any) -> None:
    folder = study_in(tmp_path, kind, methods=3)
    found = report_study(folder)
    assert found["answers"] == 0
    assert found["exposures"] == []
    page = (folder / "report.html").read_text()
    assert "default-src 'none'" in page
    assert "nan" not in page.lower().split("<body>")[1]


def test_answers_of_another_study_are_refused(tmp_path: Path) -> None:
    one, other = (study_in(tmp_path / name, seed=seed) for seed, name in enumerate(("one", "other")))
    answer(one, read_study(one), 1, lambda who, trial: "real")
    (other / "answers.sqlite").write_bytes((one / "answers.sqlite").read_bytes())
    with pytest.raises(DataError, match="do not belong to this study"):
        report_study(other)
