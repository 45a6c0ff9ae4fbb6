"""A run finds its data where they were, tells others of the same name apart, and does without where it can."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers.tiny import photo, save
from variegate import train
from variegate.cli import main
from variegate.core.errors import ConfigError, DataError
from variegate.evaluation.doctor.diagnosis import diagnose
from variegate.model.model import Model
from variegate.runs.folder import RunFolder
from variegate.runs.settings import ExecutionSettings

QUIET = ExecutionSettings(quiet=True, device="cpu")
SMALL = {"width": 4, "blocks": 1, "objective.layers": 1, "batch_size": 2, "size": (16, 16)}


def halves(root: Path, seed: int = 0, count: int = 6) -> Path:
    for i in range(count):
        flat = np.full((16, 16, 3), 30 * i + seed, dtype=np.uint8)
        save(root / f"{i}.png", np.hstack([flat, photo()]))
    return root


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Trained in one folder on `data`, as typed there."""
    (tmp_path / "here").mkdir()
    halves(tmp_path / "here" / "data")
    monkeypatch.chdir(tmp_path / "here")
    return train("basisgan", "data", tmp_path / "run", steps=1, run=QUIET, **SMALL)


def test_data_are_found_from_any_folder(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").mkdir()
    halves(tmp_path / "there" / "data", seed=7)
    monkeypatch.chdir(tmp_path / "there")
    assert RunFolder(run).pairs().files[0] == str(tmp_path / "here" / "data" / "0.png")


def test_another_folder_of_the_same_name_is_never_taken(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    halves(tmp_path / "there" / "data", seed=7, count=5)
    (tmp_path / "here" / "data").rename(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "there")
    with pytest.raises(DataError, match=r"data: is not what this run was trained on, which was .*here/data"):
        RunFolder(run).pairs()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"here/data: the data of this run are not there any more; put them back"):
        RunFolder(run).pairs()


def test_data_that_moved_with_the_run_are_found(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.move(tmp_path / "here", tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "moved")
    assert len(RunFolder(run).pairs()) == 5
    train("basisgan", "data", run, resume=True, steps=2, run=QUIET, **SMALL)
    assert RunFolder(run).config.place.path == str(tmp_path / "moved" / "data")


def test_resuming_on_other_data_of_the_same_name_is_refused(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    halves(tmp_path / "there" / "data", count=8)
    monkeypatch.chdir(tmp_path / "there")
    with pytest.raises(ConfigError, match="was trained with a different data"):
        train("basisgan", "data", run, resume=True, steps=2, run=QUIET, **SMALL)


def test_a_file_that_changed_where_it_is_is_said(run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    halves(tmp_path / "here" / "data", count=7)
    assert len(RunFolder(run).pairs()) == 6
    assert "files were added, removed or changed since this run was trained" in caplog.text


def test_the_doctor_examines_the_model_of_data_that_moved(run: Path, tmp_path: Path) -> None:
    (tmp_path / "here" / "data").rename(tmp_path / "elsewhere")
    _, lines = diagnose(run)
    assert "The model loads, and all its weights are finite." in lines
    assert any(line.startswith("Its samples could not be checked: ") and "here/data" in line for line in lines)


def test_a_whole_image_is_cut_to_the_half_that_is_the_condition(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model, whole = Model.load(run), tmp_path / "here" / "data" / "3.png"
    alone = save(tmp_path / "alone.png", np.full((16, 16, 3), 90, dtype=np.uint8))
    caplog.clear()
    drawn = model.sample(whole, n=2)
    assert "3.png: is twice as wide as high, like the A|B training images; using its left half" in caplog.text
    assert drawn.images.equal(model.sample(alone, n=2).images)


def test_two_folders_are_named_by_a_mapping_or_in_words(tmp_path: Path) -> None:
    for i in range(4):
        save(tmp_path / "sketchbook" / f"{i}.png", photo())
        save(tmp_path / "results of may" / f"{i}.png", photo())
    places = {"condition": tmp_path / "sketchbook", "image": tmp_path / "results of may"}
    run = train("basisgan", places, tmp_path / "run", steps=1, run=QUIET, **SMALL)
    words = f"condition={places['condition']},image={places['image']}"
    assert RunFolder(run).config.data.path == words
    assert RunFolder(run).pairs().files == [str(places["image"] / f"{i}.png") for i in range(3)]
    main(["data", "check", words])
    with pytest.raises(DataError, match="expected two folders"):
        train("basisgan", {"condition": tmp_path}, tmp_path / "other", steps=1, run=QUIET, **SMALL)
