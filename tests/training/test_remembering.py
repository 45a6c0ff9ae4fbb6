"""A method that draws with training images is shown them when its training ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

import variegate
from variegate.core.errors import CheckpointError
from variegate.data import open_data
from variegate.generators.pixelnn import PixelNN
from variegate.runs.settings import ExecutionSettings
from variegate.training import loop

QUICK = {"descriptor": "laplacian", "backbone.widths": [6, 6, 4], "batch_size": 4}
DATA, SIZE = "streets:20", 16


def train(folder: Path, steps: int = 4, resume: bool = False, **options: object) -> Path:
    run = ExecutionSettings(device="cpu", quiet=True, save_every=2)
    return variegate.train(
        "pixelnn", DATA, folder, size=SIZE, steps=steps, resume=resume, run=run, **{**QUICK, **options}
    )


def pixelnn(folder: Path) -> PixelNN:
    generator = variegate.load(folder).generator
    assert isinstance(generator, PixelNN)
    return generator


def test_a_finished_run_remembers_every_training_image_in_order(tmp_path: Path) -> None:
    generator, pairs = pixelnn(train(tmp_path / "run")), open_data(DATA, SIZE)
    assert torch.equal(generator.images, torch.stack([pairs.raw(i)[1] for i in range(20)]))
    condition = pairs.condition.encode(pairs.raw(7)[0][None])
    torch.testing.assert_close(
        generator.smooth[7].float(), generator.regress(condition)[0].clamp(-1, 1), atol=1e-3, rtol=0
    )


def test_a_run_that_was_cut_short_says_so_and_is_completed_by_resuming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pixelnn(train(tmp_path / "whole"))

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(loop, "remember_images", cut)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"has not stored the training images.*--resume"):
        variegate.load(tmp_path / "run")
    resumed = pixelnn(train(tmp_path / "run", resume=True))
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_longer_run_is_trained_on_and_remembers_what_it_regresses_then(tmp_path: Path) -> None:
    short = pixelnn(train(tmp_path / "run"))
    long = pixelnn(train(tmp_path / "run", 8, resume=True))
    whole = pixelnn(train(tmp_path / "whole", 8))
    assert not torch.equal(long.smooth, short.smooth)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, long.state_dict()[name]), name


def test_the_best_model_is_the_one_that_remembers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.5, 0.1, 0.3])
    monkeypatch.setattr(loop.Panel, "look", lambda *_: next(scores))
    generator = pixelnn(train(tmp_path / "run", 6, **{"training.keep": "best"}))
    state = torch.load(tmp_path / "run/checkpoints/step-00000004/state.pt", weights_only=True)["ema"]
    assert len(generator.images) == 20
    assert len(state["images"]) == 0
    for name, parameter in generator.named_parameters():
        assert torch.equal(parameter, state[name])


def test_another_run_starts_from_the_regression_without_the_images(tmp_path: Path) -> None:
    first = train(tmp_path / "first")
    second = train(tmp_path / "second", 2, initial=str(first))
    assert len(pixelnn(second).images) == 20


def test_the_command_line_trains_and_draws(tmp_path: Path) -> None:
    commands = [
        "train pixelnn --data streets:40 --size 32 --steps 30 --batch-size 4 --descriptor random "
        "--backbone.widths [8,8,6,6] --out run",
        "sample run test:0 -n 6 --out drawn",
    ]
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "variegate", *command.split()], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-2000:]
    pictures = {Image.open(path).tobytes() for path in (tmp_path / "drawn").glob("*0-*.png")}
    assert len(pictures) == 6
    assert (tmp_path / "run" / "samples" / "step-00000030.png").is_file()
