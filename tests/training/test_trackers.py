"""A run shows its numbers where it is told to, goes on there after a stop, and trains on when that fails."""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.runs import at_batch, logged, settings, start
from variegate.core.errors import ConfigError, Interrupted
from variegate.runs import trackers
from variegate.runs.logs import Log
from variegate.runs.trackers import check_tracker, open_tracker

CONFIG = settings("pix2pix", 4, save_every=2)
GREY = torch.full((3, 4, 6), 128, dtype=torch.uint8)


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No account and no network: whatever a tracker knows of the user is hidden."""
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_PROJECT", "TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "home" / "netrc"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def resumed(folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Train 4 steps, stopped and resumed after the third."""
    with monkeypatch.context() as patched:
        at_batch(patched, 3, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(Interrupted):
            start(settings("pix2pix", 4, save_every=2, tracker=kind), folder)
    start(settings("pix2pix", 4, save_every=2, tracker=kind), folder, resume=True)


def test_trackio_gets_the_numbers_of_metrics_jsonl_in_one_run_that_a_resumed_training_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # which it reads when it is imported
    utils = pytest.importorskip("trackio.utils")
    folder = tmp_path / "run"
    resumed(folder, monkeypatch, "trackio")
    with sqlite3.connect(utils.TRACKIO_DIR / "variegate.db") as connection:
        rows = connection.execute("SELECT run_name, step, metrics FROM metrics ORDER BY id").fetchall()
        [config] = connection.execute("SELECT config FROM configs LIMIT 1").fetchone()
    name = f"run-{json.loads((folder / 'tracker.json').read_text())['trackio']}"
    assert {row[0] for row in rows} == {name}, "one run, before and after the stop"
    shown = {(step, key): value for _, step, text in rows for key, value in json.loads(text).items()}
    for line in logged(folder):
        for key, value in line.items():
            if key != "step":
                assert shown[line["step"], key] == pytest.approx(value, abs=1e-6)
    assert sum("samples" in json.loads(text) for _, _, text in rows) == 2, "at steps 2 and 4"
    assert json.loads(config)["method"]["name"] == "pix2pix"
    assert not list(folder.glob("events*")), "TensorBoard was not asked for"
    assert capsys.readouterr().out == ""


def test_wandb_writes_into_the_run_without_asking_and_a_resumed_training_has_the_same_id(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    for step in (0, 2):
        shown = open_tracker("wandb", tmp_path, step, CONFIG, quiet=True)
        assert shown is not None
        shown.numbers(step + 1, {"generator/l1": 0.5})
        shown.image(step + 1, "samples", GREY)
        shown.close()
    identity = json.loads((tmp_path / "tracker.json").read_text())["wandb"]
    offline = sorted((tmp_path / "wandb").glob("offline-run-*"))
    assert len(offline) == 2
    for place in offline:
        assert place.name.endswith(f"-{identity}")
        [record] = place.glob("*.wandb")
        for part in (b"generator/l1", b"pix2pix", b"samples"):
            assert part in record.read_bytes(), "numbers, configuration and images are handed over"


@pytest.mark.core
def test_wandb_is_online_only_where_someone_has_logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    class Package:
        def __init__(self, key: bool) -> None:
            self.key = key

        def login(self, prompt: bool, verify: bool) -> bool:
            assert not prompt
            return self.key

    assert trackers.wandb_mode(Package(False)) == "offline"
    assert trackers.wandb_mode(Package(True)) == "online"
    monkeypatch.setenv("WANDB_API_KEY", "x")
    assert trackers.wandb_mode(Package(False)) == "online"
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert trackers.wandb_mode(Package(True)) == "offline"


@pytest.mark.core
@pytest.mark.parametrize("kind", ["trackio", "wandb"])
def test_a_missing_package_is_named_with_its_extra_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=rf"needs the package {kind}: pip install 'variegate\[{kind}\]'"):
        start(settings("pix2pix", 1, tracker=kind), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    check_tracker("none")
    check_tracker("tensorboard")


class Failing:
    """Its network is gone from the second call on."""

    def __init__(self, *_: Any) -> None:
        self.calls = 0

    def numbers(self, step: int, values: dict[str, float]) -> None:
        self.calls += 1
        if self.calls > 1:
            raise ConnectionError("no route to host\nmore")

    def image(self, step: int, name: str, image: torch.Tensor) -> None:
        self.numbers(step, {})

    close = numbers


@pytest.mark.core
def test_a_tracker_that_fails_is_told_once_and_metrics_jsonl_has_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(trackers.KINDS, "wandb", Failing)
    monkeypatch.setattr(trackers, "find_spec", lambda name: name)
    with caplog.at_level(logging.WARNING):
        log = Log(tmp_path, 0, 5, "x", quiet=True, tracker=open_tracker("wandb", tmp_path, 0, CONFIG))
        for step in range(1, 6):
            log.numbers(step, {"a": step / 3})
            log.image(step, "samples", GREY)
        log.close()
    assert [record.getMessage() for record in caplog.records] == [
        "wandb failed (ConnectionError: no route to host); training goes on without it, metrics.jsonl has all numbers"
    ]
    assert logged(tmp_path) == [{"step": step, "a": round(step / 3, 6)} for step in range(1, 6)]


@pytest.mark.core
def test_a_tracker_that_cannot_even_begin_does_not_stop_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise TimeoutError

    monkeypatch.setitem(trackers.KINDS, "tensorboard", broken)
    start(settings("pix2pix", 1), tmp_path / "run")
    assert sum("tensorboard failed (TimeoutError" in record.getMessage() for record in caplog.records) == 1
    assert logged(tmp_path / "run")[-1]["step"] == 1


@pytest.mark.core
def test_tensorboard_is_the_default_and_none_writes_no_events(tmp_path: Path) -> None:
    board = open_tracker("tensorboard", tmp_path, 0, CONFIG)
    assert board is not None
    board.numbers(1, {"a": 1.0})
    board.image(1, "samples", GREY)
    board.close()
    [events] = tmp_path.glob("events*")
    assert b"samples" in events.read_bytes()
    assert settings("pix2pix", 1).run.tracker == "tensorboard"
    assert open_tracker("none", tmp_path, 0, CONFIG) is None


@pytest.mark.core
def test_rows_that_a_crash_left_are_dropped_and_whole_ones_kept(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\n{"ste\n[3]\n7\n\xff\x00\n{"step": 9}\n{"step": 2}')
    log = Log(tmp_path, 2, 5, "x", quiet=True)
    log.numbers(3, {"a": 1.0})
    log.close()
    assert logged(tmp_path) == [{"step": 1}, {"step": 2}, {"step": 3, "a": 1.0}]
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.jsonl"]


@pytest.mark.core
def test_the_id_stays_with_the_run_and_a_damaged_one_is_drawn_anew(tmp_path: Path) -> None:
    first = trackers.identity(tmp_path, "wandb")
    assert trackers.identity(tmp_path, "wandb") == first
    other = trackers.identity(tmp_path, "trackio")
    assert json.loads((tmp_path / "tracker.json").read_text()) == {"wandb": first, "trackio": other}
    (tmp_path / "tracker.json").write_text("[1]")
    assert trackers.identity(tmp_path, "wandb") != first
    assert trackers.title(tmp_path / "facades" / "previous") == "facades-previous"
