"""Boundaries between instances: a further channel that no resizing loses."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers.tiny import labelled, photo, save
from variegate.core.errors import DataError
from variegate.data import condition_from_mapping, open_data
from variegate.data.checks.check import check
from variegate.data.conditions import Labels
from variegate.data.files.images import resize_largest
from variegate.data.files.instances import boundary
from variegate.data.statistics.rarity import Rarity

pytestmark = pytest.mark.core

ROAD = Labels(names=("sky", "road"), palette=((0, 0, 255), (90, 90, 90)), boundaries=True)
CARS = np.repeat(np.array([[0] * 5 + [26001] * 6 + [26002] * 5], dtype=np.uint16), 16, axis=0)
EDGES = [0] * 4 + [1, 1] + [0] * 4 + [1, 1] + [0] * 4  # both sides of columns 5 and 11


def with_instances(root: Path, label: str = "train_label", image: str = "train_img", inst: str = "train_inst") -> Path:
    labelled(root, label, image, maps=4)
    for i in range(4):
        save(root / inst / f"{i}.png", CARS)
    return root


@settings(max_examples=60, derandomize=True)
@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 6))
def test_a_boundary_is_where_any_neighbour_differs(seed: int, height: int, width: int) -> None:
    ids = np.random.default_rng(seed).integers(0, 3, (height, width))
    found = boundary(ids)
    for y in range(height):
        for x in range(width):
            around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            differs = any(ids[j, i] != ids[y, x] for j, i in around if 0 <= j < height and 0 <= i < width)
            assert found[y, x] == differs


@settings(max_examples=100, derandomize=True)
@given(st.integers(0, 2**31), st.tuples(*[st.integers(1, 17)] * 4))
def test_each_pixel_of_a_reduced_plane_is_the_largest_of_those_it_covers(seed: int, sizes: tuple[int, ...]) -> None:
    height, width, tall, wide = sizes
    plane = (np.random.default_rng(seed).random((height, width)) < 0.1).astype(np.uint8)
    expected = np.zeros((tall, wide), dtype=np.uint8)
    for y in range(tall):
        for x in range(wide):
            rows = slice(y * height // tall, -(-(y + 1) * height // tall))
            expected[y, x] = plane[rows, x * width // wide : -(-(x + 1) * width // wide)].max()
    assert np.array_equal(resize_largest(plane, (tall, wide)), expected)
    assert resize_largest(plane, (height, width)).any() == plane.any() == expected.any()


@pytest.mark.parametrize(
    ("label", "image", "inst"),
    [
        ("train_label", "train_img", "train_inst"),
        ("train_label", "train_img", "train_instance"),
        ("train_labels", "train", "train_inst"),
        ("labels", "images", "inst"),
    ],
)
def test_instance_maps_beside_label_maps_add_a_channel(tmp_path: Path, label: str, image: str, inst: str) -> None:
    pairs = open_data(with_instances(tmp_path, label, image, inst))
    assert isinstance(pairs.condition, Labels)
    assert (pairs.condition.classes, pairs.condition.channels, pairs.condition.boundaries) == (3, 4, True)
    assert f"instance maps in {inst}/" in pairs.description
    raw = pairs.raw(0)[0]
    assert raw.shape == (2, 16, 16)
    assert raw[0].unique().tolist() == [0, 1, 2]
    assert raw[1, 7].tolist() == EDGES
    encoded = pairs.condition.encode(raw[None])
    assert encoded.shape == (1, 4, 16, 16)
    assert torch.equal(encoded[0, 3], raw[1].float())
    assert torch.equal(encoded[0, :3].sum(0), torch.ones(16, 16))
    assert torch.equal(pairs.condition.read(raw), raw)
    assert pairs.condition.to_image(raw).shape == (3, 16, 16)


def test_a_thin_boundary_survives_reduction(tmp_path: Path) -> None:
    pairs = open_data(with_instances(tmp_path), size=4)
    assert pairs.raw(0)[0][1].tolist() == [[0, 1, 1, 0]] * 4
    for side in range(1, 16):
        assert open_data(tmp_path, size=side).raw(0)[0][1].any()


def test_every_form_of_an_instance_map_gives_the_same_boundaries(tmp_path: Path) -> None:
    small = (CARS % 251).astype(np.uint8)
    colours = np.array([(0, 0, 0), (0, 0, 9), (0, 9, 0)], dtype=np.uint8)[np.unique(CARS, return_inverse=True)[1]]
    indexed = Image.fromarray(small).convert("P")
    forms = {"sixteen": Image.fromarray(CARS), "eight": Image.fromarray(small), "palette": indexed}
    forms["colours"] = Image.fromarray(colours.reshape(16, 16, 3))
    labels = np.zeros((16, 16), dtype=np.uint8)
    for name, picture in forms.items():
        picture.save(tmp_path / f"{name}.png")
        raw = ROAD.read((labels, tmp_path / f"{name}.png"))
        assert raw[1, 3].tolist() == EDGES, name
        assert not raw[0].any()
    for array in (CARS, CARS.astype(np.int64), torch.from_numpy(CARS.astype(np.int32)), CARS.astype(np.float64)):
        assert ROAD.read((labels, array))[1, 3].tolist() == EDGES


def test_a_label_map_alone_has_the_boundaries_of_its_classes(tmp_path: Path) -> None:
    labels = np.zeros((4, 6), dtype=np.uint8)
    labels[:, 3:] = 1
    Image.fromarray(labels).save(tmp_path / "x.png")
    for form in (labels, tmp_path / "x.png", labels[None], torch.from_numpy(labels), np.array(ROAD.palette)[labels]):
        assert ROAD.read(form).tolist() == [labels.tolist(), [[0, 0, 1, 1, 0, 0]] * 4]
    assert ROAD.read(labels, size=(2, 3))[1].tolist() == [[0, 1, 0]] * 2


def test_missing_and_superfluous_instance_maps_are_named(tmp_path: Path) -> None:
    with_instances(tmp_path)
    (tmp_path / "train_inst" / "1.png").unlink()
    with pytest.raises(DataError, match=r"train_label/1\.png \(expected .*train_inst/1\.png\): no partner"):
        open_data(tmp_path)
    save(tmp_path / "train_inst" / "1.png", CARS)
    save(tmp_path / "train_inst" / "9.png", CARS)
    with pytest.raises(DataError, match=r"train_inst/9\.png \(expected .*train_label/9\.png\): no partner"):
        open_data(tmp_path)


def test_a_split_without_instance_maps_is_a_problem(tmp_path: Path) -> None:
    with_instances(tmp_path)
    labelled(tmp_path, "test_label", "test_img")
    with pytest.raises(DataError, match=r"has train_inst/ but not test_inst/; put the instance maps there"):
        open_data(tmp_path)


def test_an_instance_map_of_another_size_or_a_jpeg_is_named(tmp_path: Path) -> None:
    with_instances(tmp_path)
    save(tmp_path / "train_inst" / "0.png", CARS[:8])
    with pytest.raises(DataError, match=r"train_inst/0\.png: is 16x8, but its label map is 16x16; .*same size"):
        open_data(tmp_path).raw(0)
    (tmp_path / "train_inst" / "0.png").unlink()
    save(tmp_path / "train_inst" / "0.jpg", photo())
    with pytest.raises(DataError, match=r"0\.jpg: is an instance map saved as JPEG"):
        open_data(tmp_path).raw(0)


def test_the_check_says_that_instance_maps_were_found_and_opens_them(tmp_path: Path) -> None:
    report = check(with_instances(tmp_path))
    assert report.ok
    assert "instance maps in train_inst/" in report.text()
    assert "label maps with 3 classes, and instance maps" in report.text()
    save(tmp_path / "train_inst" / "0.png", CARS[:8])
    (tmp_path / "train_inst" / "1.png").write_bytes(b"")
    (tmp_path / "train_inst" / "2.png").unlink()
    problems = check(tmp_path).problems
    for words in ("0.png: is 16x8", "1.png: is empty", "no partner"):
        assert sum(words in problem for problem in problems) == 1, words
    assert len(problems) == 3


def test_pairs_of_sources_make_no_sense_without_boundaries() -> None:
    plain = ROAD.model_copy(update={"boundaries": False})
    with pytest.raises(DataError, match="does not use instances; give only the label map"):
        plain.read((CARS, CARS))
    with pytest.raises(DataError, match=r"expected a pair \(label map, instance map\), got a tuple of"):
        ROAD.read((CARS, CARS, CARS))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"got \(2, 4, 5\)"):
        plain.read(np.zeros((2, 4, 5), dtype=np.uint8))


def test_ids_are_checked_as_without_boundaries() -> None:
    with pytest.raises(DataError, match=r"label id 7, expected 0\.\.1"):
        ROAD.read(np.full((4, 4), 7, dtype=np.uint8))
    with pytest.raises(DataError, match=r"label id 2, expected"):
        ROAD.encode(torch.full((1, 2, 4, 4), 2, dtype=torch.uint8))


def test_a_saved_condition_keeps_its_boundaries_and_an_older_one_has_none() -> None:
    saved = ROAD.model_dump(mode="json")
    assert condition_from_mapping(saved) == ROAD
    del saved["boundaries"]
    assert condition_from_mapping(saved) == ROAD.model_copy(update={"boundaries": False})


def test_a_trained_model_decides_whether_instance_maps_are_read(tmp_path: Path) -> None:
    found = open_data(with_instances(tmp_path)).condition
    assert isinstance(found, Labels)
    plain = found.model_copy(update={"boundaries": False})
    assert open_data(tmp_path, condition=plain).raw(0)[0].shape == (1, 16, 16)
    other = open_data(labelled(tmp_path / "other"), condition=found)
    assert other.raw(0)[0].shape == (2, 16, 16)


def test_rarity_counts_classes_and_not_boundaries(tmp_path: Path) -> None:
    with_instances(tmp_path)
    pairs = open_data(tmp_path)
    rare = Rarity(pairs)
    assert rare.scores.shape == (3, 3)
    raw = torch.stack([pairs.raw(i)[0] for i in range(2)])
    assert rare.weight(raw, torch.arange(2)).shape == (2, 1, 16, 16)
