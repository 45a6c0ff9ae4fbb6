"""The image of what is rare shows the extremes of each class, with nothing else in colour."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.tiny import ids, labelled, photo, save
from variegate.core.errors import ConfigError
from variegate.data import open_data
from variegate.data.statistics.rarity import Rarity, class_colours
from variegate.data.statistics.rarity_sheet import FRAME, NAMES, TALL, extremes, highlight, rarity_sheet

pytestmark = pytest.mark.core


def test_extremes_are_sorted_and_never_the_same_image() -> None:
    scores = np.array([0, 3, 1, 2, 0, 5.0])
    assert extremes(scores, 5) == ([2, 3], [5, 1])
    assert extremes(scores, 1) == ([2], [5])


def test_specks_have_no_score_if_so_wished(tmp_path: Path) -> None:
    pairs = open_data("streets:40", 32)
    everything, large = Rarity(pairs), Rarity(pairs, smallest=0.02)
    _, shares = class_colours(pairs, pairs.condition.classes)  # type: ignore[union-attr]
    assert (everything.scores[shares <= 0.02] > 0).any()
    assert not large.scores[shares <= 0.02].any()
    saved = json.loads(rarity_sheet(pairs, tmp_path, smallest=0.02).with_suffix(".json").read_text())
    assert saved["smallest_share"] == 0.02
    with pytest.raises(ConfigError, match="--smallest is a share of the image"):
        rarity_sheet(pairs, tmp_path, smallest=1.5)


@pytest.mark.parametrize("brightness", [40, 220])
def test_only_the_class_keeps_its_colour_and_stands_out(brightness: int) -> None:
    image, inside = photo(), ids(0, 1) == 1
    image[inside] = (brightness, brightness - 20, brightness - 30)
    shown = highlight(image, inside)
    assert np.array_equal(shown[inside], image[inside])
    outside = shown[~inside].astype(int)
    assert (outside == outside[:, :1]).all()
    assert np.abs(outside - brightness).min() > 100


def test_the_sheet_has_a_row_a_class_and_the_json_every_score(tmp_path: Path) -> None:
    pairs = open_data("streets:40", 32)
    path = rarity_sheet(pairs, tmp_path / "a" / "b", count=3, classes=2)
    rarity, saved = Rarity(pairs, 2), json.loads(path.with_suffix(".json").read_text())
    names = pairs.condition.names  # type: ignore[union-attr]
    assert saved["served"] == [names[p] for p in rarity.served]
    assert (saved["lowest_density"], saved["smallest_share"], saved["fewest_images"]) == (0.01, 0.001, 10)
    for p, name in enumerate(names):
        column = {file: s for file, s in zip(pairs.files, rarity.even[:, p], strict=True) if s}
        assert saved["scores"].get(name, {}) == pytest.approx(column, rel=1e-3)
    page = np.array(Image.open(path))
    p = rarity.served[0]
    commonest = extremes(rarity.even[:, p], 3)[0][0]
    raw, image = pairs.raw(commonest)
    thumbnail = np.array(Image.fromarray(page[30 : 30 + TALL, NAMES : NAMES + TALL]).resize((32, 32), 0))
    inside = raw[0].numpy() == p
    gap = np.abs(thumbnail[inside].astype(int) - image.permute(1, 2, 0).numpy()[inside])
    assert np.median(gap) < 12
    assert page.shape[0] == 30 + 2 * (TALL + 30)


def test_a_small_region_is_framed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(12):
        label = ids(0)
        label[5:7, 5:7] = 1
        save(tmp_path / "labels" / f"{i}.png", label)
        save(tmp_path / "images" / f"{i}.png", rng.integers(0, 90, (16, 16, 3), dtype=np.uint8))
    page = np.array(Image.open(rarity_sheet(open_data(tmp_path), tmp_path / "out")))
    framed = (page == FRAME).all(axis=2).any(axis=1).nonzero()[0]
    assert framed.min() > 30 + TALL  # only in the second row


def test_data_without_classes_or_with_too_few_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="rarity needs label maps"):
        rarity_sheet(open_data("streets:12", 32, condition="edges"), tmp_path)
    with pytest.raises(ConfigError, match="has none; add images"):
        rarity_sheet(open_data(labelled(tmp_path / "few")), tmp_path)


@pytest.mark.parametrize(("count", "classes"), [(0, 5), (-1, 5), (5, 0), (5, -2)])
def test_nothing_to_show_is_refused_before_anything_is_written(count: int, classes: int, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"--count and --classes must be at least 1, got {count} and {classes}"):
        rarity_sheet(open_data("streets:20", 32), tmp_path / "out", count, classes)
    assert not (tmp_path / "out").exists()


def test_the_command_says_what_bounds_the_scores(tmp_path: Path) -> None:
    words = ["data", "rarity", "streets:20", "--size", "32", "--out", str(tmp_path / "out"), "--classes", "1"]
    done = subprocess.run([sys.executable, "-m", "variegate", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for bound in ("below 1%", "at most 0.1%", "fewer than 10 images", "rarity.png"):
        assert bound in done.stdout
    assert (tmp_path / "out" / "rarity.png").is_file()
