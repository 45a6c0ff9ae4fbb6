"""A run goes on as what it was: with its plan, its options and all that was to be kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helpers.runs import saved_steps, settings, start
from helpers.tiny import ids, labelled, photo, save
from variegate import train
from variegate.core.errors import ConfigError, DataError, Interrupted
from variegate.data import open_data
from variegate.data.dataset.opening import DataConfig
from variegate.demos import streets
from variegate.methods import method as method_of
from variegate.runs.config import run_config
from variegate.runs.folder import RunFolder
from variegate.runs.saved_model import read_record
from variegate.training import minutes
from variegate.training.state import State

TIGHT: dict[str, Any] = {"data": "streets:20", "size": 32, "quiet": True}


def test_every_nth_step_is_saved_whatever_the_interval(tmp_path: Path) -> None:
    start(settings("pix2pix", 7, save_every=5, keep_every=3), tmp_path / "run")
    assert saved_steps(tmp_path / "run") == [3, 6, 7]


def test_hidden_files_beside_a_model_do_not_stop_training(tmp_path: Path) -> None:
    start(settings("pix2pix", 2), tmp_path / "run")
    (tmp_path / "run" / "model" / ".DS_Store").write_text("")
    (tmp_path / "run" / "checkpoints" / "step-00000002-backup").mkdir()
    start(settings("pix2pix", 3), tmp_path / "run", resume=True)
    assert read_record(tmp_path / "run" / "model").step == 3


def test_fewer_steps_than_there_are_are_refused(tmp_path: Path) -> None:
    start(settings("pix2pix", 3), tmp_path / "run")
    with pytest.raises(ConfigError, match="has 3 steps already, which --steps 2 cannot undo; give more, in all"):
        start(settings("pix2pix", 2), tmp_path / "run", resume=True)
    assert RunFolder(tmp_path / "run").config.method.training.steps == 3


def test_a_run_from_before_instance_maps_goes_on_without_them(tmp_path: Path) -> None:
    for i in range(4):
        save(tmp_path / "city" / "leftImg8bit" / "train" / "a" / f"{i}_leftImg8bit.png", photo(32, 32))
        save(
            tmp_path / "city" / "gtFine" / "train" / "a" / f"{i}_gtFine_labelTrainIds.png",
            ids(0, 10, height=32, width=32),
        )
    start(settings("pix2pix", 2, data=str(tmp_path / "city")), tmp_path / "run")
    for i in range(4):
        save(
            tmp_path / "city" / "gtFine" / "train" / "a" / f"{i}_gtFine_instanceIds.png",
            ids(7, 23, height=32, width=32),
        )
    assert open_data(tmp_path / "city").condition.channels == 21
    start(settings("pix2pix", 3, data=str(tmp_path / "city")), tmp_path / "run", resume=True)
    record = read_record(tmp_path / "run" / "model")
    assert (record.step, record.condition_channels) == (3, 20)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_image_is_one_sentence_also_from_a_worker(tmp_path: Path, workers: int) -> None:
    for file in sorted(labelled(tmp_path / "data", maps=4).glob("train/*.jpg")):
        file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError) as told:
        start(settings("pix2pix", 2, data=str(tmp_path / "data"), workers=workers), tmp_path / "run")
    assert "Traceback" not in str(told.value)
    assert ".jpg" in str(told.value)


@pytest.fixture
def paced(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The seconds of a step of any network, to be changed."""
    pace = {"seconds": 1.0}
    monkeypatch.setattr(minutes, "time_steps", lambda *_: pace["seconds"])
    monkeypatch.setattr(minutes, "time_look", lambda *_: 0.01)
    return pace


def test_a_plan_is_kept_though_the_machine_is_busier_now(tmp_path: Path, paced: dict[str, float]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(State, "set_up", stopped)
        with pytest.raises(Interrupted):
            train("flow-student", out=tmp_path / "run", minutes=1, **TIGHT)
    planned = RunFolder(tmp_path / "run").config
    paced["seconds"] = 3.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(State, "set_up", stopped)
        with pytest.raises(Interrupted):
            train("flow-student", out=tmp_path / "run", minutes=1, resume=True, **TIGHT)
    assert RunFolder(tmp_path / "run").config.method == planned.method


def stopped(*_: Any) -> None:
    raise Interrupted("stopped", 15)


def test_a_resumed_plan_refuses_what_it_was_not_made_for(tmp_path: Path, paced: dict[str, float]) -> None:
    paced["seconds"] = 2.5
    given = {"generator.width": 4, "objective.layers": 2, "batch_size": 2}
    train("pix2pix", out=tmp_path / "run", minutes=1, **TIGHT, **given)
    assert read_record(tmp_path / "run" / "model").step < 25
    for method, more, named in (
        ("pix2pix", {"seed": 3}, "run.seed"),
        ("pix2pix", {"objective.reconstruction": 5}, "method.objective.reconstruction"),
        ("bicyclegan", {}, "method"),
        ("pix2pix", {"data": "streets:30"}, "data"),
    ):
        with pytest.raises(ConfigError, match=f"was trained with a different .*{named}"):
            train(method, out=tmp_path / "run", minutes=1, resume=True, **{**TIGHT, **given, **more})
    train("pix2pix", out=tmp_path / "run", minutes=9, resume=True, **TIGHT, **given)
    with pytest.raises(ConfigError, match=r"was trained with a different .*method"):
        train("crn", out=tmp_path / "run", minutes=1, resume=True, perceptual="laplacian", **TIGHT)


def test_a_method_built_in_python_goes_on_too(tmp_path: Path, paced: dict[str, float]) -> None:
    paced["seconds"] = 2.5
    built = method_of("pix2pix", {"width": 4, "objective.layers": 2, "batch_size": 2})
    for resume in (False, True):
        train(built, out=tmp_path / "run", minutes=1, resume=resume, **TIGHT)
    assert RunFolder(tmp_path / "run").config.method.generator == built.generator


def test_training_from_a_run_has_its_network_and_all_of_the_time(tmp_path: Path, paced: dict[str, float]) -> None:
    start(settings("pix2pix", 1), tmp_path / "first")
    chosen = minutes.plan(1, "pix2pix", "streets:20", {"size": 32, "initial": tmp_path / "first"}).config
    assert chosen.method.generator == RunFolder(tmp_path / "first").config.method.generator
    alone, begun = (
        minutes.plan(9, "pix2pixhd", "streets:20", {"size": 64, "fine": True, **more}).steps
        for more in ({}, {"initial": tmp_path / "first"})
    )
    assert begun > 1.5 * alone


def test_processes_of_slurm_do_not_plan_each_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "2")
    with pytest.raises(ConfigError, match="times a single process"):
        minutes.plan(1, "pix2pix", "streets:20", {})


def test_a_demo_of_another_seed_or_a_quick_one_is_trained_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def fake(name: str, data: str, out: Path, **options: Any) -> None:
        seen.append((out.exists() and (out / "old").exists(), options["seed"]))
        out.mkdir(exist_ok=True)
        (out / "old").write_text("")

    monkeypatch.setattr(streets, "train", fake)
    for seed, quick, calls in ((0, True, 1), (0, True, 0), (0, False, 1), (1, False, 1), (1, False, 0)):
        seen.clear()
        streets.train_one("pix2pix", tmp_path / "pix2pix", seed, quick)
        assert seen == [(False, seed)] * calls
    timing = tmp_path / "pix2pix" / "seconds.json"
    timing.write_text(json.dumps(json.loads(timing.read_text()) | {"seconds": None}))
    streets.train_one("pix2pix", tmp_path / "pix2pix", 1, False)
    assert seen == [(True, 1)], "an interrupted one goes on"


def test_data_settings_leave_the_condition_to_the_method() -> None:
    assert str(run_config("srgan", DataConfig(path="streets:20")).data.condition) == "superres:4"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 2, "training.steps": 3}, "--steps 2 and --training.steps 3 differ"),
        ({"learning_rate.generator": -1}, "greater than or equal to 0"),
        ({"betas": [0.5, 1.5]}, "less than 1"),
        ({"jitter": float("inf")}, "less than or equal to 16"),
    ],
)
def test_settings_that_cannot_work_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        run_config("pix2pix", "streets:20", **options)


@pytest.mark.parametrize(
    ("held", "words"), [("*", "holds the whole generator"), ("nosuch*", "'nosuch[*]' matches nothing")]
)
def test_parameters_that_are_held_are_some(tmp_path: Path, held: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        start(settings("pix2pix", 2, {"hold.parameters": [held], "hold.until": 0.5}), tmp_path / "run")
