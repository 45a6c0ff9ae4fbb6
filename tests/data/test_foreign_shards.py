"""Shards that others wrote or changed: splits by name, litter, changed names of classes, and an index gone wrong."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.tiny import ids, labelled, photo
from variegate.core.errors import DataError
from variegate.data import open_data
from variegate.data.checks.check import check
from variegate.data.dataset.opening import DataConfig
from variegate.data.dataset.packing import pack
from variegate.data.files import cache

pytestmark = pytest.mark.core
Sample = dict[str, bytes]


def bytes_of(pixels: np.ndarray, kind: str = "png") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def write_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    return path


def of_classes(count: int = 3) -> dict[str, bytes]:
    """Members of images with the classes 0, 1, ..."""
    return {
        f"{i}.{extension}": content
        for i in range(count)
        for extension, content in (("jpg", bytes_of(photo(), "jpeg")), ("cls", str(i).encode()))
    }


def one_sentence(root: Path, **settings: Any) -> str:
    with pytest.raises(DataError) as error:
        open_data(root, **settings)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("imagenet_val_0003", "val"),
        ("dataset-test-0001", "test"),
        ("coco.train.0001", "train"),
        ("imagenet1k-validation-00", "val"),
        ("coco-val2017-shard-0001", "val"),
        ("val/0001", "val"),
        ("test0001", "test"),
        ("latest-0001", "train"),
    ],
)
def test_the_split_is_a_word_anywhere_in_the_name_of_a_shard(name: str, split: str, tmp_path: Path) -> None:
    write_tar(tmp_path / "imagenet1k-train-0000.tar", of_classes(4))
    write_tar(tmp_path / f"{name}.tar", of_classes(3))
    pairs = open_data(tmp_path, split=split)
    assert len(pairs) == (7 if split == "train" else 3) - (split == "train")  # of train alone, one is held out


def test_a_name_with_two_splits_is_refused(tmp_path: Path) -> None:
    write_tar(tmp_path / "voc-train-val-0000.tar", of_classes())
    assert (
        "voc-train-val-0000.tar: voc-train-val-0000 has the splits train and val in its name; keep one"
        in one_sentence(tmp_path)
    )


@pytest.mark.parametrize("left", ["png", "webp"])
def test_a_sample_without_its_image_is_not_paired_with_itself(left: str, tmp_path: Path) -> None:
    labels = bytes_of(ids(0, 1, 2))
    members = {
        f"{i}.{kind}": one for i in range(3) for kind, one in (("jpg", bytes_of(photo(), "jpeg")), ("png", labels))
    }
    write_tar(tmp_path / "a.tar", members | {f"3.{left}": labels if left == "png" else bytes_of(photo(), "webp")})
    assert f"a.tar/3.{left}: has no " in (told := one_sentence(tmp_path))
    assert "unlike the first sample" in told


def test_images_of_one_column_may_still_be_spelt_in_several_ways(tmp_path: Path) -> None:
    labels = bytes_of(ids(0, 1, 2))
    members = {
        "0.jpg": bytes_of(photo(), "jpeg"),
        "0.png": labels,
        "1.jpeg": bytes_of(photo(), "jpeg"),
        "1.png": labels,
    }
    write_tar(tmp_path / "train-0.tar", members)
    write_tar(tmp_path / "val-0.tar", members)
    assert [Path(str(file)).suffix for file in open_data(tmp_path).files] == [".jpg", ".jpeg"]


@pytest.mark.parametrize("name", ["classes.txt", "classes.json"])
def test_changed_names_of_classes_are_read_again(name: str, tmp_path: Path) -> None:
    write_tar(tmp_path / "train-0000.tar", of_classes(3))
    assert open_data(tmp_path).condition.names == ("0", "1", "2")
    for names in (["ant", "bee", "cow"], ["ant", "bee", "wolf"]):
        (tmp_path / name).write_text(json.dumps(names) if name.endswith("json") else "\n".join(names))
        assert open_data(tmp_path).condition.names == tuple(names)


def test_litter_beside_and_in_shards_is_skipped(tmp_path: Path) -> None:
    litter = b"\x00\x05\x16\x07"
    members = {f"{folder}._{name}": litter for name in of_classes() for folder in ("./", "./__MACOSX/")}
    write_tar(tmp_path / "train-0.tar", members | {f"./{name}": one for name, one in of_classes().items()})
    write_tar(tmp_path / "val" / "0.tar", of_classes(2))
    for place in ("._train-0.tar", "val/._0.tar", "__MACOSX/train-0.tar"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_bytes(litter)
    pairs = open_data(tmp_path)
    assert (len(pairs), len(pairs.of_split("val"))) == (3, 2)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("packed")
    labelled(root / "data", maps=4)
    pack(DataConfig.model_validate({"path": str(root / "data"), "condition": "labels"}), root / "shards")
    return root / "shards"


def test_shards_packed_with_labels_are_read_by_a_model_of_labels(packed: Path) -> None:
    pairs = open_data(packed)
    found = open_data(packed, condition=pairs.condition)
    assert found.condition == pairs.condition
    assert all(torch.equal(a, b) for k in range(len(pairs)) for a, b in zip(pairs[k], found[k]))


def test_shards_packed_with_a_derived_condition_are_refused_by_a_model_of_labels(packed: Path, tmp_path: Path) -> None:
    settings = {"path": str(packed.parent / "data" / "train"), "condition": "edges"}
    pack(DataConfig.model_validate(settings), tmp_path / "edges")
    told = one_sentence(tmp_path / "edges", condition=open_data(packed).condition)
    assert "was packed with --condition edges; give --condition edges" in told


def set_place(index: dict[str, Any], name: str, value: int) -> None:
    index["splits"]["train"]["files"]["image"][name][0] = value


def set_name(index: dict[str, Any], name: str) -> None:
    index["shards"][0]["name"] = name


@pytest.mark.parametrize(
    "damage",
    [
        lambda index, other: set_name(index, str(other)),
        lambda index, other: set_name(index, f"../{other.name}"),
        lambda index, _: set_place(index, "offset", 10**20),
        lambda index, _: set_place(index, "size", 10**20),
        lambda index, _: set_place(index, "offset", index["shards"][0]["bytes"] - 1),
        lambda index, _: set_place(index, "offset", -1),
    ],
)
def test_an_index_that_points_outside_its_shards_is_damaged(
    damage: Callable[[dict[str, Any], Path], None], packed: Path, tmp_path: Path
) -> None:
    tar = (packed / "train-000000.tar").read_bytes()
    for place in ("shards/train-000000.tar", "secret.tar"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_bytes(tar)
    index = json.loads((packed / "variegate.json").read_text())
    damage(index, tmp_path / "secret.tar")
    (tmp_path / "shards" / "variegate.json").write_text(json.dumps(index))
    told = "variegate.json: is no index of shards, or is damaged"
    assert told in one_sentence(tmp_path / "shards")
    assert any(told in problem for problem in check(tmp_path / "shards").problems)


def test_what_another_version_saved_is_not_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.save_json("shards", "a key", "a stamp", 1)
    assert cache.load_json("shards", "a key", "a stamp") == 1
    monkeypatch.setattr("importlib.metadata.version", lambda name: f"a later {name}")
    assert cache.load_json("shards", "a key", "a stamp") is None


@pytest.mark.parametrize("name", ["train-0000.tar.gz", "val/0000.tgz"])
@pytest.mark.parametrize("settings", [{}, {"condition": "class"}])
def test_compressed_shards_are_refused_by_name(name: str, settings: dict[str, str], tmp_path: Path) -> None:
    write_tar(tmp_path / name, of_classes(), "w:gz")
    told = f"{name}: is compressed, so that its members cannot be read at an offset; unpack it to .tar (gunzip)"
    assert told in one_sentence(tmp_path, **settings)


@pytest.mark.parametrize(("kind", "unpacker"), [("tar.gz", "gunzip"), ("tgz", "gunzip"), ("tar.xz", "unxz")])
def test_a_compressed_shard_beside_others_is_not_left_out_silently(kind: str, unpacker: str, tmp_path: Path) -> None:
    write_tar(tmp_path / "train-0000.tar", of_classes())
    write_tar(tmp_path / f"train-0001.{kind}", of_classes(), "w:xz" if kind == "tar.xz" else "w:gz")
    said = f"train-0001.{kind}: is compressed, so that its members cannot be read at an offset; unpack it to .tar "
    assert f"{said}({unpacker}), or move it out of the folder" in one_sentence(tmp_path)
    assert any(said in problem for problem in check(tmp_path).problems)


def test_a_compressed_tar_file_beside_packed_shards_is_none_of_them(tmp_path: Path) -> None:
    pack(DataConfig(path=str(labelled(tmp_path / "set"))), tmp_path / "shards")
    write_tar(tmp_path / "shards/backup.tgz", of_classes(), "w:gz")
    assert len(open_data(tmp_path / "shards")) == 2


def test_a_compressed_tar_file_beside_images_is_not_read(tmp_path: Path) -> None:
    write_tar(labelled(tmp_path, maps=4) / "all.tar.gz", of_classes(), "w:gz")
    assert "paired by name" in open_data(tmp_path).description
