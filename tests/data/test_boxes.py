"""Boxes beside a user's own images: everything that belongs to a pair is cropped alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.tiny import ids, labelled, photo, save
from variegate.core.errors import DataError
from variegate.data import open_data
from variegate.data.checks.check import check
from variegate.data.conditions.landmarks import points_of
from variegate.data.dataset.opening import DataConfig
from variegate.data.dataset.packing import pack
from variegate.data.files.boxes import read_boxes
from variegate.data.files.instances import boundary
from variegate.data.readers.geometry_search import estimate_normals, find_landmarks

pytestmark = pytest.mark.core
NAMES = ("1.png", "2.png", "3.png")
BOX = (2, 4, 18, 12)  # 16x8 of images of 30x20
EDGES = "file_name,left,top,right,bottom\n"
TABLES = {
    "boxes.csv": EDGES + "".join(f"{name},2,4,18,12\n" for name in NAMES),
    "boxes.json": json.dumps(dict.fromkeys(NAMES, BOX)),
    "boxes.jsonl": "".join(
        json.dumps({"file_name": name, "x": 2.4, "y": 3.6, "width": 16, "height": 8, "score": 0.9}) + "\n"
        for name in NAMES
    ),
}


def photos(root: Path, table: str = "boxes.csv") -> Path:
    for name in NAMES:
        save(root / name, photo(20, 30))
    (root / table).write_text(TABLES[table])
    return root


def cut(file: str | Path, box: tuple[int, int, int, int] = BOX) -> torch.Tensor:
    values = np.atleast_3d(np.asarray(Image.open(file)))
    return torch.from_numpy(values[box[1] : box[3], box[0] : box[2]].copy()).permute(2, 0, 1)


@pytest.mark.parametrize("table", TABLES)
def test_images_are_cropped_to_their_boxes_in_any_table(tmp_path: Path, table: str) -> None:
    pairs = open_data(photos(tmp_path, table), condition="self")
    assert (pairs.size, len(pairs), len(pairs.of_split("val"))) == ((8, 16), 2, 1)
    for index, file in enumerate(pairs.files):
        condition, image = pairs.raw(index)
        assert torch.equal(image, cut(file))
        assert torch.equal(condition, image)
    report = check(tmp_path, condition="self")
    assert report.ok
    assert f"cropped to the boxes in {table}" in report.text()
    assert table not in "".join(report.notes)


def test_x_y_width_height_are_columns_too(tmp_path: Path) -> None:
    (tmp_path / "boxes.csv").write_text("file_name, x, y, width, height\n./a/1.png, -3, 0.5, 10, 2\n")
    assert read_boxes(tmp_path / "boxes.csv") == {"a/1.png": (0, 1, 7, 3)}


def test_label_and_instance_maps_are_cropped_with_their_images(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / "train_img" / f"{i}.png", photo(20, 30))
        save(tmp_path / "train_label" / f"{i}.png", ids(0, 1, 2, height=20, width=30))
        save(tmp_path / "train_inst" / f"{i}.png", np.arange(600, dtype=np.uint16).reshape(20, 30) // 50)
    (tmp_path / "boxes.csv").write_text(EDGES + "".join(f"train_img/{i}.png,2,4,18,12\n" for i in range(3)))
    pairs = open_data(tmp_path)
    condition, image = pairs.raw(0)
    edges = boundary(np.asarray(Image.open(tmp_path / "train_inst" / "0.png")))
    assert torch.equal(image, cut(pairs.files[0]))
    assert torch.equal(condition[:1], cut(tmp_path / "train_label" / "0.png"))
    assert torch.equal(condition[1], torch.from_numpy(edges[4:12, 2:18].copy()))
    assert check(tmp_path).ok
    save(tmp_path / "train_label" / "1.png", ids(0, 1, 2, height=8, width=16))  # of the box itself
    save(tmp_path / "train_inst" / "1.png", ids(7, height=8, width=16))
    assert torch.equal(open_data(tmp_path).raw(1)[0][:1], cut(tmp_path / "train_label" / "1.png", (0, 0, 16, 8)))
    save(tmp_path / "train_label" / "1.png", ids(0, 1, 2, height=10, width=15))
    save(tmp_path / "train_inst" / "1.png", ids(7, height=10, width=15))
    with pytest.raises(
        DataError, match=r"train_label/1\.png: is 15x10, but its image .* is 30x20, and 16x8 in its box"
    ):
        open_data(tmp_path).raw(1)
    assert any("16x8 in its box" in problem for problem in check(tmp_path).problems)


@pytest.mark.parametrize("side", ["A", "B"])
@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_a_box_of_either_side_crops_both(tmp_path: Path, side: str, direction: str) -> None:
    for name in NAMES:
        save(tmp_path / "train_A" / name, photo(20, 30))
        save(tmp_path / "train_B" / name, photo(20, 30))
    (tmp_path / f"train_{side}" / "boxes.csv").write_text(TABLES["boxes.csv"])
    condition, image = open_data(tmp_path, direction=direction).raw(0)
    sides = [cut(tmp_path / f"train_{letter}" / "1.png") for letter in "AB"]
    given, wanted = sides if direction == "AtoB" else sides[::-1]
    assert torch.equal(condition, given)
    assert torch.equal(image, wanted)


def test_two_named_folders_have_boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labelled(tmp_path, "ids", "photos")
    (tmp_path / "photos" / "boxes.json").write_text(json.dumps({f"{i}.jpg": [0, 0, 8, 16] for i in range(3)}))
    monkeypatch.chdir(tmp_path)
    assert open_data({"condition": "ids", "image": "photos"}).raw(0)[0].shape == (1, 16, 8)


def test_landmarks_move_into_the_box(tmp_path: Path) -> None:
    photos(tmp_path)
    (tmp_path / "landmarks.json").write_text(json.dumps({name: [[2, 4], [10, 11], None] for name in NAMES}))
    found = points_of(open_data(tmp_path).raw(0)[0])
    assert found[:2].tolist() == [[0, 0], [8, 7]]
    assert found[2].isnan().all()


def test_faces_in_the_wild_are_cropped_to_boxes(tmp_path: Path) -> None:
    place = tmp_path / "lfw-py" / "lfw-deepfunneled"
    for person in ("Ann_Lee", "Bob_Ray"):
        save(place / person / f"{person}_0001.jpg", photo(20, 30))
    (tmp_path / "lfw-py" / "landmarks.json").write_text(
        json.dumps({f"{name}/{name}_0001.jpg": [[3, 5], [17, 11]] for name in ("Ann_Lee", "Bob_Ray")})
    )
    rows = "".join(f"{name}/{name}_0001.jpg,2,4,16,8\n" for name in ("Ann_Lee", "Bob_Ray"))
    (place / "boxes.csv").write_text("file_name,x,y,width,height\n" + rows)
    pairs = open_data(tmp_path)
    assert pairs.size == (8, 16)
    condition, image = pairs.raw(0)
    assert points_of(condition).tolist() == [[1, 1], [15, 7]]
    with Image.open(place / "Ann_Lee" / "Ann_Lee_0001.jpg") as whole:
        assert torch.equal(image, torch.from_numpy(np.asarray(whole)[4:12, 2:18].copy()).permute(2, 0, 1))


def test_networks_see_what_lies_in_the_box(tmp_path: Path) -> None:
    sizes = []

    def middle(images: torch.Tensor) -> torch.Tensor:
        sizes.append(tuple(images.shape[2:]))
        return torch.tensor([[[8.0, 4.0]]]).expand(len(images), -1, -1)

    def up(images: torch.Tensor) -> torch.Tensor:
        return torch.stack([images[:, 0] * 0, images[:, 0] * 0, images[:, 0] * 0 + 1], dim=1)

    find_landmarks(photos(tmp_path / "points"), middle)
    estimate_normals(photos(tmp_path / "surfaces"), up)
    assert {*sizes} == {(8, 16)}
    assert json.loads((tmp_path / "points" / "landmarks.json").read_text())["1.png"] == [[10, 8]]
    assert np.load(tmp_path / "surfaces" / "normals" / "1.npy").shape == (8, 16, 3)
    assert points_of(open_data(tmp_path / "points").raw(0)[0]).tolist() == [[8, 4]]
    assert open_data(tmp_path / "surfaces").raw(0)[0].shape == (3, 8, 16)


def test_boxes_are_packed(tmp_path: Path) -> None:
    root = photos(tmp_path / "photos")
    pack(DataConfig(path=str(root), condition="self"), tmp_path / "shards")  # type: ignore[arg-type]
    packed, loose = open_data(tmp_path / "shards"), open_data(root, condition="self")
    for index in range(len(loose)):
        assert torch.equal(packed.raw(index)[1], loose.raw(index)[1])


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("boxes.csv", EDGES + "1.png,1,2,3\n", r"boxes\.csv, line 2: has no bottom; add it"),
        ("boxes.csv", EDGES + "1.png,1,2,3,4\n2.png,1,x,3,4\n", r"line 3: top is 'x', which is not a number"),
        ("boxes.csv", EDGES + "1.png,1,2,inf,4\n", r"line 2: right is 'inf', which is not a number"),
        ("boxes.csv", EDGES + "1.png,9,2,3,4\n", r"line 2: its box from x 9 to 3, y 2 to 4 has no pixels"),
        ("boxes.csv", EDGES + "1.png,-9,2,0,4\n", r"line 2: its box from x -9 to 0, y 2 to 4 has no pixels"),
        ("boxes.csv", EDGES + "1.png,1,2,3,4\n./1.png,1,2,3,4\n", r"line 3: names 1\.png again; delete one"),
        ("boxes.csv", EDGES + ",1,2,3,4\n", r"line 2: has no file_name; add it, or remove the row"),
        (
            "boxes.csv",
            "file,xmin,ymin,xmax,ymax\n1.png,1,2,3,4\n",
            r"only the columns 'file', 'xmin'.*; name them file_",
        ),
        ("boxes.csv", EDGES, r"boxes\.csv: has no rows; add one for each image"),
        ("boxes.jsonl", '{"file_name": "1.png", "x": 1}\n', r"only the columns 'file_name', 'x'; name them"),
        ("boxes.jsonl", "[1, 2]\n", r"boxes\.jsonl, line 1: is not an object of JSON"),
        (
            "boxes.json",
            '{"1.png": [1, 2, 3]}',
            r"boxes\.json: 1\.png: expected \[left, top, right, bottom\], got '\[1, ",
        ),
        ("boxes.json", "[]", r"boxes\.json: must be \{file: \[left, top, right, bottom\]\}"),
        ("boxes.json", "{", r"boxes\.json: is not valid JSON"),
        ("boxes.json", '{"1.png": [1, 2, true, 4]}', r"1\.png: right is 'True', which is not a number"),
        ("boxes.csv", EDGES + "1.png,1,2,3,4\n", r"boxes\.csv: has no boxes for .*2\.png, .*3\.png; add some"),
        (
            "boxes.csv",
            TABLES["boxes.csv"] + "4.png,1,2,3,4\n",
            r"has boxes for missing images: 4\.png; remove their rows",
        ),
    ],
)
def test_a_bad_table_is_refused_in_one_sentence(tmp_path: Path, name: str, text: str, told: str) -> None:
    photos(tmp_path)
    (tmp_path / "boxes.csv").unlink()
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=told):
        open_data(tmp_path, condition="edges")


def test_what_boxes_do_not_suit_is_refused(tmp_path: Path) -> None:
    photos(tmp_path / "a")
    (tmp_path / "a" / "boxes.json").write_text(TABLES["boxes.json"])
    with pytest.raises(DataError, match=r"boxes\.csv: boxes\.json is beside it, and both have boxes; keep one"):
        open_data(tmp_path / "a", condition="edges")
    (tmp_path / "a" / "boxes.json").unlink()
    with pytest.raises(DataError, match=r"boxes belong to pairs, but these are unpaired"):
        open_data(tmp_path / "a", condition="edges", unpaired=True)
    (tmp_path / "a" / "boxes.csv").write_text(EDGES + "".join(f"{name},40,0,50,9\n" for name in NAMES))
    with pytest.raises(
        DataError, match=r"1\.png: is 30x20, but its box \(40, 0, 50, 9\) lies outside; correct the box"
    ):
        open_data(tmp_path / "a", condition="edges")
    for i in range(3):
        save(tmp_path / "b" / f"{i}.png", photo(10, 20))
    (tmp_path / "b" / "boxes.csv").write_text(EDGES + "0.png,1,2,3,4\n")
    with pytest.raises(DataError, match=r"has boxes of A\|B images; save the halves as images of their own"):
        open_data(tmp_path / "b")
