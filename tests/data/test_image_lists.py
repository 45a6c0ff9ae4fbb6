"""Folders in the layout of Hugging Face's `imagefolder`: rows of metadata.csv or metadata.jsonl name the files."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from helpers.tiny import drawing, ids, photo, save
from variegate.cli import main
from variegate.core.errors import DataError
from variegate.data import open_data
from variegate.data.checks.check import check
from variegate.data.conditions import ClassLabel, ImageCondition, Labels
from variegate.data.dataset.opening import DataConfig
from variegate.data.dataset.packing import pack
from variegate.data.readers import remembered

pytestmark = pytest.mark.core
PHOTOS = [photo() for _ in range(6)]
Rows = list[dict[str, Any]]


def tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)


def listed(file: Path, rows: Rows, **options: Any) -> Path:
    """Write a list, and return its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with file.open("w", newline="", encoding="utf-8-sig") as text:
            writer = csv.DictWriter(text, [*rows[0]], **options)
            writer.writeheader()
            writer.writerows(rows)
    return file.parent


def photos(root: Path, name: str = "{}.png", count: int = 6) -> list[str]:
    for i in range(count):
        save(root / name.format(i), PHOTOS[i])
    return [name.format(i) for i in range(count)]


def pairs_of(root: Path) -> Rows:
    """Photographs, and drawings that are called otherwise and in another order."""
    names = photos(root, "photos/{}.png")
    for i in range(6):
        save(root / f"drawn/d{9 - i}.png", drawing() + np.uint8(i))
    return [{"file_name": name, "conditioning_file_name": f"drawn/d{9 - i}.png"} for i, name in enumerate(names)]


def told(root: Path, **settings: Any) -> str:
    with pytest.raises(DataError) as error:
        open_data(root, **settings)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_rows_pair_files_of_any_name(kind: str, tmp_path: Path) -> None:
    rows = [row | {"text": "a house, red"} for row in pairs_of(tmp_path)]
    pairs = open_data(listed(tmp_path / f"metadata.{kind}", rows))
    assert "columns conditioning_file_name + file_name: conditioning is the condition, by its name" in pairs.description
    assert isinstance(pairs.condition, ImageCondition)
    assert (len(pairs), len(pairs.of_split("val"))) == (5, 1)
    for i in range(5):
        condition, image = pairs.raw(i)
        assert torch.equal(image, tensor(PHOTOS[i]))
        assert torch.equal(condition, tensor(drawing() + np.uint8(i)))
    report = check(tmp_path)
    assert report.ok
    assert report.notes == [f"{tmp_path}/metadata.{kind}: columns that are not used: text"]


def test_it_is_not_taken_for_classes_nor_conditions_for_images(tmp_path: Path) -> None:
    root = listed(tmp_path / "metadata.csv", pairs_of(tmp_path))
    edges = open_data(root, condition="edges")
    assert len(edges) + len(edges.of_split("val")) == 6, "drawings are no images"
    assert "has no column of classes; call it label, or omit --condition class" in told(root, condition="class")
    assert "names no label maps; omit --condition labels" in told(root, condition="labels")


def test_label_maps_by_name_and_by_values(tmp_path: Path) -> None:
    for name, column in (("named", "mask_file_name"), ("flat", "other_file_name")):
        root = tmp_path / name
        rows = [{"image_file_name": one, column: f"m/{i}.png"} for i, one in enumerate(photos(root))]
        for i in range(6):
            save(root / f"m/{i}.png", ids(0, 1, 2))
        pairs = open_data(listed(root / "metadata.csv", rows), condition="labels")
        assert isinstance(pairs.condition, Labels)
        assert torch.equal(pairs.raw(0)[0][0], torch.from_numpy(ids(0, 1, 2)))


def test_classes_by_name_in_splits(tmp_path: Path) -> None:
    for split, count in (("train", 6), ("test", 2)):
        names = photos(tmp_path / split, count=count)
        rows = [{"file_name": name, "label": ["dog", "cat"][i % 2]} for i, name in enumerate(names)]
        listed(tmp_path / split / "metadata.jsonl", rows)
    pairs = open_data(tmp_path)
    assert isinstance(pairs.condition, ClassLabel)
    assert (pairs.condition.names, pairs.splits) == (("cat", "dog"), ("train", "val", "test"))
    test = pairs.of_split("test")
    assert {int(test.raw(i)[0][0, 0, 0]): torch.equal(test.raw(i)[1], tensor(PHOTOS[1])) for i in range(2)} == {
        0: True,
        1: False,
    }
    assert open_data(tmp_path, condition="class+edges").condition.channels == 3
    listed(tmp_path / "test/metadata.jsonl", [{"file_name": "0.png", "label": "cow"}])
    assert "label of test has 'cow', but no row of train; add some" in told(tmp_path)


def test_a_list_of_the_whole_folder_and_classes_that_are_numbers(tmp_path: Path) -> None:
    names = photos(tmp_path, "test_tube/{}.png", 4) + photos(tmp_path, "validation/{}.png", 2)
    rows = [{"file_name": name.replace("/", "\\"), "label": 9 + i % 2} for i, name in enumerate(names)]
    pairs = open_data(listed(tmp_path / "metadata.csv", rows))
    assert (pairs.condition.names, len(pairs), len(pairs.of_split("val"))) == (("9", "10"), 4, 2)


def test_one_column_of_files_takes_a_given_condition_and_leaves_class_folders(tmp_path: Path) -> None:
    names = [*photos(tmp_path, "cat/{}.png", 3), *photos(tmp_path, "dog/x{}.png", 3)]
    root = listed(tmp_path / "metadata.csv", [{"file_name": name, "text": "it"} for name in names[:5]])
    assert len(open_data(root, condition="self")) == 4
    report = check(root)
    assert "2 class folders" in report.description
    assert report.notes[0].startswith(f"{root}/metadata.csv is not used: its columns file_name, text do not tell")
    np.save(root / "rows.npy", np.arange(10, dtype=np.float32).reshape(5, 2))
    assert open_data(root, condition=f"vectors:{root}/rows.npy").condition.channels == 2


def test_unpaired_and_packed(tmp_path: Path) -> None:
    root = listed(tmp_path / "set/metadata.csv", pairs_of(tmp_path / "set"))
    assert open_data(root, unpaired=True).description.startswith("unpaired: images listed in metadata.csv")
    pack(DataConfig(path=str(root)), tmp_path / "shards")
    one, other = open_data(root), open_data(tmp_path / "shards")
    assert one.source.fingerprint == other.source.fingerprint
    assert all(torch.equal(a, b) for k in range(len(one)) for a, b in zip(one[k], other[k]))


def test_a_large_one_is_recognised_once_until_its_list_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VARIEGATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remembered, "MANY", 5)
    root = listed(tmp_path / "set/metadata.csv", rows := pairs_of(tmp_path / "set"))
    first = open_data(root)
    with monkeypatch.context() as patch:
        patch.setattr(remembered, "recognise", None)
        assert open_data(root).source.fingerprint == first.source.fingerprint
    listed(root / "metadata.csv", rows[:4])
    assert len(open_data(root)) == 3


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"file_name": "9.png"}, "metadata.csv, line 3: file_name is '9.png', but there is no such file; add it, or"),
        ({"file_name": ""}, "metadata.csv, line 3: has no file_name; add it, or remove the row"),
        ({"file_name": "../out.png"}, "line 3: file_name is '../out.png', which lies outside of"),
        ({"file_name": "x/../../out.png"}, "line 3: file_name is 'x/../../out.png', which lies outside of"),
        ({"file_name": "/etc/hostname"}, "line 3: file_name is '/etc/hostname', which lies outside of"),
        ({"file_name": "1.png", "label": ""}, "metadata.csv, line 3: has no label; add it, or remove the row"),
        ({"file_name": "1.png", "label": "0.5"}, "line 3: label is 0.5, but a class is a name or a whole number"),
    ],
)
def test_a_bad_row_is_one_sentence_and_the_check_has_each(second: dict[str, str], said: str, tmp_path: Path) -> None:
    save(tmp_path / "out.png", photo())
    root = tmp_path / "set"
    photos(root, count=4)
    rows = [{"file_name": f"{i}.png", "label": "cat"} for i in range(4)]
    rows[1] |= second
    listed(root / "metadata.csv", rows)
    assert said in told(root)
    assert len(check(root).problems) == 1
    rows[2] |= second
    listed(root / "metadata.csv", rows)
    assert len(check(root).problems) == 2
    assert "(and 1 more problems: variegate data check)" in told(root)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("metadata.jsonl", '{"file_name": "0.png"}\n{"file_name": \n', "metadata.jsonl, line 2: is not an object of J"),
        ("metadata.jsonl", '{"file_name": "0.png"}\n["0.png"]\n', "metadata.jsonl, line 2: is not an object of JSON;"),
        ("metadata.jsonl", '{"file_name": 3, "label": 1}\n', "line 1: file_name is '3', but a file is named by text"),
        ("metadata.jsonl", '{"file_name": "0.png", "label": [1]}', "label is [1], but a class is a name or a whole"),
        ("metadata.csv", "file_name;label\n0.png;1\n", "no column of files, only 'file_name;label'; columns of files"),
        ("metadata.csv", "file_name,label\n0.png,a, b\n", "line 2: has more than 2 cells; put quotes around text that"),
        ("metadata.csv", "file_name,label,label\n0.png,1,1\n", "metadata.csv: has two columns 'label'; rename or"),
        ("metadata.csv", "file_name,image_file_name\n0.png,1.png\n", "'file_name' and 'image_file_name' mean the same"),
        ("metadata.csv", "file_name,class,target\n0.png,1,1\n", "columns of classes 'class', 'target'; rename the"),
        ("metadata.csv", "file_name,label\n", "metadata.csv: has no rows; add one for each image, or delete the file"),
        ("metadata.csv", "file_name,label\n0.png,\ud800\n", "cannot be read ('utf-8' codec can't decode"),
        (
            "metadata.csv",
            "left_file_name,right_file_name\n0.png,1.png\n",
            "which do not say what is the condition; name one condition_file_name and the other file_name",
        ),
    ],
)
def test_a_bad_list_is_one_sentence(name: str, content: str, said: str, tmp_path: Path) -> None:
    photos(tmp_path, count=2)
    (tmp_path / name).write_bytes(content.encode(errors="surrogatepass"))
    assert said in told(tmp_path)


def test_lists_that_tell_of_the_same_images_or_differ_are_refused(tmp_path: Path) -> None:
    rows = [{"file_name": name, "label": "a"} for name in photos(tmp_path / "train", count=2)]
    listed(tmp_path / "train/metadata.csv", rows)
    listed(tmp_path / "train/metadata.jsonl", rows)
    assert "metadata.csv: metadata.jsonl is beside it, and both name images; keep one of them" in told(tmp_path)
    (tmp_path / "train/metadata.jsonl").unlink()
    listed(tmp_path / "metadata.csv", [{"file_name": "train/0.png", "label": "a"}])
    assert "train/metadata.csv is below it, and both name images; keep one of them" in told(tmp_path)
    (tmp_path / "metadata.csv").unlink()
    photos(tmp_path / "test", count=2)
    listed(tmp_path / "test/metadata.csv", [{"file_name": "0.png"}])
    assert "test/metadata.csv: has no column 'label', unlike" in told(tmp_path)


def test_a_metadata_file_that_names_no_files_is_told_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos(tmp_path, "cat/{}.png", 3)
    photos(tmp_path, "dog/x{}.png", 3)
    (tmp_path / "metadata.csv").write_text("id,text\n0,a\n")
    (tmp_path / "metadata.parquet").write_bytes(b"PAR1")
    main(["data", "check", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "2 class folders" in shown
    assert "metadata.csv is not used (columns of files are called file_name" in " ".join(shown.split())
    for name in ("cat", "dog"):
        for file in (tmp_path / name).iterdir():
            file.rename(tmp_path / file.name)
    assert "metadata.csv is not used (columns of files are called file_name or end in _file_name" in told(tmp_path)


def test_rows_are_those_that_the_package_datasets_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    root = tmp_path / "set"
    listed(root / "train/metadata.csv", pairs_of(root / "train"))
    listed(root / "test/metadata.csv", pairs_of(root / "test")[:2])
    theirs = datasets.load_dataset("imagefolder", data_dir=str(root), cache_dir=str(tmp_path / "cache"))
    for split in ("train", "test"):
        pairs = open_data(root, split=split)
        assert len(theirs[split]) == len(pairs) + (split == "train")
        for i in range(len(pairs)):
            row = theirs[split][i]
            own = [np.asarray(row[name]).transpose(2, 0, 1) for name in ("conditioning", "image")]
            assert all(np.array_equal(a, b) for a, b in zip(own, pairs.raw(i), strict=True))
