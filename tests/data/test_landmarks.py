"""Landmarks as conditions: planes of single points, blobs, files and folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.shared import shared_weights
from helpers.tiny import photo, real, save
from variegate.cli import main
from variegate.core.errors import ConfigError, DataError
from variegate.data import condition_from_mapping, open_data
from variegate.data.checks.check import check
from variegate.data.conditions.landmarks import Landmarks, points_of
from variegate.data.dataset.visits import Visits
from variegate.data.files.landmarks import read_points
from variegate.data.readers.geometry_search import find_landmarks
from variegate.data.scenes.layouts import read_layouts

pytestmark = pytest.mark.core
THREE = Landmarks(points=3, frame=(16, 24))
SPOTS = [[2.0, 3.0], [20.4, 14.6], [23.0, 0.0]]  # rounded: (2, 3), (20, 15), (23, 0)


def faces(root: Path, splits=("train", "test"), count: int = 3, height: int = 16, width: int = 24) -> Path:
    for split in splits:
        for i in range(count):
            save(root / split / f"{i}.png", photo(height, width))
        table = {f"{i}.png": [[x - i, y] for x, y in SPOTS] for i in range(count)}
        (root / split / "landmarks.json").write_text(json.dumps(table))
    return root


def test_a_plane_holds_one_point_at_the_rounded_place() -> None:
    raw = THREE.read(np.array(SPOTS))
    expected = torch.zeros(3, 16, 24, dtype=torch.uint8)
    expected[0, 3, 2] = expected[1, 15, 20] = expected[2, 0, 23] = 1
    assert raw.dtype == torch.uint8
    assert torch.equal(raw, expected)
    encoded = THREE.encode(raw[None])
    assert (encoded.dtype, encoded.shape) == (torch.float32, (1, 3, 16, 24))
    assert torch.equal(encoded[0], expected.float())
    assert torch.equal(points_of(raw), torch.tensor([[2.0, 3], [20, 15], [23, 0]]))


def test_points_a_little_outside_are_clamped_and_absent_ones_empty() -> None:
    raw = THREE.read(torch.tensor([[-4.0, 17.0], [float("nan"), 3.0], [30.0, -3.0]]))
    assert raw.sum(dim=(1, 2)).tolist() == [1, 0, 1]
    assert (raw[0, 15, 0], raw[2, 0, 23]) == (1, 1)
    assert torch.isnan(points_of(raw)[1]).all()


@pytest.mark.parametrize("heat", [0.7, 2.0])
def test_a_blob_is_a_gaussian_of_peak_1(heat: float) -> None:
    condition = THREE.model_copy(update={"heat": heat})
    raw = condition.read(np.array([[2.0, 3.0], [np.nan, np.nan], [23.0, 0.0]]))
    encoded = condition.encode(raw[None].expand(2, -1, -1, -1))
    for p, spot in enumerate([(2, 3), None, (23, 0)]):
        for y in range(16):
            for x in range(24):
                far = 0 if spot is None else (x - spot[0]) ** 2 + (y - spot[1]) ** 2
                value = 0.0 if spot is None else np.exp(-far / (2 * heat**2))
                assert float(encoded[1, p, y, x]) == pytest.approx(value, abs=1e-6)


def test_what_was_read_can_be_read_again_at_any_size() -> None:
    raw = THREE.read(np.array(SPOTS))
    assert torch.equal(THREE.read(raw), raw)
    assert torch.equal(THREE.read(raw.numpy()), raw)
    for again in (THREE.read(raw, (32, 48)), THREE.read(np.array(SPOTS), (32, 48))):
        assert again.shape == (3, 32, 48)
        assert (points_of(again)[0] - torch.tensor([4.5, 6.5])).abs().max() <= 0.5  # (x + 1/2) * 2 - 1/2
    assert torch.equal(THREE.read(THREE.read(raw, (64, 96)), (16, 24)), raw)


def test_the_middle_of_an_image_stays_the_middle_at_every_size() -> None:
    one = Landmarks(points=1, frame=(9, 9))
    for side in (3, 27, 45):
        assert points_of(one.read(np.array([[4.0, 4.0]]), (side, side))).tolist() == [[side // 2] * 2]


def test_the_image_shows_every_point_in_its_own_colour() -> None:
    shown = THREE.to_image(THREE.read(np.array(SPOTS)))
    assert (shown.dtype, tuple(shown.shape)) == (torch.uint8, (3, 16, 24))
    colours = {tuple(shown[:, y, x].tolist()) for x, y in ((2, 3), (20, 15), (23, 0))}
    assert len(colours) == 3
    assert min(max(colour) for colour in colours) > 200
    assert (shown[:, 2:5, 1:4] == shown[:, 3:4, 2:3]).all(), "a dot of 3 x 3"
    assert (shown.amax(dim=0) == 0).float().mean() > 0.9


def test_the_condition_is_saved_and_read_with_a_model() -> None:
    condition = Landmarks(points=5, heat=1.5, frame=(8, 8))
    assert condition_from_mapping(json.loads(condition.model_dump_json())) == condition
    with pytest.raises(DataError, match=r"landmarks\.points"):
        condition_from_mapping({"kind": "landmarks", "points": 0, "frame": [8, 8]})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "[[2, 3], null, [23, 0]]"),
        ("a.json", '{"a.jpg": [[2, 3], [null, null], [23, 0]]}'),
        ("a.csv", "a.jpg,2,3,,,23,0\n"),
        ("a.csv", "file,x0,y0,x1,y1,x2,y2\na.jpg,2.0,3.0,nan,nan,23,0\n"),
        ("a.pts", "version: 1\nn_points: 3\n{\n3.0 4.0\nnan nan\n24 1\n}\n"),
    ],
)
def test_a_file_of_one_image(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    points = read_points(tmp_path / name)
    assert np.array_equal(points, np.array([[2, 3], [np.nan, np.nan], [23, 0]], np.float32), equal_nan=True)
    expected = THREE.read(np.array([[2.0, 3], [np.nan, np.nan], [23, 0]]))
    assert torch.equal(THREE.read(tmp_path / name), expected)
    assert torch.equal(read_layouts([tmp_path / name], THREE)[0], expected)
    assert torch.equal(read_layouts([tmp_path], THREE)[0], expected)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.json", '[[2, 3], [4, "x"]]', r"a\.json: point 1 is 'x', which is not a number"),
        ("a.json", "[[2, 3], [4]]", r"point 1: expected \[x, y\], or null if absent, got '\[4\]'"),
        ("a.json", '{"a": [[1, 2]], "b": [[1, 2]]}', "has landmarks of 2 images"),
        ("a.json", "[[2, 3", "is not valid JSON"),
        ("a.json", "[" * 100_000, "is not valid JSON"),
        ("a.json", f"[[2, 3], [4, 1{'0' * 400}]]", "point 1 is 1000"),
        ("a.csv", "a.png,1,2\na.png,1,3", r"a\.csv: a\.png: has two rows; delete the wrong one"),
        ("a.json", "[[2, 3], [4, 5]]", "expected 3 points, as in the rest of the data, got 2"),
        ("a.json", "[[2, 3], [4, 5], [400, 3]]", r"point 2 at \(400, 3\) is far outside the image of 24x16"),
        ("a.csv", "a.jpg,2,3,4\n", "got 3 values"),
        ("a.pts", "version: 1\n2 3\n", "no points within braces"),
        ("a.pts", "version: 1\nn_points: 4\n{\n2 3\n}\n", r"declares n_points: 4, but has 1"),
        ("a.txt", "2 3", r"is not a landmark file; give a \.json, \.csv or \.pts"),
    ],
)
def test_a_file_with_a_mistake_is_told(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=told):
        THREE.read(tmp_path / name)


def test_arrays_with_a_mistake_are_told() -> None:
    with pytest.raises(DataError, match=r"got \(3,\)"):
        THREE.read(np.zeros(3))
    with pytest.raises(DataError, match="expected 3 planes, one per landmark, got 2"):
        THREE.read(np.zeros((2, 16, 24), np.uint8))
    with pytest.raises(DataError, match="plane 1 marks more than one pixel"):
        THREE.read(np.stack([np.zeros((4, 4)), np.ones((4, 4)), np.zeros((4, 4))]))
    with pytest.raises(DataError, match="there is no such file"):
        THREE.read("nowhere.json")


def test_a_folder_of_faces_is_recognised(tmp_path: Path) -> None:
    pairs = open_data(faces(tmp_path))
    assert pairs.description == "images with 3 landmarks each in landmarks.json: 2 train, 1 val, 3 test"
    assert pairs.condition == Landmarks(points=3, frame=(16, 24))
    raw, image = pairs.raw(1)
    assert points_of(raw).tolist() == [[1, 3], [19, 15], [22, 0]]
    assert image.shape == (3, 16, 24)
    small = open_data(tmp_path, (8, 48), condition="landmarks:2")
    assert small.condition == Landmarks(points=3, heat=2, frame=(8, 48))
    assert points_of(small.raw(0)[0])[0].tolist() == [4, 1]  # x (2 + 1/2) * 2 - 1/2 = 4.5, y 3.5 / 2 - 1/2 = 1.25
    assert check(tmp_path).ok


def test_csv_and_pts_say_the_same(tmp_path: Path) -> None:
    expected = [open_data(faces(tmp_path / "json", ("train",), 4)).raw(i)[0] for i in range(3)]
    for kind in ("csv", "pts"):
        root = tmp_path / kind
        lines = []
        for i in range(4):
            save(root / f"{i}.png", photo(16, 24))
            points = [(x - i, y) for x, y in SPOTS]
            lines.append(f"{i}.png," + ",".join(f"{x},{y}" for x, y in points))
            if kind == "pts":
                rows = "\n".join(f"{x + 1} {y + 1}" for x, y in points)
                (root / f"{i}.pts").write_text(f"version: 1\nn_points:  3\n{{\n{rows}\n}}\n")
        if kind == "csv":
            (root / "landmarks.csv").write_text("\n".join(lines))
        pairs = open_data(root)
        assert pairs.splits == ("train", "val")
        for i in range(3):
            assert torch.equal(pairs.raw(i)[0], expected[i])


def test_mistakes_of_a_folder_are_one_sentence_each(tmp_path: Path) -> None:
    root = faces(tmp_path)
    table = json.loads((root / "train" / "landmarks.json").read_text())
    table["0.png"].pop()
    table["9.png"] = table.pop("2.png")
    (root / "train" / "landmarks.json").write_text(json.dumps(table))
    told = check(root).problems
    assert len(told) == 3
    assert any("has landmarks for missing images: 9.png" in problem for problem in told)
    assert any("has no landmarks for 2.png" in problem for problem in told)
    assert any("0.png: has 2 landmarks, but most images have 3" in problem for problem in told)
    with pytest.raises(DataError, match="and 2 more problems: variegate data check"):
        open_data(root)


def test_points_of_another_size_are_told(tmp_path: Path) -> None:
    root = faces(tmp_path, count=1)
    (root / "train" / "landmarks.json").write_text(json.dumps({"0.png": [[250, 130], [3, 3], [4, 4]]}))
    [told] = check(root).problems
    assert "0.png: point 0 at (250, 130) is far outside the image of 24x16" in told
    with pytest.raises(DataError, match="far outside"):
        open_data(root).raw(0)


def test_a_split_without_landmarks_and_a_damaged_table(tmp_path: Path) -> None:
    root = faces(tmp_path)
    (root / "test" / "landmarks.json").unlink()
    assert [p for p in check(root).problems if "has no landmarks, unlike the other splits" in p]
    (root / "train" / "landmarks.json").write_text("{")
    assert "is not valid JSON" in check(root).problems[0]


def test_landmarks_are_cropped_but_never_mirrored(tmp_path: Path) -> None:
    root = tmp_path / "faces"
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[7, 5] = 255
    save(root / "0.png", pixels)
    (root / "landmarks.json").write_text('{"0.png": [[5, 7]]}')
    pairs = open_data(root)
    with pytest.raises(ConfigError, match="cannot be mirrored"):
        Visits(pairs, flip=True)
    visits, places = Visits(pairs, jitter=1.5), set()
    for key in range(12):
        visit = visits[0, key]
        assert visit["condition"].shape == (1, 16, 16)
        [[x, y]] = points_of(visit["condition"]).tolist()
        bright = visit["image"].float().mean(0)
        assert bright[int(y), int(x)] > 0.8 * bright.max(), "the point goes where the image goes"
        places.add((x, y))
    assert len(places) > 4


def test_label_maps_come_before_landmarks_unless_asked(tmp_path: Path) -> None:
    root = faces(tmp_path, ("train",))
    for i in range(3):
        save(root / "train_labels" / f"{i}.png", np.full((16, 24), i % 2, np.uint8))
    assert open_data(root).condition.kind == "labels"
    pairs = open_data(root, condition="landmarks")
    assert pairs.condition.kind == "landmarks"
    assert open_data(root, condition=pairs.condition).condition == pairs.condition
    with pytest.raises(DataError, match="has no normals next to its images"):
        open_data(root, condition="normals")
    with pytest.raises(DataError, match=r"expected landmarks, or landmarks:1\.5"):
        open_data(root, condition="landmarks:wide")


def test_what_is_accepted_names_them(tmp_path: Path) -> None:
    told = check(tmp_path).problems[0]
    for word in ("landmarks.json", "landmarks.csv", ".pts files", "normals + images", "oxford-iiit-pet", "lfw-py"):
        assert word in told


def test_another_model_is_refused(tmp_path: Path) -> None:
    root = faces(tmp_path)
    labels = open_data("streets", 16).condition
    with pytest.raises(DataError, match="has landmarks, but the model reads a label map"):
        open_data(root, condition=labels)
    with pytest.raises(DataError, match="expected 5 points, as in the rest of the data, got 3"):
        open_data(root, condition=Landmarks(points=5, frame=(16, 24))).raw(0)


def test_a_detector_writes_what_is_recognised(tmp_path: Path) -> None:
    class Corner:
        points, name, digest = 2, "corner", "0"

        def __call__(self, images: torch.Tensor) -> torch.Tensor:
            height, width = images.shape[-2:]
            return torch.tensor([[0.0, 0], [width - 1, height - 1]]).expand(len(images), -1, -1)

    for split, sizes in {"train": [(16, 24), (16, 24), (8, 8)], "test": [(16, 24)]}.items():
        for i, size in enumerate(sizes):
            save(tmp_path / split / f"{i}.png", photo(*size))
    written = find_landmarks(tmp_path, Corner())
    assert written == [tmp_path / "train" / "landmarks.json", tmp_path / "test" / "landmarks.json"]
    assert json.loads(written[0].read_text())["2.png"] == [[0, 0], [7, 7]]
    assert points_of(open_data(tmp_path).of_split("val").raw(0)[0]).tolist() == [
        [1, 0],
        [22, 14],
    ]  # (x + 1/2) * 3 - 1/2
    with pytest.raises(DataError, match="already exists"):
        find_landmarks(tmp_path, Corner())


def test_the_command_finds_landmarks_of_real_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    root = real("faces_landmarks")
    shared_weights(monkeypatch, "pfld_68landmarks.onnx")
    for i in range(6):
        shutil.copy(root / "test" / f"{i:04d}.jpg", tmp_path)
    main(["data", "landmarks", str(tmp_path), "--detector", "pfld_68landmarks.onnx"])
    found = json.loads((tmp_path / "landmarks.json").read_text())
    truth = json.loads((root / "test" / "landmarks.json").read_text())
    errors = [np.linalg.norm(np.subtract(found[name], truth[name]), axis=1).mean() for name in found]
    assert len(errors) == 6
    assert np.median(errors) < 4, "pixels of 128"
    assert check(tmp_path).ok


def test_the_real_faces_are_read_as_released() -> None:
    root = real("faces_landmarks")
    pairs = open_data(root, split="test")
    assert (pairs.size, pairs.condition, len(pairs)) == ((128, 128), Landmarks(points=68, frame=(128, 128)), 300)
    truth = json.loads((root / "test" / "landmarks.json").read_text())
    for i in (0, 7):
        raw, _ = pairs.raw(i)
        name = Path(pairs.files[i]).name
        expected = torch.zeros(68, 128, 128, dtype=torch.uint8)
        for p, (x, y) in enumerate(truth[name]):
            expected[p, min(127, max(0, round(y))), min(127, max(0, round(x)))] = 1
        assert torch.equal(raw, expected)
    assert check(root, limit=4).ok
