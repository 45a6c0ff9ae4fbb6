"""Vectors as conditions: their files, which image each belongs to, and how one is given."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file

from helpers.tiny import RNG, photo, save
from variegate.core.errors import DataError
from variegate.data import open_data
from variegate.data.checks.check import check
from variegate.data.conditions import CompositeCondition, Vector
from variegate.data.dataset.visits import Visits, collate, to_batch
from variegate.data.files.vectors import read_vectors

pytestmark = pytest.mark.core
NAMES = ["1.png", "2.png", "10.png", "30.png"]  # in natural order


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for name in NAMES:
        save(root / name, photo())
    return root


def written(folder: Path, how: str, rows: np.ndarray, names: list[str]) -> Path:
    """Rows in another order than the images', but for .npy."""
    order = [2, 0, 3, 1]
    mixed, called = rows[order], [names[i] for i in order]
    file = folder / f"v.{how.split()[0]}"
    if how == "npy":
        np.save(file, rows)
    elif how == "npz":
        np.savez(file, vectors=mixed, names=np.array(called))
    elif how == "npz keys":
        np.savez(file, **dict(zip(called, mixed)))
    elif how == "safetensors":
        save_file({"vectors": np.ascontiguousarray(mixed)}, file, metadata={"names": json.dumps(called)})
    else:
        save_file({name: np.ascontiguousarray(row) for name, row in zip(called, mixed)}, file)
    return file


@pytest.mark.parametrize("how", ["npy", "npz", "npz keys", "safetensors", "safetensors keys"])
@pytest.mark.parametrize("bare", [False, True])
def test_every_image_gets_its_vector(tmp_path: Path, photos: Path, how: str, bare: bool) -> None:
    rows = RNG.normal(size=(4, 5)).astype(np.float32)
    file = written(tmp_path, how, rows, [Path(name).stem for name in NAMES] if bare else NAMES)
    pairs = open_data(photos, condition=f"vectors:{file}")
    assert pairs.condition == Vector(length=5, file=str(file), frame=(16, 16))
    for one in (pairs, pairs.of_split("val")):
        for k, picture in enumerate(one.files):
            raw, _ = one.raw(k)
            assert raw.stride() == (1, 0, 0)
            row = torch.from_numpy(rows[NAMES.index(Path(picture).name)])
            assert torch.equal(raw, row.view(5, 1, 1).expand(5, 16, 16))
    again = open_data(photos, condition=pairs.condition)
    assert torch.equal(again.raw(0)[0], pairs.raw(0)[0])
    assert "vectors of 5 values in" in check(photos, condition=f"vectors:{file}").text()


def test_vectors_of_class_folders_have_paths_as_names(tmp_path: Path) -> None:
    root = tmp_path / "people"
    for name in ("ann/1.png", "ann/2.png", "bob/1.png"):
        save(root / name, photo())
    rows = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.savez(tmp_path / "v.npz", vectors=rows, names=np.array(["bob/1", "ann/2", "ann/1"]))
    pairs = open_data(root, condition=f"class+vectors:{tmp_path / 'v.npz'}")
    assert isinstance(pairs.condition, CompositeCondition)
    found = {}
    for one in (pairs, pairs.of_split("val")):
        found |= {
            Path(f).relative_to(root).as_posix(): one.raw(k)[0][:, 0, 0].tolist() for k, f in enumerate(one.files)
        }
    assert found == {"ann/1.png": [0, 4, 5], "ann/2.png": [0, 2, 3], "bob/1.png": [1, 0, 1]}


def test_vectors_of_arrays_are_in_the_order_of_rows(tmp_path: Path) -> None:
    np.savez(tmp_path / "x_train.npz", images=np.zeros((3, 4, 4), np.uint8))
    np.savez(tmp_path / "x_test.npz", images=np.zeros((2, 4, 4), np.uint8))
    np.save(tmp_path / "v.npy", np.arange(10.0).reshape(5, 2))
    pairs = open_data(tmp_path / "x_train.npz", condition=f"vectors:{tmp_path / 'v.npy'}")
    assert pairs.of_split("val").raw(0)[0][:, 0, 0].tolist() == [4, 5]
    assert pairs.of_split("test").raw(0)[0][:, 0, 0].tolist() == [6, 7]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("v.npy", np.zeros((3, 2)), "has 3 vectors, but .*photos has 4 images"),
        ("v.npy", np.array([[0, 1], [np.nan, 0], [0, 0], [0, 0]]), "with NaN or infinity, such as row 1"),
        ("v.npy", np.array([{}], dtype=object), "cannot be read"),
        ("v.npy", np.zeros((2, 2, 2)), r"\(N, D\), got type float64 and shape \(2, 2, 2\)"),
        ("v.npz", {"vectors": np.zeros((4, 2)), "names": np.array(["1.png"])}, "has 4 vectors, but 1 names"),
        (
            "v.npz",
            {"1": np.zeros(2), "2": np.zeros(3)},
            "the vector of 2 has 3 values, that of 1 2; all must have the same",
        ),
        ("v.npz", {"1": np.zeros(2), "2": np.zeros(2)}, r"has no vector for 10\.png, 30\.png; its names, such as 1,"),
        ("v.txt", None, "is not a vector file; write float"),
        ("w.npy", None, "there is no such vector file"),
    ],
)
def test_what_is_wrong_with_vectors_is_told(tmp_path: Path, photos: Path, name: str, content, words: str) -> None:
    if isinstance(content, dict):
        np.savez(tmp_path / name, **content)
    elif content is not None:
        np.save(tmp_path / name, content)
    with pytest.raises(DataError, match=words):
        open_data(photos, condition=f"vectors:{tmp_path / name}")
    assert not check(photos, condition=f"vectors:{tmp_path / name}").ok


def test_a_vector_is_given_as_numbers_or_by_its_place_in_a_file(tmp_path: Path) -> None:
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.savez(tmp_path / "v.npz", vectors=rows, names=np.array(["a/x.png", "b.png"]))
    condition = Vector(length=3, frame=(4, 4))
    wanted = torch.from_numpy(rows[1]).view(3, 1, 1).expand(3, 4, 4)
    file = tmp_path / "v.npz"
    for source in (rows[1], torch.from_numpy(rows[1]), f"vector:{file}:1", f"{file}:b.png", f"{file}:b", wanted):
        assert torch.equal(condition.read(source), wanted)
    encoded = condition.encode(torch.stack([wanted, wanted]))
    assert torch.equal(encoded[0], wanted)
    assert encoded.stride()[2:] == (0, 0)
    assert read_vectors(file).number("a/x") == 0
    shown = condition.to_image(condition.read(rows[1], (4, 9)))
    assert shown[0, 0].tolist() == [0, 0, 0, 128, 128, 128, 255, 255, 255]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (np.zeros(4), r"expected shape \(3,\), got \(4,\)"),
        (np.array([0, np.inf, 0]), "got NaN or infinity"),
        (3, "expected 3 values"),
        (Image.new("L", (2, 2)), "expected 3 values"),
        ("vector:FILE", "has 2 vectors, but no row was specified; give .*ROW with a row from 0 to 1"),
        ("vector:FILE:7", "has no row 7"),
        ("vector:FILE:bb", "no vector named 'bb'; known: aaa.png, bbb.png"),
        ("dog", "is not a vector file"),
    ],
)
def test_what_is_no_vector_is_told(tmp_path: Path, source, words: str) -> None:
    np.savez(tmp_path / "v.npz", vectors=np.zeros((2, 3)), names=np.array(["aaa.png", "bbb.png"]))
    if isinstance(source, str):
        source = source.replace("FILE", str(tmp_path / "v.npz"))
    with pytest.raises(DataError, match=words):
        Vector(length=3, frame=(2, 2)).read(source)


def test_a_batch_of_vectors_takes_no_more_memory_than_their_numbers(tmp_path: Path, photos: Path) -> None:
    np.save(tmp_path / "v.npy", RNG.normal(size=(4, 7)))
    pairs = open_data(photos, condition=f"vectors:{tmp_path / 'v.npy'}")
    visits = Visits(pairs, jitter=1.5, flip=True)
    raw = collate([visits[i, key] for i, key in ((0, 5), (1, 6), (2, 7))])
    assert raw["condition"].shape == (3, 7, 1, 1)
    batch = to_batch(raw, pairs.condition)
    assert batch.condition.shape == (3, 7, 16, 16)
    assert batch.condition.stride()[2:] == (0, 0)
    assert torch.equal(batch.condition[1], pairs.raw(1)[0])


def test_a_model_reads_vectors_of_its_own_length_only(tmp_path: Path, photos: Path) -> None:
    np.save(tmp_path / "v.npy", np.zeros((4, 7)))
    with pytest.raises(DataError, match="has vectors of 7 values, but the model reads 5"):
        open_data(photos, condition=Vector(length=5, file=str(tmp_path / "v.npy")))
