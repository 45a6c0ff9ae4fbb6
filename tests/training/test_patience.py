"""Training ends when its validation score has not improved for long enough, also when it is resumed."""

from __future__ import annotations

from pathlib import Path

import pytest

import variegate
from variegate.core.errors import ConfigError
from variegate.evaluation.doctor.diagnosis import diagnose
from variegate.runs.folder import RunFolder
from variegate.runs.settings import ExecutionSettings

pytestmark = pytest.mark.core

SMALL = {"width": 4, "objective.layers": 1, "batch_size": 2, "keep": "best"}
RUN = ExecutionSettings(quiet=True, save_every=2)


def train(out: Path, **more: object) -> Path:
    return variegate.train("pix2pix", "streets:20", out, size=32, steps=20, run=RUN, **{**SMALL, **more})


def test_training_ends_where_nothing_is_learned_any_more(tmp_path: Path) -> None:
    still = {"learning_rate.generator": 0.0}
    run = train(tmp_path / "run", patience=3, **still)
    assert RunFolder(run).checkpoints.steps() == [2, 8], "the best one, and three looks later the last one"
    assert variegate.load(run).record.step == 2
    assert any(
        "ended at step 8: the validation score had not improved for 6 steps" in line for line in diagnose(run)[1]
    )
    train(run, patience=3, resume=True, **still)
    assert RunFolder(run).checkpoints.steps() == [2, 8], "it had ended"
    assert RunFolder(train(tmp_path / "patient", **still)).checkpoints.steps() == [2, 20]


def test_a_score_that_improves_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([5.0, 6.0, 4.0, 4.5, 4.5, 4.5, 4.5])
    monkeypatch.setattr("variegate.training.panel.best_of_n", lambda *_: next(scores))
    run = train(tmp_path / "run", patience=2)
    assert RunFolder(run).checkpoints.steps() == [6, 10]


def test_patience_needs_the_best_step(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"training.patience waits for a better validation score.* training.keep best"
    ):
        train(tmp_path / "run", patience=2, keep="last")
