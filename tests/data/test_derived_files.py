"""Conditions made from plain pictures: exact low-resolution pictures, and holes from a folder of masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tiny import save

from variegate.data import Picture, Visits, open_data
from variegate.data.check import check
from variegate.data.derived import derive, in_blocks
from variegate.errors import DataError

pytestmark = pytest.mark.core

MASKS = [np.s_[2:10, 4:12], np.s_[0:3, 0:16], np.s_[8:16, 8:16]]


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def pictures(folder: Path, count: int = 6, side: int = 16) -> Path:
    for i in range(count):
        save(folder / f"{i}.png", noise(side, side, i))
    return folder


def masks(folder: Path, side: int = 16) -> Path:
    for i, where in enumerate(MASKS):
        mask = np.zeros((side, side), dtype=np.uint8)
        mask[where] = 255
        save(folder / f"{i}.png", mask)
    return folder


@given(factor=st.integers(2, 5), rows=st.integers(1, 4), columns=st.integers(1, 4), seed=st.integers(0, 9))
def test_a_low_resolution_condition_is_the_small_picture_exactly(
    factor: int, rows: int, columns: int, seed: int
) -> None:
    image = noise(rows * factor, columns * factor, seed)
    given_ = derive(f"superres:{factor}", image)
    small = np.array(Image.fromarray(image).resize((columns, rows), Image.Resampling.BICUBIC))
    assert np.array_equal(given_[::factor, ::factor], small)
    assert np.array_equal(given_, np.kron(small, np.ones((factor, factor, 1), dtype=np.uint8)))
    assert np.array_equal(in_blocks(given_, factor, given_.shape[:2]), given_), "read again, it stays"
    assert np.array_equal(in_blocks(small, factor, given_.shape[:2]), given_), "so does a picture that is small"


def test_a_small_picture_that_a_user_gives_is_not_touched(tmp_path: Path) -> None:
    condition = Picture(derived="superres:4")
    save(tmp_path / "small.png", noise(4, 6))
    read = condition.read(tmp_path / "small.png", (16, 24))
    assert np.array_equal(read[:, ::4, ::4].permute(1, 2, 0), noise(4, 6))
    assert torch.equal(condition.read(read, (16, 24)), read)
    large = noise(16, 24, 1)
    assert np.array_equal(condition.read(large, (16, 24)).permute(1, 2, 0), derive("superres:4", large))


def test_a_scale_that_does_not_divide_is_told_with_a_size_that_it_does() -> None:
    with pytest.raises(DataError, match="superres:4 needs sides that 4 divides, but pictures are 18x15; use --size 16"):
        derive("superres:4", noise(18, 15))
    with pytest.raises(DataError, match="leaves nothing of a 4x4 picture"):
        derive("superres:8", noise(4, 4))


def test_crops_and_larger_sizes_of_training_keep_the_blocks(tmp_path: Path) -> None:
    pairs = open_data(pictures(tmp_path), condition="superres:4")
    for key in range(12):
        visit = Visits(pairs, jitter=1.3, flip=True)[key % 6 if key < 5 else 0, key]
        condition = visit["condition"]
        assert condition.shape == (3, 16, 16)
        small = condition[:, ::4, ::4]
        assert torch.equal(small.repeat_interleave(4, 1).repeat_interleave(4, 2), condition)


def test_an_item_has_one_mask_of_the_folder_at_every_visit_and_size(tmp_path: Path) -> None:
    kind = f"inpaint:{masks(tmp_path / 'masks')}"
    pairs = open_data(pictures(tmp_path / "pictures", 12), condition=kind)
    assert pairs.condition == Picture(channels=4, derived=kind)
    found = set()
    for i in range(len(pairs)):
        condition, image = pairs.raw(i)
        hole = condition[3] > 0
        which = [int(hole[where].all() and hole.sum() == hole[where].numel()) for where in MASKS]
        assert sum(which) == 1, "a mask of the folder, white is the hole"
        found.add(which.index(1))
        assert torch.equal(condition[:3, ~hole], image[:, ~hole])
        assert bool((condition[:3, hole] == 255).all())
        for key in (1, 2):
            assert torch.equal(Visits(pairs, jitter=1.5, flip=True)[i, key]["condition"][3], condition[3])
        assert torch.equal(pairs.resized((32, 32)).raw(i)[0][3, ::2, ::2], condition[3])
    assert found == {0, 1, 2}


def test_mask_folders_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    data = pictures(tmp_path / "pictures")
    with pytest.raises(DataError, match=r"there is no folder .*nowhere; give one of masks, white inside the hole"):
        open_data(data, condition=f"inpaint:{tmp_path}/nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: holds no pictures; give a folder of masks"):
        open_data(data, condition=f"inpaint:{tmp_path}/empty")
    inverted = np.full((16, 16), 255, dtype=np.uint8)
    inverted[0, :3] = 0
    save(tmp_path / "inverted" / "0.png", inverted)
    with pytest.raises(DataError, match=r"inverted/0.png: its mask covers 99 % .* wrong way round; white .*invert it"):
        open_data(data, condition=f"inpaint:{tmp_path}/inverted")
    save(tmp_path / "nothing" / "0.png", np.zeros((16, 16), dtype=np.uint8))
    report = check(data, condition=f"inpaint:{tmp_path}/nothing")
    assert "covers nothing, so there is no hole to fill" in report.problems[0]


def test_the_check_says_what_will_be_made(tmp_path: Path) -> None:
    data, folder = pictures(tmp_path / "pictures"), masks(tmp_path / "masks")
    assert "sides 1/4 as long, each pixel then repeated 4 x 4 times" in check(data, condition="superres:4").text()
    assert "one of 3 masks, white inside the hole" in check(data, condition=f"inpaint:{folder}").text()
    assert "the middle half of both sides" in check(data, condition="inpaint:centre").text()
    assert "a rectangle of 3/8 to 1/2 of each side" in check(data, condition="inpaint").text()
