"""Learning rates over a training, and its length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helpers.runs import OPTIONS
from variegate import train
from variegate.core.config import Training
from variegate.core.errors import ConfigError
from variegate.runs.folder import RunFolder

pytestmark = pytest.mark.core


def test_a_rate_rises_over_the_warm_up_and_then_follows_its_kind() -> None:
    training = Training(steps=20, schedule={"kind": "linear", "start": 0.5, "warmup_steps": 4})
    factors = [training.rate_factor(step) for step in range(20)]
    assert factors[:4] == pytest.approx([0.25, 0.5, 0.75, 1])
    assert factors[4:10] == [1.0] * 6
    assert factors[15] == pytest.approx(0.5)
    assert Training(steps=20).rate_factor(0) == 1


@pytest.mark.parametrize(
    ("name", "options", "steps"),
    [
        ("pix2pix", {"epochs": 3, "batch_size": 4, "width": 4, "objective.layers": 1}, 15),
        ("pix2pix", {"epochs": 0.5, "batch_size": 4, "width": 4, "objective.layers": 1}, 2),
        ("cimle", {**OPTIONS["cimle"], "epochs": 1, "batch_size": 10, "inner_steps": 6, "updates_per_step": 2}, 6),
    ],
)
def test_epochs_are_visits_of_every_pair(name: str, options: dict[str, Any], steps: int, tmp_path: Path) -> None:
    run = train(name, "streets:20", tmp_path / "run", size=(32, 32), quiet=True, **options)
    assert RunFolder(run).config.method.training.steps == steps
    assert RunFolder(run).checkpoints.steps()[-1] == steps


def test_epochs_that_say_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--epochs, --steps and --minutes"):
        train("pix2pix", "streets:20", tmp_path / "run", epochs=2, steps=5)
    with pytest.raises(ConfigError, match="--epochs must be above 0, got -1"):
        train("pix2pix", "streets:20", tmp_path / "run", epochs=-1)
