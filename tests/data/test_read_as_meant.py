"""What strangers' folders and values mean, where it was once read otherwise without a word."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.tiny import drawing, ids, labelled, photo, save
from variegate.core.errors import ConfigError, DataError
from variegate.data import open_data
from variegate.data.conditions import ImageCondition, Labels, Vector
from variegate.data.dataset.opening import DataConfig
from variegate.data.files.vectors import by_name, matched, read_vectors
from variegate.data.readers.direction import is_grey, spread
from variegate.data.statistics.rarity import Rarity

pytestmark = pytest.mark.core


def halves(root: Path, count: int, flat_first: bool) -> Path:
    for i in range(count):
        sides = [drawing(), photo()] if flat_first else [photo(), drawing()]
        save(root / f"{i}.png", np.concatenate(sides, axis=1))
    return root


def test_an_image_with_a_hole_takes_no_second_mask() -> None:
    condition = ImageCondition(channels=4, derived="inpaint:centre")
    raw = condition.make(torch.from_numpy(photo()).permute(2, 0, 1), 0)
    with pytest.raises(DataError, match="the given image: has a hole in its fourth channel"):
        condition.read((raw, np.pad(np.full((4, 4), 255, np.uint8), ((0, 12), (0, 12)))))


def test_other_data_are_read_in_the_direction_of_training_unless_names_tell(tmp_path: Path) -> None:
    other = halves(tmp_path / "other", 6, flat_first=False)
    assert "B is the condition" in DataConfig(path=str(other)).open().description
    source = DataConfig(path=str(other)).source(direction="AtoB")
    assert source.direction == "AtoB"
    assert "A is the condition (as in training)" in source.description
    for i in range(2):
        save(tmp_path / "named" / "input" / f"{i}.png", photo())
        save(tmp_path / "named" / "target" / f"{i}.png", drawing())
    named = DataConfig(path=str(tmp_path / "named"))
    assert named.source(direction="BtoA").direction == named.source().direction


def test_every_split_of_class_folders_has_each_class_in_proportion(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            for i in range(6):
                save(tmp_path / split / name / f"{i}.png", photo())
    for condition in ("class", "edges"):
        held = open_data(tmp_path, condition=condition).of_split("test")
        assert Counter(Path(file).parent.name for file in held.files[:4]) == {"cat": 2, "dog": 2}
    arrays = {"images": np.zeros((6, 4, 4), np.uint8), "labels": np.repeat([0, 1], 3)}
    for split in ("train", "test"):
        np.savez(tmp_path / f"x_{split}.npz", **arrays)
    test = open_data(tmp_path / "x_train.npz").of_split("test")
    assert sorted(int(test.raw(k)[0].max()) for k in range(2)) == [0, 1]


@pytest.mark.parametrize("condition", ["edges", "none"])
@pytest.mark.parametrize(
    "places", [("trainA", "trainB", "testA", "testB"), ("train/a/cat", "train/a/dog", "test/a/cat")]
)
def test_no_test_image_is_trained_on(tmp_path: Path, condition: str, places: tuple[str, ...]) -> None:
    for place in places:
        for i in range(4):
            save(tmp_path / place / f"{i}.png", photo())
    pairs = open_data(tmp_path, condition=condition)
    assert pairs.splits == ("train", "val", "test")
    for split in pairs.splits:
        parts = {Path(file).relative_to(tmp_path).parts[0].rstrip("AB") for file in pairs.of_split(split).files}
        assert parts == {"test" if split == "test" else "train"}
    assert len(pairs.of_split("test")) == 4 * sum(place.startswith("test") for place in places)


def test_one_table_of_landmarks_keeps_the_splits_of_its_images(tmp_path: Path) -> None:
    table = {}
    for split, count in (("train", 4), ("test", 3)):
        for i in range(count):
            save(tmp_path / split / f"{i}.png", photo())
            table[f"{split}/{i}.png"] = [[1, 2], [3, 4 + i]]
    (tmp_path / "landmarks.json").write_text(json.dumps(table))
    pairs = open_data(tmp_path, condition="landmarks")
    assert [len(pairs.of_split(split)) for split in ("train", "val", "test")] == [3, 1, 3]
    assert all("test" in Path(file).parts for file in pairs.of_split("test").files)


def test_what_is_evaluated_is_held_back_from_nothing(tmp_path: Path) -> None:
    whole = DataConfig(path=str(halves(tmp_path / "plain", 20, True))).source(whole=True)
    assert {split: len(origin.names) for split, origin in whole.origins.items()} == {"train": 20}
    alone = DataConfig(path=str(halves(tmp_path / "alone" / "test", 5, True).parent)).source(whole=True)
    assert list(alone.origins) == ["test"]
    np.savez(tmp_path / "x.npz", images=np.zeros((20, 4, 4), np.uint8), labels=np.arange(20) % 2)
    assert list(DataConfig(path=str(tmp_path / "x.npz")).source(whole=True).origins) == ["train"]


@pytest.mark.parametrize("count", [1, 19, 20, 21, 39, 40, 399])
def test_a_few_of_many_are_spread_over_all(count: int) -> None:
    found = list(spread(range(count), 20))
    assert found == sorted(set(found))
    assert len(found) == min(20, count)
    assert found[-1] >= count - 1 - count / len(found)


def test_colours_in_the_second_half_of_a_folder_are_seen(tmp_path: Path) -> None:
    files = [save(tmp_path / f"{i}.png", photo()[..., 0] if i < 20 else photo()) for i in range(39)]
    assert not is_grey(files)


def test_an_image_of_an_array_without_a_vector_gets_none(tmp_path: Path) -> None:
    file = tmp_path / "e.npz"
    np.savez(file, vectors=np.eye(3), names=np.array([f"faces.npz:{i}" for i in range(3)]))
    with pytest.raises(DataError, match=r"has no vector for faces\.npz:3"):
        matched(read_vectors(file), [f"faces.npz:{i}" for i in range(4)], "faces")
    assert by_name(("a.png", "a.jpg")) == {"a.png": 0, "a.jpg": 1, "a": 0}
    raw = Vector(length=3, file="e.npz", frame=(4, 4)).read(f"vector:{file}:faces.npz:2")
    assert raw[:, 0, 0].tolist() == [0, 0, 1]


def test_a_label_map_means_the_same_as_file_image_and_array(tmp_path: Path) -> None:
    condition = Labels(names=("a", "b", "c"), palette=((0, 0, 0), (1, 1, 1), (2, 2, 2)), values=(0, 3, 6))
    map_ = ids(0, 3, 6)
    file = save(tmp_path / "map.png", map_)
    expected = torch.from_numpy(map_ // 3)[None]
    for source in (file, Image.open(file), map_, map_.astype(np.int64), map_.astype(float)):
        assert torch.equal(condition.read(source), expected)
    assert torch.equal(condition.read(expected), expected), "tensors hold class numbers"
    with pytest.raises(DataError, match="1"):
        condition.read(np.full((4, 4), 1))


def test_a_folder_of_that_name_is_not_the_procedural_set(tmp_path: Path) -> None:
    assert open_data(labelled(tmp_path / "streets")).layout(0) is None
    assert open_data("streets:4", 16).layout(0) is not None


@pytest.mark.parametrize(
    "names", [("station", "train_station", "training_ground", "cat"), ("station", "train_station", "test_tube", "cat")]
)
def test_classes_may_begin_with_words_for_splits(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        for i in range(3):
            save(tmp_path / name / f"{i}.png", photo())
    pairs = open_data(tmp_path, condition="class")
    assert pairs.condition.names == tuple(sorted(names))
    assert pairs.splits == ("train", "val")


def test_names_that_differ_in_their_suffix_are_two_images_unless_names_pair_them(tmp_path: Path) -> None:
    for i in range(6):
        for suffix in ("png", "jpg"):
            for name in ("cat", "dog"):
                save(tmp_path / "classes" / name / f"{i}.{suffix}", photo())
            save(tmp_path / "plain" / f"{i}.{suffix}", photo())
    for place, condition, count in (("classes", "class", 24), ("classes", "edges", 24), ("plain", "none", 12)):
        pairs = open_data(tmp_path / place, condition=condition)
        assert len(pairs) + len(pairs.of_split("val")) == count


def test_rarity_needs_label_maps_of_their_own_images() -> None:
    with pytest.raises(ConfigError, match="needs pairs of label map and image, but streets is unpaired"):
        Rarity(open_data("streets:8", 16, unpaired=True))
