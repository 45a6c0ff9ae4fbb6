"""Two-phase training: what begins again, when, and that a stop at the restart changes nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from helpers.runs import at_batch, saved_steps, settings, start, state_of, unequal
from variegate.core.config import Restart, Schedule, Training
from variegate.core.errors import ConfigError, Interrupted
from variegate.methods import method
from variegate.randomness.noise_input import NoiseEncoder

pytestmark = pytest.mark.core

STEPS, AT = 4, 2  # of 4 steps the third is the first of the second phase
HALF = {"restart.at": 0.5}
ENCODER = "randomness.encoder."


def finished(folder: Path, options: dict[str, Any] | None = None, steps: int = STEPS, **run: int) -> Path:
    start(settings("cimle", steps, HALF if options is None else options, save_every=1, keep_every=1, **run), folder)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished(tmp_path_factory.mktemp("whole") / "run")


def test_conditional_imle_restarts_after_six_of_sixteen_epochs_as_released() -> None:
    training, steps = method("cimle").training, method("cimle").objective.steps_per_batch()
    assert training.restart == Restart(at=6 / 16, modules=("randomness.encoder",), factor=0.1)
    rates = [training.learning_rate["generator"] * training.rate_factor(step) for step in range(16 * steps)]
    assert rates == pytest.approx([1e-4] * 6 * steps + [1e-5] * 10 * steps)
    assert method("cimle", {"restart.at": 0}).training.restart.step(16) is None
    assert method("pix2pix").training.restart.step(1000) is None


def test_the_second_phase_begins_at_the_first_step_of_its_share_and_keeps_the_schedule() -> None:
    assert [Restart(at=0.3).step(steps) for steps in (1, 3, 10, 1000)] == [1, 1, 3, 300]
    training = Training(steps=10, schedule=Schedule(kind="linear", start=0.5), restart=Restart(at=0.3, factor=0.5))
    assert [training.rate_factor(step) for step in (2, 3, 4, 6)] == pytest.approx([1, 0.5, 0.5, 0.4])


def test_until_the_restart_it_is_the_run_without_one(whole: Path, tmp_path: Path) -> None:
    plain = finished(tmp_path / "plain", {})
    assert unequal(state_of(whole, AT), state_of(plain, AT)) == []
    assert unequal(state_of(whole, AT + 1)["generator"], state_of(plain, AT + 1)["generator"]) != []


def test_at_the_restart_the_encoder_is_new_in_network_and_ema_and_the_rest_goes_on(tmp_path: Path) -> None:
    """With a factor of almost nothing, what the restart does by itself is seen."""
    folder = finished(tmp_path / "run", {**HALF, "restart.factor": 1e-12, "ema_decay": 0})
    before, after = state_of(folder, AT), state_of(folder, AT + 1)
    new = {key for key, value in after["generator"].items() if not torch.allclose(value, before["generator"][key])}
    assert new
    assert all(key.startswith(ENCODER) for key in new)
    assert {key for key in new if key.endswith("weight")} >= {f"{ENCODER}{i}.weight" for i in (0, 3, 6)}
    for i in (1, 4):
        assert torch.allclose(after["generator"][f"{ENCODER}{i}.weight"], torch.ones(4))
    torch.testing.assert_close(after["ema"], after["generator"])


def test_the_ema_takes_the_new_encoder_at_once_and_keeps_its_other_weights(tmp_path: Path) -> None:
    folder = finished(tmp_path / "run", {**HALF, "restart.factor": 1e-12, "ema_decay": 0.999})
    state = state_of(folder, AT + 1)
    for key, value in state["generator"].items():
        if key.startswith(ENCODER):
            torch.testing.assert_close(state["ema"][key], value)
    assert unequal(state["ema"], state["generator"]) != []


def test_optimisers_forget_and_learn_slower(whole: Path) -> None:
    moves = 3  # a step
    taken = [
        {int(entry["step"]) for entry in state_of(whole, step)["optimizer/generator"]["state"].values()}
        for step in range(1, STEPS + 1)
    ]
    assert taken == [{moves}, {2 * moves}, {moves}, {2 * moves}]
    rates = [state_of(whole, step)["optimizer/generator"]["param_groups"][0]["lr"] for step in range(1, STEPS + 1)]
    assert rates == pytest.approx([1e-4, 1e-4, 1e-5, 1e-5])


@pytest.mark.parametrize("batch", [AT - 1, AT, AT + 1])
def test_a_run_stopped_around_the_restart_goes_on_as_if_it_had_not_been(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """With the second batch the stop comes just before the restart, with the third just after it."""
    folder, config = tmp_path / "run", settings("cimle", STEPS, HALF, save_every=1, keep_every=1)
    at_batch(monkeypatch, batch, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted):
        start(config, folder)
    monkeypatch.undo()
    assert saved_steps(folder)[-1] == batch
    torch.manual_seed(12345)  # a fresh process has another global state
    start(config, folder, resume=True)
    for step in range(1, STEPS + 1):
        assert unequal(state_of(folder, step), state_of(whole, step)) == []


def test_a_crash_in_the_first_step_after_the_restart_repeats_it(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the restart had done is lost with the step, and done again from the checkpoint before it."""
    folder, config = tmp_path / "run", settings("cimle", STEPS, HALF, save_every=1, keep_every=1)
    original = nn.Module.load_state_dict

    def crash(self: nn.Module, *args: object, **kwargs: object) -> object:
        result = original(self, *args, **kwargs)  # type: ignore[arg-type]
        if isinstance(self, NoiseEncoder):
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(nn.Module, "load_state_dict", crash)
    with pytest.raises(KeyboardInterrupt):
        start(config, folder)
    monkeypatch.undo()
    assert saved_steps(folder)[-1] == AT
    start(config, folder, resume=True)
    assert unequal(state_of(folder, STEPS), state_of(whole, STEPS)) == []


def test_new_values_depend_on_the_seed_of_the_run(whole: Path, tmp_path: Path) -> None:
    other = finished(tmp_path / "other", seed=1)
    key = f"{ENCODER}0.weight"
    assert not torch.equal(state_of(other, STEPS)["generator"][key], state_of(whole, STEPS)["generator"][key])


def test_new_values_are_not_the_first_ones_again(tmp_path: Path) -> None:
    folder = finished(tmp_path / "run", {**HALF, "learning_rate.generator": 0.0})
    states = [state_of(folder, step)["generator"][f"{ENCODER}0.weight"] for step in (1, AT + 1)]
    assert not torch.allclose(states[0], states[1], atol=1e-2)
    assert float(states[1].std()) == pytest.approx(0.15 * 0.88, rel=0.2)


def test_without_a_noise_encoder_there_is_nothing_to_renew_and_the_rate_still_falls(tmp_path: Path) -> None:
    folder = finished(tmp_path / "run", {**HALF, "encoder": False, "vector": 3})
    assert state_of(folder, STEPS)["optimizer/generator"]["param_groups"][0]["lr"] == pytest.approx(1e-5)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("randomness.encodr", r"this generator has no part 'randomness.encodr'; name another"),
        ("stages.level1", r"stages.level1 cannot be re-initialised"),
    ],
)
def test_a_part_that_cannot_begin_again_is_refused_before_training(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        finished(tmp_path / "run", {**HALF, "restart.modules": [name]})
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_run_with_a_second_phase_cannot_be_made_longer(tmp_path: Path) -> None:
    folder = finished(tmp_path / "run")
    with pytest.raises(ConfigError, match="the second phase begins at 50% of the steps"):
        start(settings("cimle", STEPS + 2, HALF, save_every=1), folder, True)
    assert saved_steps(folder)[-1] == STEPS
