"""The check says what a folder is and names everything that is wrong with it, not only the first thing."""

from pathlib import Path

import numpy as np
import pytest

from helpers.tiny import photo, real, save
from variegate.data.checks.check import check

core = pytest.mark.core


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Eight pairs, half road (1) and half sky (0)."""
    for i in range(8):
        save(tmp_path / "train_labels" / f"{i}.png", np.repeat([0, 1], 8)[:, None].repeat(16, 1).astype(np.uint8))
        save(tmp_path / "train" / f"{i}.png", photo())
    return tmp_path


@core
def test_a_good_folder_is_described_and_has_no_problems(labelled: Path) -> None:
    report = check(labelled)
    assert report.ok
    assert report.splits == {"train": 7, "val": 1}
    assert report.sizes == {"16x16": 8}
    assert report.classes == [("class 0", 0.5), ("class 1", 0.5)]
    for words in ("7 train, 1 val", "label maps with 2 classes", "50.0 %  class 1", "held out", "problems   none"):
        assert words in report.text()


@core
def test_every_problem_is_reported_once_and_the_rest_is_still_counted(labelled: Path) -> None:
    (labelled / "train" / "0.png").write_bytes(b"")
    (labelled / "train" / "1.png").write_bytes((labelled / "train" / "1.png").read_bytes()[:200])
    save(labelled / "train" / "2.png", photo(16, 40))
    (labelled / "train_labels" / "3.png").unlink()
    save(labelled / "train_labels" / "4.png", photo(32, 32))
    (labelled / "train_labels" / "5.png").write_bytes(b"<html>")
    report = check(labelled)
    expected = [
        "train/0.png: is empty",
        "train/1.png: is cut short",
        "train/2.png is 40x16, another aspect ratio",
        "no partner",
        "train_labels/4.png",
        "train_labels/5.png: is not an image but a web page",
    ]
    for words in expected:
        assert sum(words in problem for problem in report.problems) == 1, words
    assert len(report.problems) == len(expected)
    assert not report.ok
    assert all(problem in report.text() for problem in report.problems)


@core
def test_an_id_that_only_the_test_split_has_is_a_problem(labelled: Path) -> None:
    save(labelled / "test_labels" / "0.png", np.full((16, 16), 9, dtype=np.uint8))
    save(labelled / "test" / "0.png", photo())
    report = check(labelled)
    assert report.splits == {"train": 7, "val": 1, "test": 1}
    assert [p for p in report.problems if "test_labels/0.png: has label id 9" in p] == report.problems


@core
def test_side_by_side_problems_are_all_listed(tmp_path: Path) -> None:
    for i in range(5):
        save(tmp_path / f"{i}.png", photo(16, 32))
    save(tmp_path / "wide.png", photo(16, 34))
    save(tmp_path / "odd.png", photo(16, 33))
    (tmp_path / "broken.png").write_bytes(b"?")
    report = check(tmp_path)
    assert sorted(Path(p.partition(":")[0]).name for p in report.problems) == ["broken.png", "odd.png", "wide.png"]
    assert report.sizes["16x16"] == 5


@core
def test_a_limit_opens_only_so_many_pairs(labelled: Path) -> None:
    report = check(labelled, limit=2)
    assert report.opened == 2
    assert "2 of 8 pairs" in report.text()


@core
def test_a_folder_that_is_not_recognised_still_has_its_images_opened(tmp_path: Path) -> None:
    save(tmp_path / "1.png", photo())
    (tmp_path / "2.png").write_bytes(b"")
    report = check(tmp_path)
    assert len(report.problems) == 2
    assert "--condition" in report.problems[0]
    assert "2.png: is empty" in report.problems[1]


@core
@pytest.mark.parametrize("name", ["nowhere", "streets:none"])
def test_a_path_that_is_nothing_is_a_problem_and_not_an_exception(tmp_path: Path, name: str) -> None:
    report = check(tmp_path / name if name == "nowhere" else name)
    assert len(report.problems) == 1


@core
def test_derived_conditions_and_streets_are_described(tmp_path: Path) -> None:
    save(tmp_path / "1.png", photo())
    assert "grey images, derived from the image: edges" in check(tmp_path, condition="edges").text()
    assert "label maps with 8 classes" in check("streets:20").text()


@core
@pytest.mark.parametrize("folders", [("trainA", "trainB"), ("train_label", "train_img")])
def test_two_folders_without_one_common_name_are_described_as_far_as_they_go(tmp_path: Path, folders: tuple) -> None:
    for folder, name in zip(folders, ("left", "right")):
        save(tmp_path / folder / f"{name}.png", photo())
    report = check(tmp_path)
    assert len(report.problems) == 1
    assert "look unpaired" in report.problems[0]
    assert f"{folders[0]}/ + {folders[1]}/" in report.description


@pytest.mark.parametrize(("name", "words"), [("facades", "B is the condition"), ("camvid", "29.3 %  road")])
def test_real_folders_have_no_problems(name: str, words: str) -> None:
    report = check(real(name))
    assert report.problems == []
    assert words in report.text()
