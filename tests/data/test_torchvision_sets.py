"""Published sets as torchvision leaves them on disk, made up small."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.tiny import photo, save
from variegate.core.errors import DataError
from variegate.data import open_data
from variegate.data.checks.check import check
from variegate.data.conditions.landmarks import points_of
from variegate.data.conditions.normals import Normals
from variegate.data.readers.torchvision import PETS, PETS_TRAIN
from variegate.evaluation.protocols import named_protocol

pytestmark = pytest.mark.core
BOX = "<bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox>"
XML = f"<annotation><object>{BOX}</object></annotation>"


def pets(root: Path) -> Path:
    """Four heads in boxes of 16x8, of two breeds, and an image without a box."""
    place = root / "oxford-iiit-pet"
    (place / "annotations" / "xmls").mkdir(parents=True)
    for name in ("cat_1", "cat_2", "dog_3", "dog_10", "dog_11"):
        save(place / "images" / f"{name}.png", photo(20, 30))
        if name != "cat_2":
            (place / "annotations" / "xmls" / f"{name}.xml").write_text(XML.format(3, 5, 18, 12))
    lists = {"trainval.txt": ["cat_1", "cat_2", "dog_3", "dog_10"], "test.txt": ["dog_11"]}
    for file, names in lists.items():
        (place / "annotations" / file).write_text("#Image CLASS-ID\n" + "".join(f"{name} 1 1 1\n" for name in names))
    return root


def test_heads_of_pets_are_cut_out_for_a_derived_condition(tmp_path: Path) -> None:
    pairs = open_data(pets(tmp_path), condition="self")
    assert (len(pairs), len(pairs.of_split("test")), pairs.size) == (2, 1, (8, 16))
    whole = np.asarray(Image.open(pairs.files[0]))
    condition, image = pairs.raw(0)
    assert torch.equal(image, torch.from_numpy(whole[4:12, 2:18].copy()).permute(2, 0, 1))
    assert torch.equal(condition, image)
    assert [Path(file).stem for file in (*pairs.files, *pairs.of_split("val").files)] == ["dog_3", "cat_1", "dog_10"]
    assert check(tmp_path, condition="edges").ok


def test_heads_of_pets_are_split_as_for_latent_dropout_codes(tmp_path: Path) -> None:
    """The lists of the data set would leave next to none to test."""
    place = tmp_path / "oxford-iiit-pet"
    (place / "annotations" / "xmls").mkdir(parents=True)
    names = [f"{breed}_{i}" for breed, count in {"Bengal_cat": 44, "pug": 30}.items() for i in range(count)]
    for name in names:
        save(place / "images" / f"{name}.png", photo(4, 4))
        (place / "annotations" / "xmls" / f"{name}.xml").write_text(XML.format(1, 1, 4, 4))
    (place / "annotations" / "trainval.txt").write_text("".join(f"{name} 1 1 1\n" for name in names))
    (place / "annotations" / "test.txt").write_text("Bengal_cat_99 1 1 1\n")
    pairs = open_data(tmp_path, condition="self")
    splits = {split: [Path(file).stem for file in pairs.of_split(split).files] for split in ("train", "val", "test")}
    assert [*map(len, splits.values())] == [54, 6, 14]  # 60 : 14 as 3,000 : 686, less a tenth to choose by
    assert sorted(name for some in splits.values() for name in some) == sorted(names)
    assert sum(name.startswith("pug") for name in splits["test"]) in (5, 6)  # of 14, as 30 of 74
    assert [Path(file).stem for file in open_data(tmp_path, condition="edges", split="test").files] == splits["test"]
    assert named_protocol("dropout-pets").inputs == PETS - PETS_TRAIN == 686


def test_pets_alone_have_no_condition(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"it has no condition of its own: derive one with --condition edges.* normals/"
    ):
        open_data(pets(tmp_path))


@pytest.mark.parametrize("of", ["whole", "head"])
def test_normals_beside_pets_are_cut_out_too(tmp_path: Path, of: str) -> None:
    root = pets(tmp_path)
    (root / "normals").mkdir()
    vectors = {}
    for name in ("cat_1", "dog_3", "dog_10", "dog_11"):
        values = np.random.default_rng(len(name)).normal((0, 0, 3), size=(20, 30, 3))
        values /= np.linalg.norm(values, axis=2, keepdims=True)
        vectors[name] = values[4:12, 2:18].astype(np.float32)
        np.save(root / "normals" / f"{name}.npy", values.astype(np.float32) if of == "whole" else vectors[name])
    pairs = open_data(root)
    assert "with surface normals: 2 train, 1 val, 1 test" in pairs.description
    assert torch.equal(pairs.raw(1)[0], Normals().read(vectors["cat_1"]))
    assert check(root).ok
    (root / "normals" / "dog_3.npy").unlink()
    assert any("no map for 1 heads, such as dog_3.png" in problem for problem in check(root).problems)


def test_a_damaged_annotation_is_told(tmp_path: Path) -> None:
    root = pets(tmp_path)
    xmls = root / "oxford-iiit-pet" / "annotations" / "xmls"
    (xmls / "cat_1.xml").write_text("<annotation>")
    (xmls / "dog_3.xml").write_text(XML.format(9, 9, 3, 3))
    told = check(root, condition="edges").problems
    assert any("cat_1.xml: has no object with a bndbox" in problem for problem in told)
    assert any("dog_3.xml: its box from x 9 to 3" in problem for problem in told)


def lfw(root: Path) -> Path:
    for person in ("Ann_Lee", "Bob_Ray", "Cy_Fox"):
        for i in (1, 2):
            save(root / "lfw-py" / "lfw_funneled" / person / f"{person}_{i:04d}.jpg", photo(16, 16))
    (root / "lfw-py" / "peopleDevTrain.txt").write_text("2\nAnn_Lee\t2\nCy_Fox\t2\n")
    (root / "lfw-py" / "peopleDevTest.txt").write_text("1\nBob_Ray\t2\n")
    return root


def test_faces_in_the_wild_are_split_by_their_lists(tmp_path: Path) -> None:
    root = lfw(tmp_path)
    pairs = open_data(root, condition="grey")
    files = [*pairs.files, *pairs.of_split("val").files]
    assert [Path(file).stem for file in files] == ["Ann_Lee_0001", "Ann_Lee_0002", "Cy_Fox_0001", "Cy_Fox_0002"]
    assert len(pairs.of_split("test")) == 2
    with pytest.raises(DataError, match=r"Labelled Faces in the Wild \(lfw_funneled\); it has no condition"):
        open_data(root / "lfw-py")
    table = {f"{name}/{name}_0001.jpg": [[3, i], [5, 6]] for i, name in enumerate(("Ann_Lee", "Bob_Ray", "Cy_Fox"))}
    (root / "lfw-py" / "landmarks.json").write_text(json.dumps(table))
    pairs = open_data(root)
    assert "2 landmarks each in landmarks.json (3 other images left out): 1 train, 1 val, 1 test" in pairs.description
    assert points_of(pairs.of_split("val").raw(0)[0]).tolist() == [[3, 2], [5, 6]]
    assert points_of(pairs.of_split("test").raw(0)[0])[0].tolist() == [3, 1]
    assert check(root).ok
