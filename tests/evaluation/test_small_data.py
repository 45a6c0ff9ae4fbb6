"""Evaluation of small images and of few of them: each number that can be measured is, and the others say why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.shared import shared_weights
from helpers.tiny import drawing, photo, save
from variegate import evaluate, train
from variegate.core.errors import TrainingError
from variegate.data import open_data
from variegate.evaluation.measuring import measure as measuring
from variegate.methods.mrgan import glcic
from variegate.runs.folder import RunFolder
from variegate.runs.settings import ExecutionSettings

QUIET = ExecutionSettings(quiet=True, device="cpu")
TINY = {"layers": 2, "width": 6, "bits": 3, "generator.first_filter": 3}


def pairs(root: Path, count: int, side: int, **splits: int) -> Path:
    for split, number in {"train": count, **splits}.items():
        for i in range(number):
            rng = np.random.default_rng([i, side])
            save(root / f"{split}_label" / f"{i}.png", rng.integers(0, 2, (side, side), dtype=np.uint8))
            save(root / f"{split}_img" / f"{i}.png", photo(side, side))
    return root


def trained(data: Path | str, out: Path, **options: Any) -> Path:
    return train("gated-pixelcnn", data, out, steps=1, run=QUIET, batch_size=2, **TINY, **options)


@pytest.mark.parametrize("side", [8, 16])
def test_small_images_lose_only_what_their_size_forbids(
    side: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shared_weights(monkeypatch, "alexnet_features.safetensors")
    run = trained(pairs(tmp_path / "data", 6, side, test=2), tmp_path / "run")
    content = evaluate(run, protocol="quick")
    assert {"diversity_pixel", "rmse_best", "psnr_mean", "bits_per_dim"} <= set(content["metrics"])
    assert any("alexnet needs images of at least 31x31 pixels, got" in line for line in content["skipped"])
    assert all("--size" in line for line in content["skipped"] if "alexnet" in line)
    assert content == json.loads((run / "metrics.json").read_text())
    assert "Skipped LPIPS" in (run / "report.html").read_text()


@pytest.mark.parametrize("held", [1, 2])
def test_one_or_two_held_out_pairs_keep_their_other_numbers(
    held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_weights(monkeypatch, "alexnet_features.safetensors")
    run = trained(pairs(tmp_path / "data", 1, 32, test=held), tmp_path / "run")
    content = evaluate(run, protocol="quick")
    assert {"diversity_pixel", "rmse_best", "bits_per_dim"} <= set(content["metrics"])
    assert any(line.startswith("FID and KID: ") for line in content["skipped"])


def test_other_data_are_measured_whole_and_in_the_direction_of_training(tmp_path: Path) -> None:
    for name, flat in (("own", 0), ("other", 1)):
        for i in range(12):
            sides = [drawing(8, 8), photo(8, 8)]
            save(tmp_path / name / f"{i}.png", np.concatenate([sides[flat], sides[1 - flat]], axis=1))
    run = RunFolder(trained(tmp_path / "own", tmp_path / "run", size=8))
    assert (run.config.data.direction, run.config.place.direction) == (None, "AtoB")
    other = run.pairs("held", tmp_path / "other")
    assert (other.source.direction, len(other)) == ("AtoB", 12)
    assert len(run.pairs("held", tmp_path / "own")) == len(run.pairs("held")) == 1


def test_a_hole_at_the_border_costs_only_the_measure_that_needs_more_room(tmp_path: Path) -> None:
    for i in range(4):
        save(tmp_path / "images" / f"{i}.png", photo(32, 32))
        save(tmp_path / "masks" / f"{i}.png", np.pad(np.full((32, 4), 255, np.uint8), ((0, 0), (0, 28))))
    pairs = open_data(tmp_path / "images", condition=f"inpaint:{tmp_path / 'masks'}")
    generator = glcic(width=4).build_generator(pairs.shapes).eval()
    found = measuring.measure(generator, pairs, pairs, "quick", perceptual=False)
    assert {"rmse_best", "psnr_mean"} <= set(found.results.measured)
    assert any("SSIM needs whole windows" in line for line in found.skipped)


def test_nothing_held_out_is_said_first(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = trained(pairs(tmp_path / "data", 1, 16), tmp_path / "run")
    caplog.clear()
    content = evaluate(run, protocol="quick", perceptual=False)
    assert caplog.messages[0].startswith("nothing is held out: data has no val or test split")
    assert content["warnings"] == [caplog.messages[0]]


def test_numbers_are_written_before_the_slow_ones_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained(pairs(tmp_path / "data", 6, 16, test=2), tmp_path / "run")

    def killed(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(measuring, "perceptual_metrics", killed)
    with pytest.raises(KeyboardInterrupt):
        evaluate(run, protocol="quick")
    assert "rmse_best" in json.loads((run / "metrics.json").read_text())["metrics"]


def test_a_run_that_cannot_be_written_to_is_refused_before_measuring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained(pairs(tmp_path / "data", 4, 16), tmp_path / "run")
    monkeypatch.setattr(
        "tempfile.TemporaryFile", lambda dir: (_ for _ in ()).throw(OSError(30, "Read-only file system"))
    )
    monkeypatch.setattr("variegate.evaluation.evaluate.measure", lambda *args, **more: pytest.fail("it measured"))
    with pytest.raises(TrainingError, match=r"run: cannot be written to \(Read-only file system\)"):
        evaluate(run)
