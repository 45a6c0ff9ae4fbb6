"""The classes of label maps are found in the maps, and named by a file beside them."""

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from helpers.tiny import drawing, ids, labelled, photo, save
from variegate.core.errors import DataError
from variegate.data import open_data
from variegate.data.conditions import Labels

core = pytest.mark.core


@core
def test_twelve_ids_are_those_of_camvid(tmp_path: Path) -> None:
    condition = open_data(labelled(tmp_path, values=tuple(range(12)))).condition
    assert isinstance(condition, Labels)
    assert (condition.names[0], condition.names[11], condition.void) == ("sky", "void", 11)
    assert condition.palette[3] == (128, 64, 128)


@core
def test_255_becomes_a_last_class_other(tmp_path: Path) -> None:
    pairs = open_data(labelled(tmp_path, values=(0, 1, 255)))
    assert isinstance(pairs.condition, Labels)
    assert (pairs.condition.names, pairs.condition.void) == (("class 0", "class 1", "other"), 2)
    assert pairs.raw(0)[0].unique().tolist() == [0, 1, 2]


@core
@pytest.mark.parametrize(
    "content",
    [
        '["sky", "road", "car"]',
        '{"0": "sky", "1": "road", "2": "car"}',
        '[{"name": "sky", "color": [1, 2, 3]}, "road", "car"]',
        '{"sky": [1, 2, 3], "road": [4, 5, 6], "car": [7, 8, 9]}',
    ],
)
def test_names_come_from_classes_json(tmp_path: Path, content: str) -> None:
    (tmp_path / "classes.json").write_text(content)
    condition = open_data(labelled(tmp_path)).condition
    assert isinstance(condition, Labels)
    assert condition.names == ("sky", "road", "car")
    assert "[1, 2, 3]" not in content or condition.palette[0] == (1, 2, 3)


@core
def test_names_come_from_classes_txt_and_must_fit_the_ids(tmp_path: Path) -> None:
    labelled(tmp_path)
    (tmp_path / "classes.txt").write_text("sky\nroad\n\ncar\n")
    assert open_data(tmp_path).condition.names == ("sky", "road", "car")  # type: ignore[union-attr]
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    with pytest.raises(DataError, match="names 2 classes, but label maps have ids up to 2"):
        open_data(tmp_path)
    (tmp_path / "classes.txt").write_text("sky\nroad\nsky\n")
    with pytest.raises(DataError, match="two classes the same name"):
        open_data(tmp_path)
    (tmp_path / "classes.json").write_text("{nonsense")
    with pytest.raises(DataError, match=r"classes\.json: cannot be read"):
        open_data(tmp_path)


@core
def test_labels_painted_in_colours_become_classes_by_colour(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / "labels" / f"{i}.png", drawing())
        save(tmp_path / "images" / f"{i}.png", photo())
    pairs = open_data(tmp_path)
    assert isinstance(pairs.condition, Labels)
    assert pairs.condition.palette == ((0, 0, 0), (200, 0, 0))
    assert pairs.raw(0)[0][0, :, 0].tolist() == [0] * 8 + [1] * 8
    (tmp_path / "classes.json").write_text(json.dumps({"roof": [200, 0, 0], "sky": [0, 0, 0]}))
    assert open_data(tmp_path).raw(0)[0][0, :, 0].tolist() == [1] * 8 + [0] * 8


@core
def test_photographs_in_the_label_folder_are_found_out(tmp_path: Path) -> None:
    save(tmp_path / "labels" / "0.png", photo(32, 32))
    save(tmp_path / "images" / "0.png", photo(32, 32))
    with pytest.raises(DataError, match=r"labels/0\.png: has \d+ colours, so it is not a label map"):
        open_data(tmp_path)


@core
def test_palettes_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    labelled(tmp_path, maps=2)
    for i, palette in enumerate(([0, 0, 0, 9, 9, 9, 5, 5, 5], [0, 0, 0, 5, 5, 5, 9, 9, 9])):
        indexed = Image.fromarray(ids(0, 1, 2))
        indexed = indexed.convert("P")
        indexed.putpalette(palette)
        indexed.save(tmp_path / "train_labels" / f"{i}.png")
    with pytest.raises(DataError, match=r"1\.png: has colour \(5, 5, 5\) at palette index 1"):
        open_data(tmp_path)


@core
def test_a_changed_label_map_is_seen_although_classes_are_cached(tmp_path: Path) -> None:
    assert open_data(labelled(tmp_path)).condition.channels == 3
    file = save(tmp_path / "train_labels" / "0.png", ids(0, 5))
    os.utime(file, ns=(1, file.stat().st_mtime_ns + 10**9))
    assert open_data(tmp_path).condition.channels == 6


@core
def test_a_class_that_training_did_not_have_is_an_error_in_the_test_split(tmp_path: Path) -> None:
    labelled(tmp_path)
    labelled(tmp_path, "test_labels", "test", values=(0, 3))
    with pytest.raises(DataError, match=r"test_labels/0\.png: has label id 3, expected 0\.\.2"):
        open_data(tmp_path, split="test").raw(0)


@core
def test_a_trained_models_condition_replaces_the_search_for_classes(tmp_path: Path) -> None:
    trained = Labels(names=tuple("abcd"), palette=((0, 0, 0), (1, 1, 1), (2, 2, 2), (3, 3, 3)))
    assert open_data(labelled(tmp_path), condition=trained).condition == trained
