"""Folders are recognised by what is in them; what is not recognised, or not whole, is said in words."""

from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.tiny import drawing, ids, labelled, photo, save
from variegate.core.errors import DataError
from variegate.data import open_data
from variegate.data.conditions import ImageCondition, Labels

core = pytest.mark.core


@core
@pytest.mark.parametrize("split", ["train", "."])
def test_side_by_side_images_are_split_and_the_flat_half_is_the_condition(tmp_path: Path, split: str) -> None:
    for i in range(3):
        save(tmp_path / split / f"{i}.png", np.hstack([photo(), drawing()]))
    pairs = open_data(tmp_path)
    condition, image = pairs.raw(0)
    assert condition[:, 15, 3].tolist() == [200, 0, 0]
    assert image.shape == (3, 16, 16)
    assert pairs.condition == ImageCondition(half="right")
    assert "B is the condition" in pairs.description
    swapped = open_data(tmp_path, direction="AtoB")
    assert torch.equal(swapped.raw(0)[1], condition)
    assert "as asked" in swapped.description


@core
def test_halves_that_are_equally_flat_are_said_to_be_undecided(tmp_path: Path) -> None:
    save(tmp_path / "1.png", np.hstack([drawing(), drawing()]))
    assert "BtoA swaps" in open_data(tmp_path).description


@core
def test_one_image_with_another_ratio_is_named_with_its_size(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / "train" / f"{i}.png", photo(16, 32))
    save(tmp_path / "train" / "odd.png", photo(16, 33))
    with pytest.raises(DataError, match=r"odd\.png: is 33x16.*odd width has no middle.*32x16"):
        open_data(tmp_path)


@core
def test_a_wrong_direction_is_corrected(tmp_path: Path) -> None:
    save(tmp_path / "1.png", photo(16, 32))
    with pytest.raises(DataError, match="did you mean 'AtoB'"):
        open_data(tmp_path, direction="AtoC")  # type: ignore[arg-type]


@core
@pytest.mark.parametrize(("first", "second"), [("train_A", "train_B"), ("trainA", "trainB"), ("A/train", "B/train")])
def test_lettered_folders_are_paired_by_name_in_natural_order(tmp_path: Path, first: str, second: str) -> None:
    for i in (10, 9, 1):
        save(tmp_path / first / f"{i}.png", drawing())
        save(tmp_path / second / f"{i}.jpg", photo())
    pairs = open_data(tmp_path)
    assert [Path(file).stem for file in pairs.files] == ["1", "9"]  # 10 is held out
    assert "A is the condition" in pairs.description
    assert pairs.raw(0)[0][:, 15, 0].tolist() == [200, 0, 0]


@core
def test_lettered_folders_of_grey_conditions_need_one_channel(tmp_path: Path) -> None:
    for i in range(2):
        save(tmp_path / "trainA" / f"{i}.png", ids(0, 255))
        save(tmp_path / "trainB" / f"{i}.png", photo())
    assert open_data(tmp_path).condition == ImageCondition(channels=1)


@core
@pytest.mark.parametrize(
    ("label", "image"),
    [
        ("train_label", "train_img"),
        ("train_labels", "train"),
        ("trainannot", "train"),
        ("labels/train", "images/train"),
        ("label", "img"),
        ("labels", "images"),
    ],
)
def test_label_folders_give_ids_and_their_classes(tmp_path: Path, label: str, image: str) -> None:
    pairs = open_data(labelled(tmp_path, label, image))
    assert isinstance(pairs.condition, Labels)
    assert pairs.condition.names == ("class 0", "class 1", "class 2")
    condition, photograph = pairs.raw(0)
    assert condition.shape == (1, 16, 16)
    assert condition.unique().tolist() == [0, 1, 2]
    assert photograph.dtype == torch.uint8


@core
def test_missing_partners_are_named_with_where_they_were_expected(tmp_path: Path) -> None:
    labelled(tmp_path, maps=12)
    for i in range(5):
        (tmp_path / "train_labels" / f"{i}.png").unlink()
    with pytest.raises(DataError, match=r"0\.jpg \(expected .*train_labels/0\.png\).* and 2 more: no partner"):
        open_data(tmp_path)


@core
def test_folders_without_common_names_look_unpaired(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / "trainA" / f"horse{i}.png", photo())
        save(tmp_path / "trainB" / f"zebra{i}.png", photo())
    with pytest.raises(DataError, match=r"look unpaired: only 0 of 3.*method for unpaired data"):
        open_data(tmp_path)


@core
def test_a_missing_half_is_named(tmp_path: Path) -> None:
    save(tmp_path / "trainA" / "1.png", photo())
    with pytest.raises(DataError, match="has trainA/ but not trainB/"):
        open_data(tmp_path)


@core
def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    labelled(tmp_path)
    save(tmp_path / "train" / "0.png", photo())
    with pytest.raises(DataError, match="differ only in their suffix"):
        open_data(tmp_path)


@core
def test_a_direction_makes_no_sense_for_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="direction BtoA does not apply"):
        open_data(labelled(tmp_path), direction="BtoA")


@core
def test_a_misspelt_path_finds_its_sibling(tmp_path: Path) -> None:
    (tmp_path / "facades").mkdir()
    with pytest.raises(DataError, match=r"no such folder; did you mean '.*facades'"):
        open_data(tmp_path / "facade")
    with pytest.raises(DataError, match="no such folder"):
        open_data(tmp_path / "no" / "where")


@core
def test_an_empty_folder_a_file_and_an_unknown_structure_say_what_is_accepted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is empty; accepted:"):
        open_data(tmp_path)
    (tmp_path / "notes.md").write_text("x")
    (tmp_path / "stuff").mkdir()
    with pytest.raises(DataError, match=r"contains no image pairs, only notes\.md, stuff/; accepted:"):
        open_data(tmp_path)
    with pytest.raises(DataError, match="is a file"):
        open_data(tmp_path / "notes.md")
