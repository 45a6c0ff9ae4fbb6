"""Folders of Hugging Face `datasets`: columns are told by names and types, and read by row."""

from __future__ import annotations

import io
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from torch.utils.data import DataLoader

from helpers.tiny import drawing, ids, photo, save
from variegate.cli import main
from variegate.core.errors import DataError
from variegate.data import open_data
from variegate.data.checks.check import check
from variegate.data.conditions import ClassLabel, ImageCondition, Labels
from variegate.data.dataset.opening import DataConfig
from variegate.data.dataset.packing import Limits, pack
from variegate.data.files import tables
from variegate.data.readers.columns import choose_columns

datasets = pytest.importorskip("datasets")
pytestmark = pytest.mark.core


def stored(pixels: np.ndarray) -> dict[str, Any]:
    stream = io.BytesIO()
    Pillow.fromarray(pixels).save(stream, "png")
    return {"bytes": stream.getvalue(), "path": None}


def written(root: Path, columns: dict[str, list[Any]], **kinds: Any) -> Path:
    features = datasets.Features({name: kinds.get(name, datasets.Image()) for name in columns})
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(str(root))
    return root


PHOTOS = [photo() for _ in range(12)]
MAPS = [ids(0, 1, i % 3) for i in range(12)]
DRAWINGS = [drawing() for _ in range(12)]


def test_two_columns_of_images_are_pairs(tmp_path: Path) -> None:
    pairs = open_data(
        written(tmp_path, {"image": [*map(stored, PHOTOS)], "conditioning_image": [*map(stored, DRAWINGS)]})
    )
    assert "columns conditioning_image + image: conditioning_image is the condition, by its name" in pairs.description
    assert isinstance(pairs.condition, ImageCondition)
    assert (len(pairs), len(pairs.of_split("val"))) == (11, 1)
    for k in range(len(pairs)):
        condition, image = pairs.raw(k)
        assert torch.equal(image, torch.from_numpy(PHOTOS[k]).permute(2, 0, 1))
        assert torch.equal(condition, torch.from_numpy(DRAWINGS[k]).permute(2, 0, 1))


def test_a_column_of_label_maps_is_told_by_its_name_and_read_as_ids(tmp_path: Path) -> None:
    root = written(tmp_path, {"image": [*map(stored, PHOTOS)], "annotation": [*map(stored, MAPS)]})
    pairs = open_data(root)
    assert isinstance(pairs.condition, Labels)
    assert pairs.condition.classes == 3
    assert all(torch.equal(pairs.raw(k)[0][0], torch.from_numpy(MAPS[k])) for k in range(len(pairs)))
    report = check(root)
    assert report.ok
    assert "annotation has label maps, by its name" in report.description
    assert not report.notes


def test_classes_have_their_names_and_splits_theirs(tmp_path: Path) -> None:
    kinds = datasets.Features({"picture": datasets.Image(), "kind": datasets.ClassLabel(names=["ant", "bee"])})
    parts = {
        name: datasets.Dataset.from_dict(
            {"picture": [*map(stored, PHOTOS[:n])], "kind": [1] * (n // 2) + [0] * (n // 2)}, features=kinds
        )
        for name, n in (("train", 12), ("validation", 4), ("test", 2))
    }
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "bugs"))
    pairs = open_data(tmp_path / "bugs")
    assert isinstance(pairs.condition, ClassLabel)
    assert (pairs.condition.names, pairs.splits) == (("ant", "bee"), ("train", "val", "test"))
    assert [len(pairs.of_split(split)) for split in pairs.splits] == [12, 4, 2]
    found = {int(pairs.raw(k)[0][0, 0, 0]): k for k in range(2)}
    assert set(found) == {0, 1}
    assert torch.equal(pairs.raw(found[1])[1], torch.from_numpy(PHOTOS[0]).permute(2, 0, 1))


def test_images_alone_take_a_condition_that_is_given(tmp_path: Path) -> None:
    root = written(tmp_path, {"image": [*map(stored, PHOTOS)]})
    assert open_data(root, condition="edges").raw(0)[0].shape == (1, 16, 16)
    with pytest.raises(DataError, match="has images in 'image', but no classes or conditions; give --condition edges"):
        open_data(root)


def test_integers_of_a_column_that_is_named_so_are_classes(tmp_path: Path) -> None:
    numbers = datasets.Value("int64")
    root = written(tmp_path, {"image": [*map(stored, PHOTOS)], "label": [0, 1, 2] * 4}, label=numbers)
    assert open_data(root).condition.names == ("0", "1", "2")


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (
            ("left", "right"),
            "has the columns of images 'left', 'right', which do not say what is the condition; name one",
        ),
        (("image", "mask", "depth"), "has the columns of images 'image', 'mask', 'depth', which do not say"),
    ],
)
def test_columns_that_leave_it_open_are_refused_with_their_names(
    columns: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    root = written(tmp_path, {name: [*map(stored, PHOTOS[:4])] for name in columns})
    with pytest.raises(DataError, match=told):
        open_data(root)
    assert any(told in problem for problem in check(root).problems)


def test_other_faults_are_one_sentence(tmp_path: Path) -> None:
    two = {"a": datasets.ClassLabel(names=["x"]), "b": datasets.ClassLabel(names=["y"])}
    root = written(tmp_path / "two", {"image": [*map(stored, PHOTOS[:2])], "a": [0, 0], "b": [0, 0]}, **two)
    with pytest.raises(DataError, match="has the columns of classes 'a', 'b'; rename the wanted one to 'label'"):
        open_data(root)
    text = datasets.Value("string")
    with pytest.raises(DataError, match=r"has no column of images, only text \(Value\); cast one to datasets.Image"):
        open_data(written(tmp_path / "text", {"text": ["a", "b"]}, text=text))
    broken = written(tmp_path / "broken", {"image": [*map(stored, PHOTOS)]})
    next(broken.glob("*.arrow")).write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"broken: is no dataset, or is damaged \(.*\); save or copy it again"):
        open_data(broken, condition="edges")


def test_without_the_package_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = written(tmp_path, {"image": [*map(stored, PHOTOS)]})
    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"needs the package datasets: pip install 'variegate\[datasets\]'"):
        open_data(root, condition="edges")


def test_images_stored_as_paths_are_read_there(tmp_path: Path) -> None:
    files = [str(save(tmp_path / "files" / f"{i}.png", one)) for i, one in enumerate(PHOTOS)]
    root = written(tmp_path / "set", {"image": [{"bytes": None, "path": file} for file in files]})
    pairs = open_data(root, condition="self")
    assert torch.equal(pairs.raw(3)[1], torch.from_numpy(PHOTOS[3]).permute(2, 0, 1))


def test_workers_share_the_memory_map(tmp_path: Path) -> None:
    pairs = open_data(written(tmp_path, {"image": [*map(stored, PHOTOS)], "mask": [*map(stored, MAPS)]}))
    alone = [pairs.raw(k) for k in range(len(pairs))]
    pairs._cache.clear()
    fork = multiprocessing.get_context("fork")
    read = list(DataLoader(pairs, batch_size=None, num_workers=2, multiprocessing_context=fork))
    assert all(torch.equal(a, b) for one, other in zip(alone, read, strict=True) for a, b in zip(one, other))


def test_a_dataset_is_packed_and_checked_like_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = written(tmp_path / "set", {"image": [*map(stored, PHOTOS)], "mask": [*map(stored, MAPS)]})
    pack(DataConfig(path=str(root)), tmp_path / "shards", Limits(count=5))
    one, other = open_data(root), open_data(tmp_path / "shards")
    assert one.source.fingerprint == other.source.fingerprint
    assert all(torch.equal(a, b) for k in range(len(one)) for a, b in zip(one[k], other[k]))
    main(["data", "check", str(root)])
    assert "problems   none" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("names", "condition", "kind"),
    [
        (("original_image", "edited_image"), "original_image", "images"),
        (("imageA", "imageB"), "imageA", "images"),
        (("image", "segmentation_mask"), "segmentation_mask", "labels"),
        (("target", "source"), "source", "images"),
        (("pixel_values", "label"), "label", "labels"),
    ],
)
def test_names_say_what_is_the_condition(names: tuple[str, ...], condition: str, kind: str) -> None:
    chosen = choose_columns(names, "set", lambda name: False)
    assert (chosen.condition, chosen.kind) == (condition, kind)
    assert {chosen.condition, chosen.image} == {*names}
