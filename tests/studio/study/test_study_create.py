"""A study tells participants nothing about its images, and what does not fit is one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from study_helpers import answer, study_in, write_images

from variegate.cli import main
from variegate.core.errors import ConfigError, DataError
from variegate.studio.study.create import StudyOptions, create_study
from variegate.studio.study.schema import read_study
from variegate.studio.study.sources import samples_of

pytestmark = pytest.mark.core
NAMES = [f"street{i}" for i in range(6)]


def options(root: Path, **other: Any) -> StudyOptions:
    images = {"a": write_images(root / "a", NAMES, 1), "b": write_images(root / "b", NAMES, 2)}
    return StudyOptions(**{"kind": "two-alternative", "images": images, **other})


def test_files_of_a_study_tell_nothing(tmp_path: Path) -> None:
    folder, real = tmp_path / "samples", tmp_path / "real"
    folder.mkdir()
    real.mkdir()
    note = PngImagePlugin.PngInfo()
    note.add_text("method", "secret")
    for name in NAMES:
        Image.new("RGB", (8, 8), "red").save(folder / f"{name}-0.png", pnginfo=note)
        Image.new("RGB", (8, 8), "blue").save(real / f"{name}.jpg", exif=b"Exif\0\0secret")
    create_study(tmp_path / "study", StudyOptions("real-or-fake", {"secret": folder}, reference=real))
    files = sorted((tmp_path / "study" / "images").iterdir())
    assert len(files) == 2 * len(NAMES) + 4
    for file in files:
        assert len(file.stem) == 20
        assert b"secret" not in file.read_bytes()
        with Image.open(file) as image:
            assert (image.format, image.info) == ("PNG", {})


def test_the_same_images_and_seed_have_the_same_names(tmp_path: Path) -> None:
    made = [
        create_study(tmp_path / name, options(tmp_path, seed=seed)) for name, seed in (("x", 0), ("y", 0), ("z", 1))
    ]
    first, second, other = (set(study.images) for study in made)
    assert first == second
    assert not first & other


def test_images_are_unchanged_and_destroyed_ones_are_not(tmp_path: Path) -> None:
    study = create_study(tmp_path / "study", options(tmp_path, attention=2))
    read = {name: np.array(Image.open(tmp_path / "study" / "images" / f"{name}.png")) for name in study.images}
    for (method, condition), name in study.shown.items():
        assert (read[name] == np.array(Image.open(tmp_path / str(method) / f"{condition}.png"))).all()
    assert len(study.destroyed) == 2
    for name, condition in study.destroyed.items():
        gone = np.abs(read[name].astype(int) - read[study.shown["a", condition]]).mean()
        assert gone > 40


def test_the_sample_nearest_to_the_real_image_is_shown(tmp_path: Path) -> None:
    """As in the study of conditional IMLE, by L1."""
    real = write_images(tmp_path / "real", NAMES)
    images = {"a": write_images(tmp_path / "a", NAMES, 1), "many": tmp_path / "many"}
    for name in NAMES:
        truth = np.array(Image.open(real / f"{name}.png")).astype(int)
        for number, error in enumerate((30, 3, 60)):
            (tmp_path / "many" / name).mkdir(parents=True, exist_ok=True)
            near = np.clip(truth + error, 0, 255).astype(np.uint8)
            Image.fromarray(near).save(tmp_path / "many" / name / f"{number}.png")
    study = create_study(tmp_path / "study", StudyOptions("two-alternative", images, reference=real))
    for name in NAMES:
        shown = np.array(Image.open(tmp_path / "study" / "images" / f"{study.shown['many', name]}.png"))
        assert (shown == np.array(Image.open(tmp_path / "many" / name / "1.png"))).all()
    assert set(study.shown) == {(method, name) for method in images for name in NAMES}


@pytest.mark.parametrize(
    ("file", "known", "condition"),
    [
        ("street", (), "street"),
        ("street-3", (), "street"),
        ("street-3", ("street-3",), "street-3"),
        ("street-0-3", ("street",), "street"),  # as `variegate sample` names it, with its seed
        ("street-0-3", (), "street-0"),
        ("3", ("3",), "3"),
    ],
)
def test_samples_belong_to_conditions(tmp_path: Path, file: str, known: tuple[str, ...], condition: str) -> None:
    write_images(tmp_path, [file, f"{file}-grid"])
    assert list(samples_of(tmp_path, known)) == [condition]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"kind": "ranking"}, "ranking needs --images of at least 3 methods, got 2"),
        ({"kind": "real-or-fake"}, "needs real images, too"),
        ({"exposures": (0.0,)}, "--exposure 0: must be above 0"),
        ({"exposures": (-1.0,)}, "--exposure -1: must be above 0"),
        ({"exposures": (0.5, 0.5)}, "given twice"),
        ({"question": " "}, "--question: give 1 to 300 characters"),
        ({"question": "Which one?"}, "--asks-for artefacts"),
        ({"repeats": 0.7}, "is a share of the trials from 0 to 0.5"),
        ({"attention": -1}, "--attention -1: give a number"),
        ({"attention": 7}, "each check needs a condition of its own, and there are 6"),
        ({"per_participant": 7}, "give --per-participant from 2 to 6, or more images"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, other: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        create_study(tmp_path / "study", options(tmp_path, **other))
    assert not (tmp_path / "study").exists()


def test_images_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    good = options(tmp_path)
    strange = write_images(tmp_path / "strange", ["boat"])
    larger = write_images(tmp_path / "larger", NAMES, size=(16, 32))
    (tmp_path / "empty").mkdir()
    for folder, told in (
        (tmp_path / "nowhere", "there is no such folder"),
        (tmp_path / "empty", "contains no images"),
        (strange, "no condition has an image in every folder: a has street0, b has street0, c has boat"),
        (larger, "is 32x16, but other images are 24x16; all images of a study need one size"),
    ):
        with pytest.raises(DataError, match=told):
            create_study(tmp_path / "study", StudyOptions("two-alternative", {**good.images, "c": folder}))
    with pytest.raises(ConfigError, match="from 2 to 1, or more images"):
        create_study(tmp_path / "study", StudyOptions("two-alternative", {"a": strange, "b": strange}, attention=0))


def test_a_consent_text_must_be_readable(tmp_path: Path) -> None:
    (tmp_path / "image.txt").write_bytes(b"\xff\xfe\x00\xd8")
    (tmp_path / "empty.txt").write_text(" \n")
    for name, told in (("none.txt", "No such file"), ("image.txt", "not text in UTF-8"), ("empty.txt", "has 0 char")):
        with pytest.raises(DataError, match=told):
            create_study(tmp_path / "study", options(tmp_path, consent=tmp_path / name))
    (tmp_path / "good.txt").write_text("We ask you.\n\nDo you agree?\n", encoding="utf-8")
    study = create_study(tmp_path / "study", options(tmp_path, consent=tmp_path / "good.txt"))
    assert study.consent == "We ask you.\n\nDo you agree?"


def test_a_study_with_answers_is_not_overwritten(tmp_path: Path) -> None:
    folder = study_in(tmp_path)
    study = study_in(tmp_path)  # without answers it may be made anew
    assert study == folder
    answer(folder, read_study(folder), 1, lambda who, trial: "real")
    before = (folder / "study.json").read_bytes()
    with pytest.raises(
        DataError, match=r"has participants \(\d+\) and answers \(\d+\), which are not overwritten; choose a new folder"
    ):
        study_in(tmp_path)
    assert (folder / "study.json").read_bytes() == before


def test_a_folder_that_is_no_study_is_not_replaced(tmp_path: Path) -> None:
    place = write_images(tmp_path / "precious", ["photo"])
    with pytest.raises(DataError, match="exists and is not a study"):
        create_study(place, options(tmp_path))
    assert [file.name for file in place.iterdir()] == ["photo.png"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": 2}, "has version 2, but this program reads 1"),
        ({"colour": "red"}, "colour is not valid"),
        ({"exposures": [-1.0]}, "exposures.0 is not valid"),
    ],
)
def test_a_damaged_study_is_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    file = study_in(tmp_path) / "study.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(DataError, match=told):
        read_study(file.parent)


def test_missing_files_of_a_study_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a study; make one with"):
        read_study(tmp_path)
    folder = study_in(tmp_path)
    (folder / "answers.sqlite").unlink()
    with pytest.raises(DataError, match=r"answers\.sqlite: is missing"):
        read_study(folder)
    next((folder / "images").iterdir()).unlink()
    with pytest.raises(DataError, match=r"\.png: is missing"):
        read_study(folder)


def test_the_command_line_makes_a_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = (write_images(tmp_path / name, NAMES, at) for at, name in enumerate("ab"))
    words = ["study", "create", str(tmp_path / "study"), "--kind", "two-alternative", "--exposure", "0.5", "1"]
    main([*words, "--images", f"a={a}", f"the other={b}", "--attention", "2"])
    assert (
        "6 conditions, 6 trials of each participant, 1 of them repeated, 2 attention checks" in capsys.readouterr().out
    )
    study = read_study(tmp_path / "study")
    assert (study.methods, study.exposures) == (("a", "the other"), (0.5, 1.0))
    for images, told in (([f"a={a}", f"a={b}"], "'a' is given twice"), ([str(a), f"b={b}"], "give NAME=FOLDER")):
        with pytest.raises(SystemExit):
            main([*words, "--images", *images])
        assert told in capsys.readouterr().err


def test_samples_of_other_seeds_are_of_the_same_conditions(tmp_path: Path) -> None:
    """`variegate sample --seed 5` writes CONDITION-5-NUMBER.png, beside CONDITION-codes.safetensors."""
    for method, seed in (("a", 5), ("b", 9)):
        write_images(tmp_path / method, [f"{condition}-{seed}-{n}" for condition in ("x", "y-1") for n in (0, 1)])
        for condition in ("x", "y-1"):
            (tmp_path / method / f"{condition}-codes.safetensors").touch()
    assert list(samples_of(tmp_path / "a")) == list(samples_of(tmp_path / "b")) == ["x", "y-1"]
