"""Runs are compared on the same conditions and codes; what was measured otherwise is never in the same column."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

import variegate
from variegate.cli import main
from variegate.core.errors import CheckpointError, ConfigError, DataError
from variegate.evaluation.compare import compare, names_of
from variegate.evaluation.measuring.side_by_side import best_of, difference, side_by_side, versions_apart
from variegate.runs.measured import Measured, Protocol, Results

RECORD = Protocol(name="rmse", metric="error", libraries={}, value_range="[0, 1]", samples=5)


def values(*each: float, better: str = "lower", **changes: Any) -> Measured:
    protocol = RECORD.model_copy(update=changes)
    return Measured.mean(each, unit="0..255", better=better, protocol=protocol)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("compared")
    for name, options in (("flow", {"scale": 0.25}), ("pix2pix", {"width": 4})):
        variegate.train(name, "digits", root / name, size=32, steps=2, save_every=1, quiet=True, **options)
    return root / "flow", root / "pix2pix"


@pytest.fixture(scope="module")
def made(runs: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    main(["compare", *map(str, runs), "--protocol", "quick", "--no-perceptual", "--out", str(out)])
    return out


@pytest.mark.core
def test_a_difference_is_paired_and_says_whether_it_may_be_chance() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(50, 20, 60)  # conditions differ far more than models do
    one, two = hard + rng.normal(1, 1, 60), hard + rng.normal(0, 1, 60)
    for few in (2, 3, 10):  # resampling so few finds differences where there are none
        wrong = sum(not difference(*rng.normal(0, 1, (2, few))).chance for _ in range(200)) if few > 2 else 0
        assert wrong < 0.1 * 200
    found = difference(one, two)
    assert found.value == pytest.approx(float((one - two).mean()))
    assert not found.chance
    student = scipy.stats.ttest_rel(one, two).confidence_interval()
    assert (found.low, found.high) == pytest.approx((student.low, student.high), abs=0.1)
    assert difference(two, two + rng.normal(0, 1, 60)).chance
    assert difference(one, two) == found, "the same seed, the same interval"
    assert difference([1.0, 2.0], [1.0, 2.0]) == (0, 0, 0)


@pytest.mark.core
def test_values_are_in_one_column_only_if_they_were_measured_alike() -> None:
    drawn = values(3, 4, 5, drawn=("6 steps of heun",), details=("a file",), libraries={"torch": "2.8"})
    found = side_by_side({"a": Results({"x": values(1, 2, 3)}), "b": Results({"x": drawn})})
    assert list(found.columns) == ["x"], "how samples are drawn is the method's own matter"
    assert versions_apart(found.columns["x"]) == {"torch"}
    assert found.best == {"x": "a"}
    assert not found.differences["x"]["b"].chance
    for change, why in (
        ({"samples": 20}, "x: samples is 5 for a, but 20 for b"),
        ({"extractor": "inception"}, "x: extractor is None for a, but inception for b"),
        ({"notes": ("biased",)}, "x: of a, nothing such; of b, biased"),
        ({"size": (8, 8)}, "x: size is None for a, but 8; 8 for b"),
    ):
        other = Results({"x": values(3, 4, 5, **change)})
        found = side_by_side({"a": Results({"x": values(1, 2, 3)}), "b": other})
        assert not found.columns
        assert found.refused == {"x": why}


@pytest.mark.core
def test_the_best_value_is_in_the_direction_of_its_metric() -> None:
    assert best_of({"a": values(1, 2), "b": values(3, 4)}) == "a"
    assert best_of({"a": values(1, 2, better="higher"), "b": values(3, 4, better="higher")}) == "b"
    near = {name: values(x, x, better="nearer to 1") for name, x in (("a", 0.2), ("b", 1.1), ("c", 2.0))}
    assert best_of(near) == "b"
    assert best_of({"a": values(1, 2), "b": values(1, 2)}) is None


def test_every_file_says_the_same_of_the_same_conditions(made: Path) -> None:
    content = json.loads((made / "comparison.json").read_text())
    assert list(content["runs"]) == ["flow", "pix2pix"]
    assert not content["refused"]
    metrics = content["runs"]["flow"]["metrics"]
    assert {"rmse_best", "energy_score", "parameters", "seconds_per_image", "seconds_per_step"} <= set(metrics)
    lines = list(csv.DictReader(io.StringIO((made / "comparison.csv").read_text())))
    for line in lines:
        assert float(line["value"]) == content["runs"][line["run"]]["metrics"][line["metric"]]["value"]
    [gap] = [line for line in lines if line["metric"] == "rmse_best" and line["best"] == "False"]
    assert float(gap["from"]) <= float(gap["difference"]) <= float(gap["to"])
    table = (made / "comparison.tex").read_text()
    assert table.startswith(r"\begin{tabular}{lr")
    assert table.count(r"\\") == 3
    assert "seconds per image" in table


def test_the_page_has_the_samples_of_both_under_a_slider_and_nothing_from_elsewhere(made: Path) -> None:
    page = (made / "report.html").read_text()
    assert 'class="wipe"' in page
    assert 'class="steps"' in page
    assert page.count("data-step=") == 4, "two checkpoints of two runs"
    assert 'class="figures sortable"' in page
    assert "script-src 'sha256-" in page
    assert not re.search(r'(src|href|url\()=?"?http', page)


def test_numbers_of_other_programs_stand_beside_runs(runs: tuple[Path, Path], made: Path, tmp_path: Path) -> None:
    found = json.loads((made / "comparison.json").read_text())["runs"]["pix2pix"]
    (tmp_path / "theirs.json").write_text(json.dumps(found))
    found["protocol"]["crps"]["samples"] = 7
    (tmp_path / "more.json").write_text(json.dumps(found))
    files = [tmp_path / "theirs.json", tmp_path / "more.json"]
    content = compare([runs[0], *files], tmp_path / "out", protocol="quick", perceptual=False)
    assert content["runs"]["theirs"]["metrics"]["rmse_best"] == found["metrics"]["rmse_best"]
    assert "rmse_best" in content["best"]
    assert content["refused"] == {"crps": "crps: samples is 5 for flow, but 7 for more"}


def test_what_cannot_be_compared_is_one_sentence(runs: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="at least two runs"):
        compare([runs[0]], out)
    with pytest.raises(ConfigError, match="flow is given twice"):
        compare([runs[0], runs[0]], out)
    (tmp_path / "no.json").write_text("{}")
    (tmp_path / "broken.json").write_text("[1, 2")
    with pytest.raises(DataError, match="contains no metrics"):
        compare([tmp_path / "no.json", tmp_path / "broken.json"], out)
    with pytest.raises(DataError, match="no output of `variegate evaluate --json`"):
        compare([tmp_path / "broken.json", tmp_path / "no.json"], out)
    with pytest.raises(CheckpointError, match="is not a folder"):
        compare([runs[0], tmp_path / "absent"], out)
    other = tmp_path / "larger"
    variegate.train("pix2pix", "digits", other, size=48, steps=1, quiet=True, width=4)
    again = [tmp_path / where / "flow" / "run" for where in ("x", "y")]
    assert names_of([*again, runs[0]]) == ["x/flow/run", "y/flow/run", f"{runs[0].parts[-3]}/{runs[0].parts[-2]}/flow"]
    with pytest.raises(DataError, match="flow has images of 32x32, larger of 48x48"):
        compare([runs[0], other], out)
    variegate.train("pix2pix", "streets:40", tmp_path / "others", size=32, steps=1, quiet=True, width=4)
    with pytest.raises(DataError, match="flow and others have different conditions"):
        compare([runs[0], tmp_path / "others"], out)
