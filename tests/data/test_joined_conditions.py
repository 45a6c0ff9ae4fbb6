"""Conditions that are stored alongside the images, joined with each other and with classes and vectors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.tiny import ids, labelled, photo, save
from variegate.core.errors import ConfigError, DataError
from variegate.data import condition_from_mapping, open_data
from variegate.data.checks.check import check
from variegate.data.conditions import CompositeCondition, Landmarks, Normals
from variegate.data.conditions.landmarks import points_of
from variegate.data.dataset.opening import DataConfig
from variegate.data.dataset.packing import pack
from variegate.data.dataset.visits import Visits
from variegate.data.derived.blocks import reduce

pytestmark = pytest.mark.core
SPOTS = [[2.0, 3.0], [9.0, 14.0]]


def pointed(place: Path, names: list[str]) -> None:
    table = {name: [[x + i, y] for x, y in SPOTS] for i, name in enumerate(names)}
    (place / "landmarks.json").write_text(json.dumps(table))


def vectors(file: Path, count: int) -> Path:
    np.save(file, np.arange(count * 2, dtype=np.float32).reshape(count, 2))
    return file


def hills(place: Path, count: int) -> None:
    place.mkdir(parents=True)
    for i in range(count):
        flat = np.zeros((16, 16, 3), dtype=np.float32)
        flat[..., i % 3] = 1
        np.save(place / f"{i}.npy", flat)


def test_landmarks_and_attributes(tmp_path: Path) -> None:
    for i in range(4):
        save(tmp_path / f"{i}.png", photo())
    pointed(tmp_path, [f"{i}.png" for i in range(4)])
    file = vectors(tmp_path / "attributes.npy", 4)
    pairs = open_data(tmp_path, condition=f"landmarks:2+vectors:{file}")
    assert isinstance(pairs.condition, CompositeCondition)
    assert pairs.condition.channels == 4
    points, attributes = pairs.condition.split(pairs.raw(1)[0])
    assert points_of(points).tolist() == [[3, 3], [10, 14]]
    assert attributes[:, 0, 0].tolist() == [2, 3]
    assert torch.equal(pairs.condition.piece(Landmarks, pairs.raw(1)[0]), points)
    assert torch.equal(pairs.condition.piece(Normals, pairs.raw(1)[0]) or torch.ones(1), torch.ones(1))
    assert condition_from_mapping(pairs.condition.model_dump()) == pairs.condition
    assert open_data(tmp_path, condition=pairs.condition).condition == pairs.condition
    with pytest.raises(ConfigError, match="cannot be mirrored"):
        pairs.condition.check_mirroring()
    assert check(tmp_path, condition=f"landmarks+vectors:{file}").ok


def test_label_maps_and_landmarks_and_attributes(tmp_path: Path) -> None:
    root = labelled(tmp_path)
    pointed(root / "train", ["0.jpg", "1.jpg", "2.jpg"])
    file = vectors(tmp_path / "attributes.npy", 3)
    words = f"labels+landmarks+vectors:{file}"
    pairs = open_data(root, condition=words)
    labels, points, attributes = pairs.condition.split(pairs.raw(1)[0])
    assert torch.equal(labels, open_data(root).raw(1)[0])
    assert points_of(points).tolist() == [[3, 3], [10, 14]]
    assert attributes[:, 0, 0].tolist() == [2, 3]
    assert pairs.condition.encode(pairs.raw(1)[0][None]).shape == (1, 3 + 2 + 2, 16, 16)
    report = check(root, condition=words)
    assert report.ok
    assert [name for name, _ in report.classes] == list(open_data(root).condition.names)
    assert open_data(root, condition="labels").condition == open_data(root).condition
    pointed(root / "train", ["0.jpg", "1.jpg"])
    with pytest.raises(DataError, match=r"has no landmarks for train/2\.jpg; add some to landmarks\.json"):
        open_data(root, condition="labels+landmarks")


def test_normals_and_attributes(tmp_path: Path) -> None:
    hills(tmp_path / "normals", 3)
    for i in range(3):
        save(tmp_path / "images" / f"{i}.png", photo())
    file = vectors(tmp_path / "attributes.npy", 3)
    pairs = open_data(tmp_path, condition=f"normals+vectors:{file}")
    normals, attributes = pairs.condition.split(pairs.raw(1)[0])
    assert torch.equal(normals, open_data(tmp_path).raw(1)[0])
    assert attributes[:, 0, 0].tolist() == [2, 3]
    assert check(tmp_path, condition=f"normals+vectors:{file}").ok
    with pytest.raises(DataError, match="do not lie in class folders; give their classes as vectors"):
        open_data(tmp_path, condition="normals+class")


@pytest.mark.parametrize("words", ["normals+labels", "labels+normals+landmarks"])
def test_normals_and_label_maps(tmp_path: Path, words: str) -> None:
    root = labelled(tmp_path / "data", "labels", "images")
    hills(root / "normals", 3)
    pointed(root / "images", ["0.jpg", "1.jpg", "2.jpg"])
    (root / "images" / "boxes.json").write_text(json.dumps({f"{i}.jpg": [2, 3, 10, 11] for i in range(3)}))
    pairs = open_data(root, condition=words)
    index = len(open_data(root, condition="labels")) - 1
    parts = [*zip(words.split("+"), pairs.condition.split(pairs.raw(index)[0]))]
    for word, part in parts:
        if word == "landmarks":
            assert points_of(part).tolist() == [[min(x + index - 2, 7), min(y - 3, 7)] for x, y in SPOTS]
        else:
            assert torch.equal(part, open_data(root, condition=word).raw(index)[0]), word
    assert pairs.condition.channels == 3 + 3 + 2 * ("landmarks" in words)
    assert condition_from_mapping(pairs.condition.model_dump()) == pairs.condition
    assert check(root, condition=words).ok
    pack(DataConfig(path=str(root), condition=words), tmp_path / "shards")  # type: ignore[arg-type]
    assert torch.equal(open_data(tmp_path / "shards").raw(index)[0], pairs.raw(index)[0])
    np.save(root / "normals" / "1.npy", np.full((16, 16, 3), 2.0))
    assert any("1.npy: has normals that are not of unit length" in one for one in check(root, condition=words).problems)
    (root / "normals" / "1.npy").unlink()
    with pytest.raises(DataError, match=r"images/1\.jpg .*no partner|has no normals for images/1\.jpg"):
        open_data(root, condition=words)


def test_label_maps_without_normals_are_told(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"has label maps but no normals; add normals/, with a map named like each image"
    ):
        open_data(labelled(tmp_path), condition="labels+normals")


def test_streets_have_normals_and_label_maps(tmp_path: Path) -> None:
    pairs = open_data("streets:4", 32, condition="normals+labels")
    normals, labels = pairs.condition.split(pairs.raw(0)[0])
    assert torch.equal(normals, open_data("streets:4", 32, condition="normals").raw(0)[0])
    assert torch.equal(labels, open_data("streets:4", 32).raw(0)[0])
    mirrored = pairs.condition.split(pairs.condition.mirror(pairs.raw(0)[0]))
    assert torch.equal(mirrored[0], Normals().mirror(normals))


def test_landmarks_and_what_is_derived_from_the_image(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / f"{i}.png", photo())
    pointed(tmp_path, ["0.png", "1.png", "2.png"])
    pairs = open_data(tmp_path, condition="superres:4+landmarks")
    condition, image = pairs.raw(1)
    small, points = pairs.condition.split(condition)
    reduced = reduce(image.permute(1, 2, 0).contiguous().numpy(), 4).transpose(2, 0, 1)
    assert torch.equal(small, torch.from_numpy(reduced.copy()))
    assert points_of(points).tolist() == [[3, 3], [10, 14]]
    assert check(tmp_path, condition="superres:4+landmarks").ok


def test_landmarks_and_classes(tmp_path: Path) -> None:
    names = [f"{animal}/{i}.png" for animal in ("cat", "dog") for i in range(2)]
    for name in names:
        save(tmp_path / name, photo())
    pointed(tmp_path, names)
    pairs = open_data(tmp_path, condition="landmarks+class")
    shown = [pairs.condition.class_of(pairs.raw(i)[0]) for i in range(len(pairs))]
    assert set(shown) == {"cat", "dog"}
    other = open_data(tmp_path, condition=pairs.condition)
    assert torch.equal(other.raw(0)[0], pairs.raw(0)[0])


def test_a_tenth_of_each_class_is_held_out_with_landmarks_too(tmp_path: Path) -> None:
    names = [f"{animal}/{i}.png" for animal in ("cat", "dog") for i in range(10)]
    for name in names:
        save(tmp_path / name, photo(16, 32))
    pointed(tmp_path, names)
    held = open_data(tmp_path, condition="landmarks+class", split="val")
    assert {held.condition.class_of(held.raw(i)[0]) for i in range(len(held))} == {"cat", "dog"}


def test_landmarks_of_nested_images_are_found_above_them(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / "images" / "street" / f"{i}.jpg", photo())
        save(tmp_path / "labels" / "street" / f"{i}.png", ids(0, 1, 2))
    pointed(tmp_path / "images", [f"street/{i}.jpg" for i in range(3)])
    _, points = open_data(tmp_path, condition="labels+landmarks").condition.split(
        open_data(tmp_path, condition="labels+landmarks").raw(1)[0]
    )
    assert points_of(points).tolist() == [[3, 3], [10, 14]]


def test_what_a_crop_would_not_move_is_refused() -> None:
    pairs = open_data("streets:20", 32, condition="superres:4+landmarks")
    Visits(pairs)
    with pytest.raises(
        ConfigError, match=r"made after the crop, which would not move the landmarks; give --training\.j"
    ):
        Visits(pairs, jitter=1.25)
    moved = Visits(open_data("streets:20", 32, condition="edges+landmarks"), jitter=1.25)
    windows = {tuple(moved[3, key]["condition"][1:].nonzero().flatten().tolist()) for key in range(4)}
    assert len(windows) > 1


def test_unpaired_data_have_label_maps_only() -> None:
    assert open_data("streets:20", 32, condition="labels", unpaired=True).unpaired
    with pytest.raises(DataError, match="cannot be unpaired"):
        open_data("streets:20", 32, condition="inpaint+landmarks", unpaired=True)


def test_a_vector_file_may_be_named_like_a_condition(tmp_path: Path) -> None:
    for i in range(2):
        save(tmp_path / "photos" / f"{i}.png", photo())
    file = vectors(tmp_path / "faces+labels.npy", 2)
    assert open_data(tmp_path / "photos", condition=f"vectors:{file}").condition.channels == 2


@pytest.mark.parametrize("words", ["labels+landmarks", "normals+landmarks:1", "landmarks+edges", "landmarks+inpaint"])
def test_streets_have_them_all(words: str) -> None:
    pairs = open_data("streets:20", 32, condition=words)
    pieces = pairs.condition.split(pairs.raw(3)[0])
    for part, piece in zip(words.split("+"), pieces, strict=True):
        alone = open_data("streets:20", 32, condition=part).raw(3)[0]
        assert torch.equal(piece.float(), alone.float())
    assert open_data("streets:20", 32, condition=pairs.condition).condition == pairs.condition
    with pytest.raises(DataError, match="streets have no classes or vectors"):
        open_data("streets:20", 32, condition=f"{words}+vectors:none.npy")
