"""Unpaired data: both sides are gone through evenly, nothing that belongs together is kept together."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.tiny import ids, labelled, photo, save
from variegate.core.errors import DataError
from variegate.data import open_data
from variegate.data.checks.check import check
from variegate.data.conditions import ImageCondition, Labels
from variegate.data.readers.folders import mix

pytestmark = pytest.mark.core


def zoo(root: Path, horses: int = 30, zebras: int = 20, names: tuple[str, str] = ("trainA", "trainB")) -> Path:
    for name, count, word in zip(names, (horses, zebras), ("horse", "zebra")):
        for i in range(count):
            save(root / name / f"{word}{i}.png", photo(8 + i % 3, 8))
    return root


@given(st.integers(1, 300), st.integers(1, 300))
def test_every_image_of_both_sides_is_visited_and_evenly(first: int, second: int) -> None:
    sides = [[Path(f"{name}{i}") for i in range(count)] for name, count in (("a", first), ("b", second))]
    items = mix(*sides)
    assert len(items) == max(first, second)
    for files, side in (([item.condition for item in items], sides[0]), ([item.image for item in items], sides[1])):
        counts = [files.count(file) for file in side]
        assert min(counts) >= 1
        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("names", [("trainA", "trainB"), ("train_A", "train_B"), ("A", "B")])
def test_two_folders_without_common_names_are_taken_as_they_are(tmp_path: Path, names: tuple[str, str]) -> None:
    pairs = open_data(zoo(tmp_path, names=names), size=8, unpaired=True, direction="AtoB")
    assert pairs.unpaired
    assert "unpaired" in pairs.description
    assert pairs.condition == ImageCondition()
    assert (len(pairs), len(pairs.validation())) == (27, 3)
    condition, image = pairs.raw(0)
    assert condition.shape == image.shape == (3, 8, 8)
    again = open_data(tmp_path, size=8, unpaired=True, direction="AtoB")
    assert again.files == pairs.files
    assert torch.equal(again.raw(5)[0], pairs.raw(5)[0])
    back = open_data(tmp_path, size=8, unpaired=True, direction="BtoA")
    assert torch.equal(back.raw(5)[0], pairs.raw(5)[1])
    assert torch.equal(back.raw(5)[1], pairs.raw(5)[0])


def test_no_held_out_image_is_trained_on_from_either_side(tmp_path: Path) -> None:
    train = open_data(zoo(tmp_path), unpaired=True)
    seen = {}
    for split in ("train", "val"):
        items = train.source.origins[split].items  # type: ignore[attr-defined]
        seen[split] = {file for item in items for file in (item.image, item.condition)}
    assert not seen["train"] & seen["val"]
    assert (len(seen["train"]), len(seen["val"])) == (27 + 18, 3 + 2)


def test_what_was_paired_by_name_is_taken_apart(tmp_path: Path) -> None:
    for i in range(30):
        save(tmp_path / "trainA" / f"{i}.png", np.full((8, 8, 3), i, dtype=np.uint8))
        save(tmp_path / "trainB" / f"{i}.png", np.full((8, 8, 3), i, dtype=np.uint8))
    pairs = open_data(tmp_path, unpaired=True, direction="AtoB")
    together = [int(c[0, 0, 0]) == int(x[0, 0, 0]) for c, x in map(pairs.raw, range(len(pairs)))]
    assert sum(together) < 5


def test_label_maps_may_be_unpaired_too(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / "train_label" / f"map{i}.png", ids(0, 1))
    for i in range(5):
        save(tmp_path / "train_img" / f"photo{i}.png", photo())
    pairs = open_data(tmp_path, unpaired=True)
    assert isinstance(pairs.condition, Labels)
    assert pairs.raw(0)[0].unique().tolist() == [0, 1]


def test_a_derived_condition_is_that_of_another_image(tmp_path: Path) -> None:
    for i in range(30):
        save(tmp_path / f"{i}.png", np.full((8, 8, 3), i, dtype=np.uint8))
    pairs = open_data(tmp_path, condition="self", unpaired=True)
    values = [(int(c[0, 0, 0]), int(x[0, 0, 0])) for c, x in map(pairs.raw, range(len(pairs)))]
    assert sum(c == x for c, x in values) < 5
    assert {c for c, _ in values} == {x for _, x in values} == set(range(27))
    assert open_data(tmp_path, condition="self").raw(4)[0].equal(open_data(tmp_path, condition="self").raw(4)[1])


@pytest.mark.parametrize("condition", [None, "self"])
def test_streets_lose_their_pairs(condition: str | None) -> None:
    apart, paired = (open_data("streets:50", 16, condition=condition, unpaired=u) for u in (True, False))
    assert "unpaired" in apart.description
    assert all(torch.equal(apart.raw(i)[0], paired.raw(i)[0]) for i in range(50))
    assert sum(torch.equal(apart.raw(i)[1], paired.raw(i)[1]) for i in range(50)) < 5
    images = {paired.raw(i)[1].numpy().tobytes() for i in range(50)}
    assert {apart.raw(i)[1].numpy().tobytes() for i in range(50)} == images
    assert apart.validation().unpaired


def test_what_cannot_be_unpaired_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "one" / "1.png", photo(8, 16))
    with pytest.raises(DataError, match="unpaired data need two folders, such as trainA/ and trainB/"):
        open_data(tmp_path / "one", unpaired=True)
    for path in (tmp_path / "one", "streets:20"):
        with pytest.raises(DataError, match="'inpaint' cannot be unpaired: a hole is filled in the image that it"):
            open_data(path, condition="inpaint", unpaired=True)
    zoo(tmp_path / "zoo", 3, 3)
    save(tmp_path / "zoo" / "testA" / "1.png", photo())
    with pytest.raises(DataError, match=r"testB: contains no images, but unpaired data need images on both sides"):
        open_data(tmp_path / "zoo", unpaired=True)


def test_the_check_opens_each_image_once_and_compares_none_with_another(tmp_path: Path) -> None:
    zoo(tmp_path, 6, 4)
    save(tmp_path / "trainB" / "wide.png", photo(8, 40))
    report = check(tmp_path, unpaired=True)
    assert report.ok
    assert "trainA/ + trainB/ unpaired" in report.text()
    assert sum(report.sizes.values()) == 5
    (tmp_path / "trainB" / "zebra0.png").write_bytes(b"")
    assert len(check(tmp_path, unpaired=True).problems) == 1


def test_paired_folders_are_still_refused_without_the_word(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="method for unpaired data"):
        open_data(zoo(tmp_path, 3, 3))
    assert not open_data(labelled(tmp_path / "pairs")).unpaired
