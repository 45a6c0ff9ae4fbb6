"""The hues of a data set, as `variegate data check` shows them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from variegate.data.checks.check import check
from variegate.data.checks.hues import hues
from variegate.data.dataset.opening import DataConfig


def folder_of(place: Path, colours: list[tuple[int, int, int]]) -> Path:
    """A|B images, the condition grey and the image of one colour."""
    place.mkdir(parents=True)
    for i, colour in enumerate(colours):
        both = np.full((32, 64, 3), 128, np.uint8)
        both[:, 32:] = colour
        Image.fromarray(both).save(place / f"{i}.png")
    return place


@pytest.mark.core
def test_each_hue_counts_in_its_bin_and_grey_in_none(tmp_path: Path) -> None:
    colours = [(250, 0, 0), (0, 240, 10), (0, 0, 255), (0, 0, 200), (90, 90, 90), (20, 0, 0)]
    folder_of(tmp_path / "data" / "val", [(0, 0, 0)])  # so that nothing is held out of train
    found = hues(DataConfig(path=str(folder_of(tmp_path / "data" / "train", colours).parent), direction="AtoB").open())
    expected = np.zeros(12)
    expected[[0, 4, 8]] = 1 / 4, 1 / 4, 1 / 2
    assert found.shares == pytest.approx(expected)
    assert found.coloured == pytest.approx(4 / 6)


def test_the_report_shows_them_unless_there_is_no_colour_or_something_is_wrong(tmp_path: Path) -> None:
    coloured = folder_of(tmp_path / "coloured" / "train", [(250, 0, 0)] * 4).parent
    assert "hues       █▁▁▁▁▁▁▁▁▁▁▁" in check(coloured, direction="AtoB").text()
    grey = folder_of(tmp_path / "grey" / "train", [(90, 90, 90)] * 4).parent
    assert "hues" not in check(grey, direction="AtoB").text()
    (coloured / "train" / "9.png").write_bytes(b"no image")
    assert "hues" not in check(coloured, direction="AtoB").text()
