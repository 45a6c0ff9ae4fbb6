"""What odd data sets are is said rightly, or asked: never a wrong kind, count, class or side, and no damage unnamed."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from helpers import odd_pictures as pictures
from helpers.odd_data import KINDS, Odd, draw, write
from helpers.odd_truth import claimed, faults
from variegate.data import open_data
from variegate.data.checks.check import check
from variegate.data.checks.report import Report

FEW, ALL = range(60), range(60, 1000)
SECONDS = 10


def judge(odd: Odd, root: Path) -> Report:
    """The report of a data set that is written into a folder, in which nothing may be wrong."""
    root.mkdir()
    truth = write(odd, root)
    start = time.monotonic()
    report = check(root)
    assert time.monotonic() - start < SECONDS
    assert not faults(report, truth, root), odd
    return report


@pytest.mark.core
@pytest.mark.parametrize("seed", FEW)
def test_an_odd_data_set_is_told_rightly_or_asked_about(seed: int, tmp_path: Path) -> None:
    judge(draw(seed), tmp_path / "data")


@pytest.mark.slow
@pytest.mark.parametrize("seed", ALL)
def test_any_odd_data_set_is_told_rightly_or_asked_about(seed: int, tmp_path: Path) -> None:
    judge(draw(seed), tmp_path / "data")


def test_the_drawn_data_sets_have_every_kind_and_every_number_stands_for_one() -> None:
    assert {draw(seed).kind for seed in FEW} == {*KINDS}
    assert draw(7) == draw(7)


core = pytest.mark.core
ODD = {
    "halves": Odd(0, "halves", ("Train", "Test"), nesting="{split}", suffixes=(".png", ".JPG")),
    "lettered": Odd(1, "lettered", ("train", "valid"), ("A", "B"), "{side}/{split}"),
    "labelled": Odd(2, "labelled", ("train", "val"), ("labels", "images"), labels="times 50", classes=4),
    "instances": Odd(3, "instances", ("train",), ("label", "img", "inst"), "{split}_{side}"),
    "voc": Odd(4, "voc", (), ("SegmentationClass", "JPEGImages", "SegmentationObject"), labels="palette"),
    "named": Odd(5, "named", ("train",), ("low", "high"), content="blurred", added="x2", count=8),
    "free": Odd(7, "free", (), ("night", "day"), naming="words", count=8),
    "classes": Odd(8, "classes", ("train", "test"), ("NORMAL", "PNEUMONIA"), naming="words"),
    "plain": Odd(9, "plain", ("train",), nesting="{split}"),
    "lama": Odd(10, "lama", (), nesting="{split}"),
}
TOLD = {
    "halves": "A|B side by side in one image, B is the condition (B is flat",
    "lettered": "A/train/ + B/train/ paired by name, A is the condition (A is flat",
    "labelled": "label maps with 4 classes, stored as 0, 50, 100, 150",
    "instances": "instance maps in train_inst/",
    "voc": "SegmentationClass/ + JPEGImages/ paired by name",
    "named": "train/low/ is the condition (its name says so)",
    "free": "night/ is the condition (night/ is flat",
    "classes": "one of 2 classes (NORMAL, PNEUMONIA)",
    "plain": "contains 5 single images, but a pair also needs a condition",
    "lama": "5 masks next to the images, such as 0_mask.png, are not used as images",
}


@core
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_told(kind: str, tmp_path: Path) -> None:
    assert TOLD[kind] in judge(ODD[kind], tmp_path / "data").text()


@core
@pytest.mark.parametrize(
    ("style", "told"),
    [
        ("contiguous", "label maps with 3 classes"),
        ("void", "label maps with 4 classes, of which 'other' is unlabelled"),
        ("rgb", "label maps with 3 classes"),
        ("smoothed", "save the original labels as PNG"),
        ("was jpeg", "save the original labels as PNG"),
    ],
)
def test_each_way_to_keep_classes_is_told(style: str, told: str, tmp_path: Path) -> None:
    classes = 5 if style in pictures.SOFT else 3
    odd = Odd(2, "labelled", ("train",), ("masks", "images"), labels=style, classes=classes, size=(32, 32))
    assert told in judge(odd, tmp_path / "data").text()


@core
@pytest.mark.parametrize("side", [0, 1])
def test_a_damaged_file_of_either_folder_of_images_is_named(side: int, tmp_path: Path) -> None:
    write(ODD["named"], tmp_path)
    file = tmp_path / "train" / ("low/2x2.png", "high/2.png")[side]
    file.write_bytes(b"")
    assert [problem.partition(":")[0] for problem in check(tmp_path).problems] == [str(file)]


@core
def test_conditions_and_images_of_different_shapes_cannot_lie_on_each_other(tmp_path: Path) -> None:
    write(ODD["named"], tmp_path)
    pictures.keep(tmp_path / "train" / "low" / "2x2.png", np.zeros((16, 40, 3), dtype=np.uint8))
    assert any("2x2.png: is 40x16" in problem for problem in check(tmp_path).problems)


@core
@pytest.mark.parametrize("lacking", ["A", "B"])
def test_a_test_split_with_one_side_alone_is_not_used_and_refuses_nothing(lacking: str, tmp_path: Path) -> None:
    write(Odd(1, "lettered", ("train", "test"), ("A", "B")), tmp_path)
    for file in (tmp_path / "test" / lacking).iterdir():
        file.unlink()
    report = check(tmp_path)
    assert report.ok
    assert report.splits == {"train": 4, "val": 1}
    assert any("are not used" in note for note in report.notes)
    assert all("/test/" not in str(file) for file in open_data(tmp_path).files)


@core
def test_images_for_tests_do_not_make_pairs_of_named_folders_into_classes(tmp_path: Path) -> None:
    report = judge(Odd(5, "named", ("train",), ("noisy", "clean"), later=True), tmp_path / "data")
    assert claimed(report) == "images"


@core
def test_a_picture_of_the_whole_set_beside_its_folders_is_neither_trained_on_nor_decides_the_kind(
    tmp_path: Path,
) -> None:
    for kind in ("classes", "halves"):
        root = tmp_path / kind
        odd = Odd(8, kind, ("train",), ("cat", "dog") * (kind == "classes"), naming="words", litter=("stray image",))
        assert claimed(judge(odd, root)) == kind


@core
def test_class_folders_in_splits_that_number_their_images_are_asked_about(tmp_path: Path) -> None:
    report = judge(Odd(8, "classes", ("train", "test"), ("cat", "dog"), count=8), tmp_path / "data")
    assert "may be pairs or classes" in report.problems[0]


@core
def test_class_folders_called_as_pairs_are_also_said_to_be_classes(tmp_path: Path) -> None:
    report = judge(Odd(8, "classes", ("train",), ("low", "high"), count=12), tmp_path / "data")
    assert "--condition class" in report.also


@core
def test_photographs_saved_as_gif_are_no_label_maps(tmp_path: Path) -> None:
    odd = Odd(7, "free", (), ("night", "day"), naming="words", count=8, size=(32, 32), suffixes=(".png", ".gif"))
    assert claimed(judge(odd, tmp_path / "data")) == "images"


@core
def test_pairs_of_which_one_partner_is_missing_are_still_pairs(tmp_path: Path) -> None:
    for sides in (("night", "day"), ("noisy", "clean")):
        root = tmp_path / sides[0]
        kind = "free" if sides[0] == "night" else "named"
        report = judge(Odd(7, kind, (), sides, count=9, size=(32, 32), content="blurred", harm="no partner"), root)
        assert claimed(report) == "images"
        assert any("no partner" in problem for problem in report.problems)


@core
def test_letters_behind_the_names_of_both_sides_are_no_part_of_them(tmp_path: Path) -> None:
    write(Odd(1, "lettered", (), ("A", "B"), added="_A"), tmp_path)
    for file in (tmp_path / "B").iterdir():
        file.rename(file.with_stem(f"{file.stem}_B"))
    assert check(tmp_path).splits == {"train": 4, "val": 1}


@core
def test_depth_is_told_although_one_file_cannot_be_read(tmp_path: Path) -> None:
    odd = Odd(5, "named", ("train",), ("input", "target"), bits=12, harm="cut")
    assert any("--white-level 4095" in problem for problem in judge(odd, tmp_path / "data").problems)


@core
@pytest.mark.parametrize("kind", ["plain", "labelled"])
def test_a_link_that_leads_back_is_said_not_to_be_followed(kind: str, tmp_path: Path) -> None:
    odd = Odd(2, kind, ("train",), ("labels", "images"), litter=("link loop", "lost link", "checkpoints"))
    notes = judge(odd, tmp_path / "data").notes
    assert any("again: is a link" in note and "not followed" in note for note in notes)
    assert any("lost: is a link" in note and "does not exist" in note for note in notes)


@core
def test_the_truth_of_a_set_without_damage_is_told_without_a_problem(tmp_path: Path) -> None:
    for kind in ("halves", "lettered", "labelled", "instances", "voc", "named", "free"):
        assert judge(ODD[kind], tmp_path / kind).ok


@core
def test_a_wrong_report_is_found_out(tmp_path: Path) -> None:
    truth = write(ODD["lettered"], tmp_path)
    wrong = check(tmp_path)
    wrong.splits = {"train": 5, "val": 4}
    wrong.description = wrong.description.replace("A is the condition", "B is the condition")
    assert len(faults(wrong, truth, tmp_path)) == 3  # told, opened and side
    wrong.description = "2 class folders"
    assert faults(wrong, truth, tmp_path) == ["classes is not ('images',)"]


@core
@pytest.mark.parametrize("style", ["contiguous", "rgb", "smoothed"])
def test_gt_holds_label_maps_or_the_report_says_that_it_may(style: str, tmp_path: Path) -> None:
    odd = Odd(2, "labelled", ("train",), ("gt", "images"), labels=style, classes=5, size=(32, 32))
    report = judge(odd, tmp_path / "data")
    assert claimed(report) == "labels" or "call gt/ labels" in report.also
