"""When training cannot go on it says what happened, and what was saved before is as it was."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from helpers.runs import at_batch, saved_steps, settings, start, state_of, unequal
from variegate.core.errors import ConfigError, Interrupted, TrainingError
from variegate.core.files import replacing, replacing_folder, write_text
from variegate.model.model import Model
from variegate.objectives import adversarial, nearest_sample
from variegate.runs import checkpoints, saved_model
from variegate.runs.saved_model import read_record
from variegate.runs.stop import Stop
from variegate.training import loop

pytestmark = pytest.mark.core


def from_call(number: int, original: Callable[..., Any], then: Callable[..., Any]) -> Callable[..., Any]:
    """`original` for the first calls, `then` from the `number`-th on, counted from 1."""
    seen = 0

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal seen
        seen += 1
        return (then if seen >= number else original)(*args, **kwargs)

    return wrapped


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_with_step_loss_and_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    original = adversarial.generator_loss
    broken = from_call(4, original, lambda *args: original(*args) * value)
    monkeypatch.setattr(adversarial, "generator_loss", broken)
    with pytest.raises(TrainingError) as caught:
        start(settings("pix2pix", 6, save_every=2), tmp_path / "run")
    words = str(caught.value)
    assert "generator/adversarial became" in words
    assert "step 4" in words
    assert str(tmp_path / "run" / "checkpoints" / "step-00000002") in words
    assert saved_steps(tmp_path / "run") == [2], "nothing spoilt is saved"
    weights = load_file(tmp_path / "run" / "model" / "model.safetensors")
    assert all(bool(tensor.isfinite().all()) for tensor in weights.values())


def test_a_loss_that_breaks_among_thousands_of_inner_steps_ends_them_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, original = [], nearest_sample.feature_l1
    broken = from_call(8, original, lambda *args: original(*args) * float("nan"))  # two matchings come first
    monkeypatch.setattr(nearest_sample, "feature_l1", lambda *args: calls.append(1) or broken(*args))
    with pytest.raises(TrainingError, match=r"generator/nearest became nan at step 1"):
        start(settings("cimle", 2, {"objective.inner_steps": 5000}), tmp_path / "run")
    assert len(calls) < 300


def test_a_loss_that_breaks_before_any_checkpoint_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adversarial, "discriminator_loss", lambda real, fake, mode: real[0].sum() * float("nan"))
    with pytest.raises(TrainingError, match=r"^discriminator/adversarial .*nan at step 1; there is no checkpoint"):
        start(settings("pix2pix", 6, save_every=2), tmp_path / "run")


def test_weights_that_are_no_numbers_are_never_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = loop.update_ema

    def spoil(ema: torch.nn.Module, generator: torch.nn.Module, decay: float) -> None:
        original(ema, generator, decay)
        with torch.no_grad():
            next(generator.parameters()).fill_(float("inf"))

    monkeypatch.setattr(loop, "update_ema", from_call(4, original, spoil))
    with pytest.raises(TrainingError, match=r"generator weights are no longer finite at step 4.*step-00000002"):
        start(settings("pix2pix", 4, save_every=2), tmp_path / "run")
    assert saved_steps(tmp_path / "run") == [2]


def full(*args: Any, **kwargs: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def half_then_full(state: dict[str, Any], path: Path) -> None:
    path.write_bytes(b"half")
    full()


@pytest.mark.parametrize(
    ("module", "name", "failing"),
    [(checkpoints.torch, "save", half_then_full), (saved_model, "save_file", full)],
    ids=["checkpoint", "model"],
)
def test_a_full_disk_stops_with_words_and_spoils_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, failing: Callable[..., None]
) -> None:
    folder = tmp_path / "run"
    monkeypatch.setattr(module, name, from_call(2, getattr(module, name), failing))
    with pytest.raises(TrainingError, match=r"could not write .*No space left.*free some space and resume"):
        start(settings("pix2pix", 4, save_every=2), folder)
    monkeypatch.undo()
    assert not [path for path in folder.rglob(".*") if "writing" in path.name], "nothing half written is left"
    assert unequal(load_file(folder / "model" / "model.safetensors"), state_of(folder, 2)["ema"]) == []
    start(settings("pix2pix", 4, save_every=2), folder, resume=True)  # after making space it goes on
    assert saved_steps(folder)[-1] == 4
    assert read_record(folder / "model").step == 4
    assert unequal(load_file(folder / "model" / "model.safetensors"), state_of(folder, 4)["ema"]) == []


def test_a_folder_is_put_back_if_replacing_it_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a").write_text("old")
    original, calls = os.replace, []

    def second_is_interrupted(*places: Path) -> None:
        calls.append(places)
        if len(calls) == 2:
            raise KeyboardInterrupt
        original(*places)

    monkeypatch.setattr(os, "replace", second_is_interrupted)
    with pytest.raises(KeyboardInterrupt), replacing_folder(folder) as aside:
        (aside / "a").write_text("new")
    monkeypatch.undo()
    assert (folder / "a").read_text() == "old"
    os.replace(folder, tmp_path / ".model.old")  # killed between the two renames
    with pytest.raises(ValueError, match="x"), replacing_folder(folder):
        raise ValueError("x")
    assert (folder / "a").read_text() == "old"


@pytest.mark.parametrize("what", ["samples", "numbers"])
def test_a_disk_that_is_full_for_the_small_files_stops_with_words_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    from PIL import Image

    from variegate.runs.logs import Log

    target, name = (Image.Image, "save") if what == "samples" else (Log, "numbers")
    monkeypatch.setattr(target, name, full)
    with pytest.raises(TrainingError, match="No space left"):
        start(settings("pix2pix", 2), tmp_path / "run")


@pytest.mark.parametrize(
    "content", [b"learning_rate: 1\n", b"- a list", b"", b"\xff\xfe", b"method: pix2pix\ndata: x\n"]
)
def test_settings_of_something_else_are_never_overwritten(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"config\.yaml is not the configuration of a run .* give another --out"):
        start(settings("pix2pix", 1), tmp_path)
    assert (tmp_path / "config.yaml").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_a_run_that_stopped_before_its_first_checkpoint_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adversarial, "discriminator_loss", lambda real, fake, mode: real[0].sum() * float("nan"))
    with pytest.raises(TrainingError):
        start(settings("pix2pix", 1), tmp_path)
    monkeypatch.undo()
    start(settings("pix2pix", 2), tmp_path)
    assert saved_steps(tmp_path)[-1] == 2


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with replacing_folder(target) as aside:
        (aside / "a").write_text("old")

    def interrupted() -> None:
        with replacing_folder(target) as aside:
            (aside / "a").write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (target / "a").read_text() == "old"
    with replacing_folder(target) as aside:
        (aside / "b").write_text("new")
    assert [path.name for path in target.iterdir()] == ["b"]


def test_the_first_signal_asks_the_second_ends_and_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Stop() as stop:
        assert not stop.asked
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.asked
        with pytest.raises(Interrupted) as ended:
            os.kill(os.getpid(), signal.SIGTERM)
        assert ended.value.signal == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_stop_during_the_last_step_still_finishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_batch(monkeypatch, 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    start(settings("pix2pix", 2), tmp_path / "run")
    assert Model.load(tmp_path / "run").record.step == 2


def test_a_stop_between_the_check_and_the_next_step_loses_no_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal that arrives after the question whether to stop was answered: the step is made, and kept."""
    folder = tmp_path / "run"
    original, asked = loop.agree_to_stop, []

    def late(fabric: Any, flag: bool) -> bool:
        answer = original(fabric, flag)
        asked.append(answer)
        if len(asked) == 3:  # step 2 was just allowed to begin; the second question is whether a file was damaged
            os.kill(os.getpid(), signal.SIGTERM)
        return answer

    monkeypatch.setattr(loop, "agree_to_stop", late)
    with pytest.raises(Interrupted):
        start(settings("pix2pix", 6, save_every=5), folder)
    assert saved_steps(folder) == [2]


def test_what_a_killed_process_was_writing_is_removed_by_the_next_one(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with replacing(tmp_path / "config.yaml") as aside:
        aside.write_text("mine")
        names = [aside.name.replace(str(os.getpid()), str(process)) for process in (ended.pid, os.getppid())]
        for name in names:
            (tmp_path / name).write_text("half")
    write_text(tmp_path / "config.yaml", "whole")
    assert {path.name for path in tmp_path.iterdir()} == {"config.yaml", names[1]}, "another process still writes"
    assert (tmp_path / "config.yaml").read_text() == "whole"
