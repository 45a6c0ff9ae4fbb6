"""k steps, a stop, and m steps are k + m steps without a stop."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file

from helpers.runs import OPTIONS, PLAYERS, at_batch, logged, python, saved_steps, settings, start, state_of, unequal
from variegate.core.errors import CheckpointError, ConfigError, Interrupted
from variegate.runs.checkpoints import Checkpoints
from variegate.runs.settings import ExecutionSettings

STEPS = 6


@pytest.fixture(scope="module", params=list(OPTIONS))
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A run that was never stopped."""
    folder = tmp_path_factory.mktemp("whole") / request.param
    start(settings(request.param, STEPS, save_every=2), folder)
    return request.param, folder


def ask_to_stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.core
def test_a_run_stopped_by_sigterm_goes_on_as_if_it_had_not_been(
    whole: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, reference = whole
    folder = tmp_path / "run"
    at_batch(monkeypatch, 3, ask_to_stop)
    with pytest.raises(Interrupted):
        start(settings(name, STEPS, save_every=2), folder)
    monkeypatch.undo()
    assert saved_steps(folder)[-1] == 3, "the step that was running is finished and kept"
    assert (folder / "model" / "model.safetensors").is_file()
    start(settings(name, STEPS, save_every=2), folder, resume=True)
    assert unequal(state_of(folder, STEPS), state_of(reference, STEPS)) == []
    assert unequal(*(load_file(run / "model" / "model.safetensors") for run in (folder, reference))) == []
    assert logged(folder) == logged(reference), "nothing was measured where it stopped"
    assert [path.name for path in folder.glob("samples/*")] == [path.name for path in reference.glob("samples/*")]


@pytest.mark.parametrize(("where", "number", "last"), [("batch", "6", 4), ("checkpoint", "2", 2)])
def test_a_run_killed_by_sigkill_goes_on_as_if_it_had_not_been(
    whole: tuple[str, Path], tmp_path: Path, where: str, number: str, last: int
) -> None:
    """Between two checkpoints, or with one half written."""
    name, reference = whole
    if where == "checkpoint" and name not in ("pix2pix", "cimle"):
        pytest.skip("checkpoints are written alike for all adversarial methods")
    folder = tmp_path / "run"
    ended = python("killed.py", name, str(folder), str(STEPS), where, number)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert saved_steps(folder)[-1] == last
    start(settings(name, STEPS, save_every=2), folder, resume=True)
    assert unequal(state_of(folder, STEPS), state_of(reference, STEPS)) == []
    assert not list((folder / "checkpoints").glob(".*")), "nothing half written is left behind"
    assert [(line["step"], sorted(line)) for line in logged(folder)] == [
        (line["step"], sorted(line)) for line in logged(reference)
    ]
    assert logged(folder) == logged(reference)


@pytest.mark.core
def test_the_checkpoint_holds_weights_ema_objective_and_every_optimiser(whole: tuple[str, Path]) -> None:
    name, folder = whole
    state = state_of(folder, STEPS)
    expected = {"step", "generator", "ema", "objective", *(f"optimizer/{player}" for player in PLAYERS[name])}
    assert set(state) == expected
    moves = STEPS * 3 if name == "cimle" else STEPS
    taken = {int(entry["step"]) for entry in state["optimizer/generator"]["state"].values()}
    assert taken == {moves}
    assert unequal(state["generator"], state["ema"]) != []
    assert unequal(load_file(folder / "model" / "model.safetensors"), state["ema"]) == []


@pytest.mark.parametrize("at", [2, 4, 6])
def test_a_run_stopped_inside_a_pool_goes_on_with_its_winners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Pools of 5 updates in 3 steps, whose images are matched in the first."""
    run = settings("cimle", 7, {"inner_steps": 5, "updates_per_step": 2, "rematch": 0.9})
    start(run, tmp_path / "whole")
    at_batch(monkeypatch, at, ask_to_stop)
    with pytest.raises(Interrupted):
        start(run, tmp_path / "run")
    monkeypatch.undo()
    assert saved_steps(tmp_path / "run")[-1] == at
    assert len(state_of(tmp_path / "run", at)["objective"]["matches.winners"]) == (4 if at % 3 else 0)
    start(run, tmp_path / "run", resume=True)
    assert unequal(state_of(tmp_path / "run", 7), state_of(tmp_path / "whole", 7)) == []
    taken = state_of(tmp_path / "run", 7)["optimizer/generator"]["state"][0]["step"]
    assert int(taken) == 5 + 5 + 1


@pytest.mark.core
def test_a_resumed_run_has_no_step_twice_in_its_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers of steps after the last checkpoint, and a line cut short, are dropped before they come again."""
    folder = tmp_path / "run"
    at_batch(monkeypatch, 4, ask_to_stop)
    with pytest.raises(Interrupted):
        start(settings("pix2pix", STEPS, save_every=2), folder)
    monkeypatch.undo()
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "generator/l1": 0.0}\n{"step": 6, "genera')
    start(settings("pix2pix", STEPS, save_every=2), folder, resume=True)
    keys = [(line["step"], name) for line in logged(folder) for name in line if name != "step"]
    assert len(keys) == len(set(keys))
    assert [step for step, name in keys if name == "generator/l1"] == [1, 2, 3, 4, 5, 6]
    assert [step for step, name in keys if name == "val/best_of_8"] == [2, 4, 6]


@pytest.mark.core
def test_a_longer_run_goes_on_from_a_finished_one(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    start(settings("pix2pix", 2), folder)
    start(settings("pix2pix", 3), folder, resume=True)
    assert saved_steps(folder)[-1] == 3
    start(settings("pix2pix", 3), folder, resume=True)  # a finished run has nothing left to do
    assert "steps: 3" in (folder / "config.yaml").read_text()


@pytest.mark.core
def test_a_folder_that_holds_a_run_is_not_trained_over(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    start(settings("pix2pix", 1), folder)
    before = state_of(folder, 1)
    with pytest.raises(ConfigError, match=r"already contains a run; give --resume"):
        start(settings("pix2pix", 1), folder)
    assert unequal(state_of(folder, 1), before) == []


@pytest.mark.core
@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"options": {"objective.reconstruction": 3}}, "method.objective.reconstruction"),
        ({"options": {"generator.width": 6}}, "method.generator.width"),
        ({"data": "streets:30"}, "data"),
        ({"seed": 1}, "run.seed"),
    ],
)
def test_resuming_with_another_setting_is_refused_by_its_name(tmp_path: Path, changed: dict, named: str) -> None:
    folder = tmp_path / "run"
    start(settings("pix2pix", 1), folder)
    with pytest.raises(ConfigError, match=rf"trained with a different {named};"):
        start(settings("pix2pix", 1, **changed), folder, resume=True)


@pytest.mark.core
def test_a_run_of_a_version_that_lacked_a_setting_goes_on_with_its_default(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    start(settings("pix2pix", 1), folder)
    saved = yaml.safe_load((folder / "config.yaml").read_text())
    assert saved["method"]["training"].pop("weight_decay") == 0
    (folder / "config.yaml").write_text(yaml.safe_dump(saved))
    start(settings("pix2pix", 2), folder, resume=True)


@pytest.mark.core
def test_a_run_that_could_not_begin_leaves_its_folder_free(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(ConfigError, match="halvings do not fit"):
        start(settings("pix2pix", 1, {"noise": "none", "generator.depth": 7}), folder)
    start(settings("pix2pix", 1), folder)


@pytest.mark.core
def test_how_a_run_is_carried_out_may_change_when_it_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    start(settings("pix2pix", 2, save_every=1), folder)
    start(settings("pix2pix", 3, save_every=2, log_every=3, keep_every=1), folder, resume=True)
    assert saved_steps(folder)[-1] == 3


@pytest.mark.core
def test_a_damaged_checkpoint_is_named_and_without_it_training_goes_on_from_the_one_before(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    start(settings("pix2pix", 4, save_every=1, keep_every=1), folder)
    whole = state_of(folder, 4)
    damaged = folder / "checkpoints" / "step-00000004"
    content = (damaged / "state.pt").read_bytes()
    (damaged / "state.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"remove .*step-00000004 and resume again to continue from step 3"):
        start(settings("pix2pix", 4, save_every=1, keep_every=1), folder, resume=True)
    for file in damaged.iterdir():
        file.unlink()
    damaged.rmdir()
    start(settings("pix2pix", 4, save_every=1, keep_every=1), folder, resume=True)
    assert unequal(state_of(folder, 4), whole) == []


@pytest.mark.core
def test_the_last_the_best_and_every_n_th_checkpoint_are_kept(tmp_path: Path) -> None:
    scores = {1: 0.5, 2: 0.2, 3: 0.4, 4: None, 5: 0.3, 6: 0.9, 7: 0.8}
    kept = {0: [2, 7], 3: [2, 3, 6, 7]}
    for keep_every, steps in kept.items():
        intervals = ExecutionSettings(keep_every=keep_every).intervals(7)
        checkpoints = Checkpoints(tmp_path / str(keep_every), intervals.keeps)
        for step, score in scores.items():
            checkpoints.save(step, {"step": step}, score)
        assert checkpoints.steps() == steps
        assert checkpoints.best() == 2
        assert checkpoints.load_last() == {"step": 7}


def test_what_a_kill_right_after_saving_left_is_removed_by_resuming(tmp_path: Path) -> None:
    start(settings("pix2pix", 2, save_every=1), tmp_path)
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    kept, best = checkpoints.steps(), checkpoints.best()
    shutil.copytree(checkpoints.path(2), checkpoints.path(0))
    shutil.copytree(tmp_path / "model", tmp_path / ".model.old")
    start(settings("pix2pix", 2, save_every=1), tmp_path, resume=True)
    assert checkpoints.steps() == kept
    assert checkpoints.best() == best
    assert not list(tmp_path.glob(".model*"))


@pytest.mark.core
def test_without_checkpoints_there_is_nothing_to_load(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "none").load_last() is None


@pytest.mark.core
def test_data_order_and_codes_do_not_depend_on_the_processes_that_read_images(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    start(settings("pix2pix", 3), one)
    start(settings("pix2pix", 3, workers=2), two)
    assert unequal(state_of(one, 3), state_of(two, 3)) == []
