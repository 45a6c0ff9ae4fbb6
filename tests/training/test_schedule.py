"""Learning rates over a training, and its length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from helpers.runs import OPTIONS
from variegate import train
from variegate.cli.dispatch import dispatch
from variegate.core.config import Training
from variegate.core.errors import ConfigError
from variegate.core.interfaces import Shapes
from variegate.methods import method
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


def test_a_second_phase_begins_with_a_pool(tmp_path: Path) -> None:
    chosen = method("cimle", {**OPTIONS["cimle"], "inner_steps": 8, "updates_per_step": 2, "restart.at": 0.3})
    training = chosen.training.model_copy(update={"steps": 10})
    share = chosen.objective.steps_per_batch()
    assert training.restart.step(10) == 3
    assert training.restart.step(10, share) == share == 4
    assert [training.rate_factor(step, share) for step in (3, 4)] == [1.0, pytest.approx(0.1)]


def test_epochs_leave_what_is_said_about_the_training_before(tmp_path: Path) -> None:
    small = {"scale": 0.25, "batch_size": 8, "inner_steps": 1, "inner_batch": 1, "quiet": True, "size": (16, 16)}
    run = train("flow-student", "streets:20", tmp_path / "run", epochs=1, **small, **{"previous.training.steps": 2})
    assert RunFolder(run).config.method.training.steps == 2
    assert RunFolder(run / "previous").config.method.training.steps == 2


def test_epochs_can_be_typed(tmp_path: Path) -> None:
    """The command line passes on all of its options, also --steps, which is then None."""
    small = [
        "--width",
        "4",
        "--objective.layers",
        "1",
        "--batch-size",
        "4",
        "--size",
        "32",
        "--device",
        "cpu",
        "--quiet",
    ]
    dispatch(["train", "pix2pix", "--data", "streets:20", "--epochs", "1", "--out", str(tmp_path / "run"), *small])
    assert RunFolder(tmp_path / "run").checkpoints.steps()[-1] == 5
    with pytest.raises(ConfigError, match="--epochs, --steps and --minutes"):
        dispatch(["train", "pix2pix", "--data", "streets:20", "--epochs", "1", "--steps", "2", *small])


def test_epochs_that_say_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--epochs, --steps and --minutes"):
        train("pix2pix", "streets:20", tmp_path / "run", epochs=2, steps=5)
    with pytest.raises(ConfigError, match="--epochs must be above 0, got -1"):
        train("pix2pix", "streets:20", tmp_path / "run", epochs=-1)


def test_parts_of_the_generator_may_learn_at_a_rate_of_their_own(tmp_path: Path) -> None:
    options = {"width": 4, "blocks": 1, "objective.layers": 1, "batch_size": 2, "quiet": True, "randomness.depth": 2}

    def trained(name: str, factors: dict[str, float]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        given = {**options, "training.rate_factors": factors} if factors else options
        run = train("basisgan", "streets:20", tmp_path / name, size=(16, 16), steps=2, **given)
        state = torch.load(run / "checkpoints/step-00000002/state.pt", weights_only=True)
        return state["generator"], state["optimizer/generator"]

    (plain, _), (slow, optimizer) = trained("plain", {}), trained("slow", {"*basis_generator*": 1e-6})
    assert [group["factor"] for group in optimizer["param_groups"]] == [1.0, 1e-6]
    ours = [name for name in plain if "basis_generator" in name and name.endswith("weight")]
    torch.manual_seed(0)  # as a run of seed 0 begins
    first = RunFolder(tmp_path / "slow").config.method.build_generator(Shapes(8, 3, (16, 16))).state_dict()
    assert len(ours) == 3, "two hidden layers and the last"
    for name in ours:
        assert torch.allclose(slow[name], first[name], atol=1e-7)
        assert not torch.allclose(plain[name], first[name], atol=1e-5)
    given = {**options, "training.rate_factors": {"*basis_generator*": 1e-6}}
    train("basisgan", "streets:20", tmp_path / "slow", size=(16, 16), steps=3, resume=True, **given)
    with pytest.raises(ConfigError, match="no part of the generator matches 'bases'; its parts have"):
        trained("wrong", {"bases": 0.1})
