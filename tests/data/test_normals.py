"""Surface normals as conditions: without loss of precision, from every kind of file."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.onnx_files import write_onnx
from helpers.tiny import photo, save
from variegate.cli import main
from variegate.core.errors import DataError
from variegate.core.images import to_float
from variegate.data import Pairs, condition_from_mapping, open_data
from variegate.data.checks.check import check
from variegate.data.conditions.normals import Normals
from variegate.data.dataset.visits import Visits, to_batch
from variegate.data.readers.geometry_search import estimate_normals
from variegate.data.scenes.layouts import read_layouts

pytestmark = pytest.mark.core
NORMALS = Normals()


def hills(height: int = 16, width: int = 24, seed: int = 0) -> np.ndarray:
    """Random unit vectors float32 (H, W, 3) that face the viewer; a corner without any."""
    vectors = np.random.default_rng(seed).normal((0, 0, 3), size=(height, width, 3))
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    vectors[:3, :4] = 0
    return vectors.astype(np.float32)


def folder(root: Path, first: str = "train_normals", second: str = "train_img", count: int = 3) -> Path:
    (root / first).mkdir(parents=True)
    for i in range(count):
        np.save(root / first / f"{i}.npy", hills(seed=i))
        save(root / second / f"{i}.jpg", photo(16, 24))
    return root


def test_floats_are_kept_to_a_part_in_65534(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", hills())
    raw = NORMALS.read(tmp_path / "a.npy")
    assert (raw.dtype, tuple(raw.shape)) == (torch.int16, (3, 16, 24))
    encoded = NORMALS.encode(raw[None])
    assert encoded.dtype == torch.float32
    assert (encoded[0].permute(1, 2, 0) - torch.from_numpy(hills())).abs().max() < 0.51 / 32767
    assert (raw[:, :3, :4] == 0).all()
    for again in (
        NORMALS.read(raw),
        NORMALS.read(raw.numpy()),
        NORMALS.read(hills()),
        NORMALS.read(str(tmp_path / "a.npy")),
    ):
        assert torch.equal(again, raw)
    assert torch.equal(read_layouts([tmp_path], NORMALS)[0], raw)


def test_eight_bit_images_are_decoded_and_made_unit(tmp_path: Path) -> None:
    coded = np.rint((hills() + 1) * 127.5).astype(np.uint8)
    coded[5, 5] = 0  # black is no normal either
    save(tmp_path / "a.png", coded)
    found = NORMALS.encode(NORMALS.read(tmp_path / "a.png")[None])[0].permute(1, 2, 0)
    expected = torch.from_numpy(hills())
    expected[5, 5] = 0
    assert (found - expected).abs().max() < 0.01
    length = found.norm(dim=2)
    assert ((length - 1).abs() < 1e-4)[expected.norm(dim=2) > 0].all()
    assert (length[expected.norm(dim=2) == 0] == 0).all()
    assert torch.equal(NORMALS.read(Image.fromarray(coded)), NORMALS.read(tmp_path / "a.png"))


@pytest.mark.parametrize("names", ["RGB", "XYZ"])
def test_openexr_keeps_floats(tmp_path: Path, names: str) -> None:
    exr = pytest.importorskip("OpenEXR")
    header = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    channels = {name: np.ascontiguousarray(hills()[..., i]) for i, name in enumerate(names)}
    with exr.File(header, channels) as file:
        file.write(str(tmp_path / "a.exr"))
    assert torch.equal(NORMALS.read(tmp_path / "a.exr"), NORMALS.read(hills()))


def test_openexr_is_asked_for_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.exr").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(DataError, match=r"a\.exr: needs the package OpenEXR: pip install 'variegate\[exr\]'"):
        NORMALS.read(tmp_path / "a.exr")


def test_resizing_averages_and_makes_unit_vectors_again() -> None:
    left, right = np.array([0.6, 0, 0.8]), np.array([-0.6, 0, 0.8])
    halves = np.concatenate([np.tile(left, (8, 4, 1)), np.tile(right, (8, 4, 1))], axis=1).astype(np.float32)
    small = NORMALS.encode(NORMALS.read(halves, (1, 1))[None])[0, :, 0, 0]
    assert torch.allclose(small, torch.tensor([0.0, 0.0, 1.0]), atol=1e-4)
    resized = NORMALS.encode(NORMALS.read(hills(), (8, 12))[None])[0]
    length = resized.norm(dim=0)
    assert (((length - 1).abs() < 1e-4) | (length == 0)).all()
    assert (resized[:, 0, 0] == 0).all()
    assert (length > 0).float().mean() > 0.9
    nothing = NORMALS.read(np.zeros((8, 8, 3), np.float32), (4, 4))
    assert (nothing == 0).all()


def test_mirroring_turns_what_faces_left_to_the_right() -> None:
    raw = NORMALS.read(hills())
    mirrored = NORMALS.mirror(raw)
    assert torch.equal(NORMALS.mirror(mirrored), raw)
    for x in range(24):
        assert torch.equal(mirrored[0, :, x], -raw[0, :, 23 - x])
        assert torch.equal(mirrored[1:, :, x], raw[1:, :, 23 - x])


def test_visits_mirror_normals_with_their_image(tmp_path: Path) -> None:
    pairs = open_data(folder(tmp_path))
    condition, image = pairs.raw(0)
    seen = set()
    visits = Visits(pairs, flip=True)
    for key in range(10):
        visit = visits[0, key]
        turned = not torch.equal(visit["image"], image)
        assert torch.equal(visit["image"], image.flip(-1) if turned else image)
        assert torch.equal(visit["condition"], NORMALS.mirror(condition) if turned else condition)
        seen.add(turned)
    assert seen == {True, False}
    cropped = Visits(pairs, jitter=1.5)[0, 3]["condition"]
    length = NORMALS.encode(cropped[None])[0].norm(dim=0)
    assert (((length - 1).abs() < 1e-4) | (length == 0)).all()


def test_the_image_has_the_usual_colours() -> None:
    raw = NORMALS.read(np.array([[[0, 0, 1], [1, 0, 0], [0, 0, 0]]], np.float32))
    assert NORMALS.to_image(raw).permute(1, 2, 0).tolist() == [[[128, 128, 255], [255, 128, 128], [128, 128, 128]]]


def test_the_condition_is_saved_with_a_model() -> None:
    assert condition_from_mapping(NORMALS.model_dump(mode="json")) == NORMALS


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("train_normals", "train_img"),
        ("train_normals", "train"),
        ("normals", "images"),
        ("normals/train", "images/train"),
    ],
)
def test_folders_are_recognised(tmp_path: Path, first: str, second: str) -> None:
    pairs = open_data(folder(tmp_path, first, second))
    assert pairs.description == f"{first}/ + {second}/ paired by name, surface normals: 2 train, 1 val"
    assert pairs.condition == NORMALS
    for i in range(2):
        raw, _ = pairs.raw(i)
        assert torch.equal(raw, NORMALS.read(hills(seed=i)))
        assert pairs.raw(i)[0] is raw, "kept in memory"
    batch = to_batch(
        {"condition": raw[None], "image": pairs.raw(1)[1][None], "index": torch.zeros(1), "key": torch.zeros(1)},
        pairs.condition,
    )
    assert float(batch.condition.norm(dim=1).max()) == pytest.approx(1, abs=1e-4)
    assert check(tmp_path).ok
    assert open_data(tmp_path, condition="normals").condition == NORMALS
    assert open_data(tmp_path, condition="edges").condition.kind == "image"


def test_the_cache_counts_bytes_not_numbers(tmp_path: Path) -> None:
    one_pair = 16 * 24 * (3 * 2 + 3)  # int16 normals and uint8 pixels
    pairs = Pairs(replace(open_data(folder(tmp_path)).source, cache_bytes=one_pair), "train")
    first = pairs.raw(0)
    pairs.raw(1)
    assert pairs.raw(0) is first
    assert pairs.raw(1) is not pairs.raw(1)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.zeros((16, 24, 2), np.float32), r"expected shape \(H, W, 3\) or \(3, H, W\), got \(16, 24, 2\)"),
        (hills() * 1.5, r"not of unit length: 1\.5 at x \d+, y \d+, and 97 % of them are off by more than 0\.1"),
        (np.full((4, 4, 3), np.nan, np.float32), "holds NaN or infinity"),
        (np.zeros((0, 0, 3), np.float32), r"got \(0, 0, 3\)"),
        (np.zeros((4, 4, 3), np.int64), r"expected floats \(H, W, 3\) in \[-1, 1\], got int64"),
    ],
)
def test_a_wrong_array_is_told(tmp_path: Path, values: np.ndarray, told: str) -> None:
    root = folder(tmp_path)
    np.save(root / "train_normals" / "1.npy", values)
    [problem] = check(root).problems
    assert str(root / "train_normals" / "1.npy") in problem
    with pytest.raises(DataError, match=told):
        open_data(root).raw(1)


def test_other_mistakes_are_told(tmp_path: Path) -> None:
    root = folder(tmp_path)
    (root / "train_normals" / "0.npy").write_bytes(b"not numpy")
    (root / "train_normals" / "2.npy").unlink()
    np.save(root / "train_normals" / "1.npy", hills(16, 16))
    told = check(root).problems
    assert any("0.npy: is not an .npy file of numbers" in problem for problem in told)
    assert any("2.jpg (expected" in problem and "no partner" in problem for problem in told)
    assert any("1.npy: is 16x16, but its image" in problem for problem in told)
    Image.fromarray(photo()).save(tmp_path / "a.jpg")
    with pytest.raises(DataError, match="saved as JPEG"):
        NORMALS.read(tmp_path / "a.jpg")
    (tmp_path / "lonely" / "train_normals").mkdir(parents=True)
    with pytest.raises(DataError, match=r"train_normals/ contains no normals; add \.npy"):
        open_data(tmp_path / "lonely")


def test_estimated_normals_are_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def colours(images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(images, dim=1)

    for split, sizes in {"train": [(16, 24), (16, 24), (8, 8)], "test": [(16, 24)]}.items():
        for i, size in enumerate(sizes):
            save(tmp_path / split / f"{i}.png", photo(*size))
    assert estimate_normals(tmp_path, colours) == [tmp_path / "train_normals", tmp_path / "test_normals"]
    pairs = open_data(tmp_path)
    assert pairs.condition == NORMALS
    condition, image = pairs.raw(1)
    expected = colours(to_float(image)[None])[0]
    assert torch.allclose(NORMALS.encode(condition[None])[0], expected, atol=2e-3)
    with pytest.raises(DataError, match="train_normals: already exists"):
        estimate_normals(tmp_path, colours)


def test_an_image_that_cannot_be_read_leaves_no_half_of_a_folder(tmp_path: Path) -> None:
    save(tmp_path / "a.png", photo())
    (tmp_path / "b.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"b\.png"):
        estimate_normals(tmp_path, lambda images: images)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]
    with pytest.raises(DataError, match="no such folder"):
        estimate_normals(tmp_path / "c", lambda images: images)
    save(tmp_path / "a.jpg", photo())
    with pytest.raises(DataError, match="has several images named a, whose normals would be one file; rename some"):
        estimate_normals(tmp_path, lambda images: images)


def test_the_command_estimates_normals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime")
    save(tmp_path / "photos" / "a.png", photo())
    network = write_onnx(tmp_path / "same.onnx", ("Identity",), ("b", 3, "h", "w"))
    main(["data", "normals", str(tmp_path / "photos"), "--estimator", str(network)])
    assert "normals: 1 maps of normals, by same.onnx" in capsys.readouterr().out
    assert open_data(tmp_path / "photos").condition == NORMALS
