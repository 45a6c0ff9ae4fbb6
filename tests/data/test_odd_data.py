"""Random data sets as people have them: the check says the truth about each, or asks; it never claims what is wrong."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from helpers.odd_data import LAYOUTS, SIDE, OddSet, odd_sets, write
from variegate.data.checks.check import check
from variegate.data.checks.report import Report

ASKS = ("may be pairs or classes", "these look unpaired", "--white-level", "occur only in isolated pixels")
RELAXED = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


def held_out(counts: dict[str, int]) -> dict[str, int]:
    if len(counts) > 1:
        return counts
    held = max(1, counts["train"] // 10)
    return {"train": counts["train"] - held, "val": held}


def says_the_truth(odd: OddSet, report: Report, damaged: Path | None) -> None:
    text = report.text()
    if odd.layout == "plain":
        assert "single images, but a pair also needs a condition" in text
        return
    if odd.layout == "classes":
        assert "3 class folders" in report.description, text
    elif odd.layout == "halves":
        assert "A|B side by side" in report.description, text
    else:
        assert "paired by name" in report.description, text
    if any(words in problem for problem in report.problems for words in ASKS):
        assert odd.depth == 12 or odd.maps in ("smoothed", "jpeg"), text
        return
    assert odd.depth != 12, text
    if odd.labelled:
        assert odd.maps not in ("smoothed", "jpeg"), text
        assert f"label maps with {odd.classes} classes" in report.condition, text
    elif odd.layout in ("low/high", "input/target"):
        assert f"{odd.layout.split('/')[0]}/" in report.description.partition("is the condition")[0], text
    elif odd.layout == "halves":
        assert "A is the condition" in report.description, text
    names_the_damage(odd, report, damaged)


def names_the_damage(odd: OddSet, report: Report, damaged: Path | None) -> None:
    text, counts = report.text(), held_out(odd.counts)
    pairs = odd.layout not in ("classes", "halves")
    if damaged is not None and odd.damage != "no partner":
        assert any(str(damaged) in problem for problem in report.problems), text
        return
    if odd.damage == "no partner" and odd.layout == "classes":  # it is one more image
        counts = report.splits
    elif odd.damage == "no partner":
        words = "no partner" if pairs else "twice as wide as high"
        assert any("lonely" in problem and words in problem for problem in report.problems), text
        counts = counts if pairs else report.splits
    elif odd.damage != "thumbnail":
        assert report.ok, text
    assert report.splits == counts, text
    assert report.size == (SIDE, SIDE), text
    expected = {"dead link": "does not exist", "checkpoints": "is hidden", "macosx": "is hidden", "litter": ".docx"}
    assert expected.get(odd.damage, "") in "\n".join(report.notes), text


def tried(odd: OddSet) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        damaged = write(odd, root)
        began = time.monotonic()
        report = check(root)
        assert time.monotonic() - began < 10
        says_the_truth(odd, report, damaged)


@settings(max_examples=200, **RELAXED)
@given(odd_sets())
def test_the_truth_or_a_question(odd: OddSet) -> None:
    tried(odd)


@pytest.mark.slow
@settings(max_examples=1000, **RELAXED)
@given(odd_sets())
def test_the_truth_or_a_question_a_thousand_times(odd: OddSet) -> None:
    tried(odd)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_recognised_without_damage(layout: str) -> None:
    tried(OddSet(layout, "valid", "words", "jpg", 8, "ids", "none", 6, 0))


@pytest.mark.parametrize("maps", ["ids", "void", "times 50", "mask", "palette", "colours", "smoothed", "jpeg"])
def test_label_maps_of_every_kind_are_understood_or_refused(maps: str) -> None:
    tried(OddSet("train/labels", "one", "counters", "png", 8, maps, "none", 6, 1))
