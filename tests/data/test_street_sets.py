"""Cityscapes, BDD100K and GTA-5 are understood as they are unpacked: folders, endings, numbers and colours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.tiny import ids, photo, save
from variegate.core.errors import DataError
from variegate.data import condition_from_mapping, open_data
from variegate.data.checks.check import check
from variegate.data.conditions import Labels
from variegate.data.conditions.cityscapes import CLASSES, NAMES, PALETTE

pytestmark = pytest.mark.core
LABEL_IDS = {"road": 7, "sky": 23, "car": 26}
ROAD, SKY, CAR, OTHER = 0, 10, 13, 19
CARS = np.repeat(np.array([[26000] * 5 + [26001] * 11], dtype=np.uint16), 16, axis=0)  # class 26, cars 0 and 1
# the palette of GTA-5's PNGs, by label id
GTA_PALETTE = [(0, 0, 0)] * 5 + [(111, 74, 0), (81, 0, 81)] + [(0, 0, 0)] * 28


def cityscapes(root: Path, ends: tuple[str, ...], splits: tuple[str, ...] = ("train", "val")) -> Path:
    for split in splits:
        for city in ("aachen", "bochum"):
            for i in range(2):
                name = f"{city}_{i:06}_000019"
                save(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png", photo())
                for end in ends:
                    values = {"labelTrainIds": (0, 10, 255), "labelIds": (7, 23, 4)}.get(end, (1, 2, 3))
                    if end == "instanceIds":
                        save(root / "gtFine" / split / city / f"{name}_gtFine_{end}.png", CARS)
                        continue
                    save(root / "gtFine" / split / city / f"{name}_gtFine_{end}.png", ids(*values))
    return root


def bdd(root: Path, images: str = "images/100k", labels: str = "labels/sem_seg/masks", end: str = "") -> Path:
    for split in ("train", "val"):
        for i in range(4):
            save(root / images / split / f"{i}.jpg", photo())
            if i < 3:
                save(root / labels / split / f"{i}{end}.png", ids(0, 13, 255))
    return root


def gta(root: Path, images: int = 5) -> Path:
    palette = list(GTA_PALETTE)
    for label_id, colour in CLASSES.values():
        palette[label_id] = colour
    for i in range(1, images + 1):
        save(root / "images" / f"{i:05}.png", photo())
        picture = Image.fromarray(ids(7, 23, 26, 5, 11, 0))  # road, sky, car, dynamic, building, unlabelled
        picture.putpalette([value for colour in palette for value in colour])
        (root / "labels").mkdir(exist_ok=True)
        picture.save(root / "labels" / f"{i:05}.png")
    return root


@pytest.mark.parametrize(
    ("ends", "seen"),
    [
        (("labelTrainIds", "labelIds", "color", "instanceIds"), "label maps contain trainIds"),
        (("labelIds", "instanceIds", "color"), "label maps contain labelIds"),
    ],
)
def test_cityscapes_has_cities_and_endings(tmp_path: Path, ends: tuple[str, ...], seen: str) -> None:
    pairs = open_data(cityscapes(tmp_path, ends, ("train", "val", "test")))
    assert pairs.splits == ("train", "val")  # test has blank label maps
    assert len(pairs) == 4
    assert isinstance(pairs.condition, Labels)
    assert (pairs.condition.names, pairs.condition.palette, pairs.condition.void) == (NAMES, PALETTE, OTHER)
    assert pairs.raw(3)[0][0].unique().tolist() == [ROAD, SKY, OTHER]
    assert seen in pairs.description
    words = check(tmp_path).text()
    assert "Cityscapes: leftImg8bit/train/ + gtFine/train/ paired by name" in words
    assert "20 classes, the Cityscapes classes, of which 'other' is unlabelled" in words
    assert "problems   none" in words


def test_instance_maps_of_cityscapes_are_a_channel_of_boundaries(tmp_path: Path) -> None:
    pairs = open_data(cityscapes(tmp_path, ("labelTrainIds", "instanceIds")))
    assert isinstance(pairs.condition, Labels)
    assert (pairs.condition.boundaries, pairs.condition.channels) == (True, 21)
    assert "instance maps in *_gtFine_instanceIds" in pairs.description
    raw = pairs.raw(3)[0]
    assert raw[0].unique().tolist() == [ROAD, SKY, OTHER]
    assert raw[1].tolist() == [[0] * 4 + [1, 1] + [0] * 10] * 16  # both sides of column 5
    assert check(tmp_path).ok
    (tmp_path / "gtFine" / "val" / "aachen" / "aachen_000001_000019_gtFine_instanceIds.png").unlink()
    fewer = open_data(tmp_path)
    assert fewer.condition.channels == 20
    assert "instance maps of only 7 of 8 are not used" in fewer.description
    assert open_data(tmp_path, unpaired=True).condition.channels == 20


def test_a_model_from_before_instance_maps_reads_the_files_that_it_was_trained_on(tmp_path: Path) -> None:
    plain = open_data(cityscapes(tmp_path / "plain" / "city", ("labelTrainIds",)))
    for file in (tmp_path / "plain" / "city").rglob("*.png"):
        place = tmp_path / "more" / file.relative_to(tmp_path / "plain")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.read_bytes())
        if "gtFine" in file.name:
            save(place.with_name(file.name.replace("labelTrainIds", "instanceIds")), CARS)
    again = open_data(tmp_path / "more" / "city", condition=plain.condition)
    assert again.raw(0)[0].shape == (1, 16, 16)
    assert again.source.fingerprint == plain.source.fingerprint
    assert open_data(tmp_path / "more" / "city").source.fingerprint != plain.source.fingerprint


@pytest.mark.parametrize(
    ("images", "labels", "end"),
    [
        ("images/100k", "labels/sem_seg/masks", ""),
        ("images/10k", "labels/sem_seg/masks", ""),
        ("seg/images", "seg/labels", "_train_id"),
    ],
)
def test_bdd100k_labels_a_part_of_its_images(tmp_path: Path, images: str, labels: str, end: str) -> None:
    pairs = open_data(bdd(tmp_path, images, labels, end))
    assert (pairs.splits, len(pairs), pairs.condition.channels) == (("train", "val"), 3, 20)
    assert pairs.raw(0)[0].unique().tolist() == [ROAD, CAR, OTHER]
    words = check(tmp_path).text()
    assert f"BDD100K: {images}/train/ + {labels}/train/" in words
    assert "2 images without a label map left out" in words
    assert "problems   none" in words


def test_gta_is_known_by_the_colours_of_its_palette(tmp_path: Path) -> None:
    pairs = open_data(gta(tmp_path))
    assert isinstance(pairs.condition, Labels)
    assert pairs.condition.names == NAMES
    building = NAMES.index("building")
    assert pairs.raw(0)[0].unique().tolist() == [ROAD, building, SKY, CAR, OTHER]
    assert "label maps with 20 classes, the Cityscapes classes" in check(tmp_path).text()


def test_colours_in_rgb_and_bare_train_ids_are_the_same_classes(tmp_path: Path) -> None:
    for name, values in (("rgb", np.array([*PALETTE[:5], (150, 100, 100)], dtype=np.uint8)), ("ids", None)):
        rows = ids(0, 18, 255) if values is None else values[ids(0, 1, 2, 3, 4, 5)]
        for i in range(2):
            save(tmp_path / name / "labels" / f"{i}.png", rows)
            save(tmp_path / name / "images" / f"{i}.png", photo())
    rgb, plain = open_data(tmp_path / "rgb"), open_data(tmp_path / "ids")
    assert rgb.condition == plain.condition
    assert rgb.raw(0)[0].unique().tolist() == [0, 1, 2, 3, 4, OTHER]
    assert plain.raw(0)[0].unique().tolist() == [0, 18, OTHER]


def test_a_trained_model_reads_the_files_of_the_other_sets(tmp_path: Path) -> None:
    """As saved in a model's config.json; what `raw` returned is read again unchanged."""
    pairs = open_data(cityscapes(tmp_path / "c", ("labelIds",)))
    saved = condition_from_mapping(json.loads(json.dumps(pairs.condition.model_dump(mode="json"))))
    raw = pairs.raw(0)[0]
    assert saved.read(raw).equal(raw)
    other = cityscapes(tmp_path / "t", ("labelTrainIds",)) / "gtFine/train/aachen/aachen_000000_000019_gtFine"
    assert saved.read(f"{other}_labelTrainIds.png").unique().tolist() == [ROAD, SKY, OTHER]
    assert CAR in saved.read(gta(tmp_path / "g") / "labels" / "00001.png").unique().tolist()


def test_an_id_that_no_numbering_has_is_named(tmp_path: Path) -> None:
    cityscapes(tmp_path, ("labelIds",))
    bad = save(tmp_path / "gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png", ids(7, 99))
    assert [problem for problem in check(tmp_path).problems if f"{bad}: has label id 99" in problem]
    with pytest.raises(DataError, match="has label id 99"):
        open_data(tmp_path).raw(0)


def test_images_alone_and_unpaired_sides_can_be_taken(tmp_path: Path) -> None:
    cityscapes(tmp_path, ("labelTrainIds", "color"))
    edges = open_data(tmp_path, condition="edges")
    assert len(edges) == 4
    assert all("leftImg8bit" in file for file in edges.files)
    apart = open_data(tmp_path, unpaired=True)
    assert apart.unpaired
    assert "pairing ignored" in apart.description


def test_names_beside_the_folders_come_first(tmp_path: Path) -> None:
    gta(tmp_path)
    (tmp_path / "classes.txt").write_text("\n".join(f"c{i}" for i in range(35)))
    assert open_data(tmp_path).condition.channels == 35


def test_a_palette_of_other_colours_is_no_street(tmp_path: Path) -> None:
    for i in range(2):
        picture = Image.fromarray(ids(0, 1, 2, 3, 4))
        picture.putpalette([0, 0, 0, 128, 64, 128, 70, 70, 70, 0, 0, 142, 9, 9, 9])
        (tmp_path / "labels").mkdir(exist_ok=True)
        picture.save(tmp_path / "labels" / f"{i}.png")
        save(tmp_path / "images" / f"{i}.png", photo())
    assert open_data(tmp_path).condition.channels == 5


@pytest.mark.parametrize(
    ("end", "allowed"),
    [("labelIds", "label ids 0..34 or 255"), ("labelTrainIds", "train ids 0..18 (label ids 0..34 in files with")],
)
def test_a_foreign_id_is_told_in_the_numbers_of_its_file(tmp_path: Path, end: str, allowed: str) -> None:
    root = cityscapes(tmp_path, (end,))
    bad = save(root / f"gtFine/train/aachen/aachen_000000_000019_gtFine_{end}.png", ids(7, 77))
    assert f"{bad}: has label id 77, expected {allowed}" in check(root).text()


def test_a_label_map_without_photograph_is_named(tmp_path: Path) -> None:
    root = cityscapes(tmp_path, ("labelIds",))
    (root / "leftImg8bit/train/aachen/aachen_000001_000019_leftImg8bit.png").unlink()
    lost = "gtFine/train/aachen/aachen_000001_000019_gtFine_labelIds.png"
    assert f"({lost}, without an image, left out)" in check(root).text()
    (root / "leftImg8bit/val/bochum/bochum_000000_000019_leftImg8bit.png").unlink()
    assert f"({lost} and 1 more, without an image, left out)" in check(root).text()
