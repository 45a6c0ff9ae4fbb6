"""One training at a time in a run directory; whoever reads it is never stopped, and a killed one leaves no lock."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import re
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from helpers.runs import held_by_another, settings, start
from variegate.core.errors import ConfigError, TrainingError
from variegate.model.model import Model
from variegate.runs import lock
from variegate.runs.folder import RunFolder
from variegate.runs.lock import NAME, holding
from variegate.training.train import train

pytestmark = pytest.mark.core


def test_a_second_training_is_refused_with_who_holds_it_and_a_killed_one_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    start(settings("pix2pix", 1), folder)
    assert NAME not in [path.name for path in folder.iterdir()], "nothing is left behind"
    with held_by_another(folder) as child:
        words = (
            rf"^{re.escape(str(folder))}: process {child} on {re.escape(socket.gethostname())}, "
            r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S*, trains in it; wait for it, or give another --out$"
        )
        with pytest.raises(ConfigError, match=words):
            start(settings("pix2pix", 2), folder, resume=True)
        with pytest.raises(ConfigError, match=words):
            train("pix2pix", "streets:20", folder, minutes=1, size=32)
        out = Model.load(folder).sample(RunFolder(folder).pairs().raw(0)[0], n=2)
        assert out.images.shape == (2, 3, 32, 32), "sampling from a run that trains is allowed"
    assert (folder / NAME).is_file(), "the killed process could not remove it"
    start(settings("pix2pix", 2), folder, resume=True)


def test_a_thread_of_the_same_process_is_refused_too_and_a_run_inside_a_held_one_is_not(tmp_path: Path) -> None:
    caught: list[Exception] = []

    def second() -> None:
        try:
            with holding(tmp_path):
                pass
        except ConfigError as error:
            caught.append(error)

    with holding(tmp_path):
        with holding(tmp_path), holding(tmp_path / "previous"):
            assert json.loads((tmp_path / NAME).read_text())["pid"] == os.getpid()
        assert (tmp_path / NAME).is_file()
        other = threading.Thread(target=second)
        other.start()
        other.join()
    assert len(caught) == 1
    second()
    assert len(caught) == 1
    assert [*tmp_path.iterdir()] == [], "an empty folder that was made for it goes too"


def test_other_processes_of_one_distributed_training_ask_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held_by_another(tmp_path):
        monkeypatch.setenv("RANK", "1")
        with holding(tmp_path):
            pass
        monkeypatch.delenv("RANK")
        monkeypatch.setenv("SLURM_PROCID", "3")
        with holding(tmp_path):
            pass
        monkeypatch.setenv("SLURM_PROCID", "0")
        with pytest.raises(ConfigError), holding(tmp_path):
            pass


def test_workers_that_outlive_a_killed_training_do_not_keep_its_lock(tmp_path: Path) -> None:
    ready, told = os.pipe()
    child = os.fork()
    if not child:
        with holding(tmp_path):
            worker = os.fork()
            if not worker:
                time.sleep(60)
                os._exit(0)
            os.write(told, worker.to_bytes(4, "big"))
            time.sleep(60)
        os._exit(0)
    worker = int.from_bytes(os.read(ready, 4), "big")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.kill(worker, 0)  # it lives
    with holding(tmp_path):
        os.kill(worker, signal.SIGKILL)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_where_nothing_can_be_locked_training_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    def without(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", without)
    with caplog.at_level(logging.WARNING), holding(tmp_path):
        pass
    [record] = caplog.records
    assert f"{tmp_path}: cannot be locked ({os.strerror(code)})" in record.getMessage()


def test_a_file_that_its_holder_removes_in_between_is_not_mistaken_for_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = lock.lock, []

    def late(descriptor: int) -> None:
        original(descriptor)
        calls.append(descriptor)
        if len(calls) == 1:
            (tmp_path / NAME).unlink()

    monkeypatch.setattr(lock, "lock", late)
    with holding(tmp_path):
        assert len(calls) == 2
        assert json.loads((tmp_path / NAME).read_text())["pid"] == os.getpid()


def test_a_folder_that_cannot_be_written_to_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be written to"), holding(tmp_path / "file"):
        pass
    (tmp_path / NAME).mkdir()
    with pytest.raises(TrainingError, match=r"\.lock: cannot be opened .*; remove it, then resume"), holding(tmp_path):
        pass
