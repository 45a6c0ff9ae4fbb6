"""Conditions made from plain images: exact low-resolution images, and holes from a folder of masks."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from helpers.tiny import save
from variegate.core.errors import DataError
from variegate.data import condition_from_mapping, open_data
from variegate.data.checks.check import check
from variegate.data.conditions import ImageCondition
from variegate.data.dataset.visits import Visits
from variegate.data.derived.derived import parse_derived
from variegate.data.derived.masks import Masks

pytestmark = pytest.mark.core

MASKS = [np.s_[2:10, 4:12], np.s_[0:3, 0:16], np.s_[8:16, 8:16]]
few = st.integers(1, 4)
factors = st.integers(2, 5)


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


def blocks(small: np.ndarray, factor: int) -> np.ndarray:
    return np.kron(small, np.ones((factor, factor, 1), dtype=np.uint8))


def planes_last(raw: Tensor) -> np.ndarray:
    return raw.permute(1, 2, 0).numpy()


@settings(derandomize=True)
@given(factors, few, few, st.integers(0, 9))
def test_a_low_resolution_condition_is_the_reduced_image_in_blocks(factor: int, rows: int, columns: int, seed: int):
    image = noise(rows * factor, columns * factor, seed)
    small = np.array(Image.fromarray(image).resize((columns, rows), Image.Resampling.BICUBIC))
    given_ = parse_derived(f"superres:{factor}").make(image)
    assert np.array_equal(given_[::factor, ::factor], small)
    assert np.array_equal(given_, blocks(small, factor))


@settings(derandomize=True)
@given(factors, few, few, st.tuples(st.integers(1, 30), st.integers(1, 30)))
def test_reading_an_image_twice_is_reading_it_once(factor: int, rows: int, columns: int, own: tuple[int, int]) -> None:
    condition, size = ImageCondition(derived=f"superres:{factor}"), (rows * factor, columns * factor)
    raw = condition.read(noise(*own), size)
    assert np.array_equal(planes_last(raw), blocks(planes_last(raw)[::factor, ::factor], factor))
    assert torch.equal(condition.read(raw, size), raw)
    assert torch.equal(condition.read(raw), raw)


@settings(derandomize=True)
@given(factors, st.integers(2, 4), few)  # an array of one row could be one of planes first
def test_an_image_of_the_low_resolution_is_kept_and_one_of_the_full_size_reduced(factor: int, rows: int, columns: int):
    condition, size = ImageCondition(derived=f"superres:{factor}"), (rows * factor, columns * factor)
    small, large = noise(rows, columns), noise(*size)
    assert np.array_equal(planes_last(condition.read(small, size)), blocks(small, factor))
    for asked in (size, None):
        assert np.array_equal(
            planes_last(condition.read(large, asked)), parse_derived(f"superres:{factor}").make(large)
        )


def test_an_image_of_any_other_size_is_reduced_in_one_step(tmp_path: Path) -> None:
    save(tmp_path / "photo.png", noise(50, 70))
    small = Image.fromarray(noise(50, 70)).resize((6, 4), Image.Resampling.BICUBIC)
    read = ImageCondition(derived="superres:4").read(tmp_path / "photo.png", (16, 24))
    assert np.array_equal(planes_last(read), blocks(np.array(small), 4))


@pytest.mark.parametrize(
    ("size", "nearest"), [((18, 15), "16x16"), ((23, 16), "24x16"), ((2, 9), "4x8"), ((17, 33), "16x32")]
)
def test_sides_that_the_factor_does_not_divide_are_told_with_the_nearest_that_it_does(
    tmp_path: Path, size: tuple[int, int], nearest: str
) -> None:
    sentence = rf"superres:4 needs sides divisible by 4, got {size[0]}x{size[1]} \(height x width\).*--size {nearest}$"
    with pytest.raises(DataError, match=f"the image: {sentence}"):
        parse_derived("superres:4").make(noise(*size))
    file = save(tmp_path / "data" / "x.png", noise(*size))
    with pytest.raises(DataError, match=rf"x\.png: {sentence}"):
        ImageCondition(derived="superres:4").read(file)
    with pytest.raises(DataError, match=f"data: {sentence}"):
        open_data(tmp_path / "data", size, condition="superres:4")
    with pytest.raises(DataError, match=f"streets: {sentence}"):
        open_data("streets:20", 32, condition="superres:4").resized(size)


def test_a_saved_factor_that_is_none_is_told() -> None:
    with pytest.raises(DataError, match="superres needs an integer factor of at least 2"):
        condition_from_mapping({"kind": "image", "derived": "superres:x"})


def test_what_is_visited_is_derived_from_the_crop_wherever_it_begins(tmp_path: Path) -> None:
    pairs = open_data(pictures(tmp_path), condition="superres:4")
    visits = Visits(pairs, jitter=1.1, flip=True)
    seen = [visits[0, key] for key in range(40)]
    assert len({visit["image"].numpy().tobytes() for visit in seen}) > 15  # of 3 x 3 crops, mirrored or not
    for visit in seen:
        assert np.array_equal(
            planes_last(visit["condition"]), parse_derived("superres:4").make(planes_last(visit["image"]))
        )
    assert torch.equal(Visits(pairs)[0, 5]["condition"], pairs.raw(0)[0])


def test_unpaired_low_resolution_images_are_those_of_another_image(tmp_path: Path) -> None:
    pairs = open_data(pictures(tmp_path, 12), condition="superres:4", unpaired=True)
    own = 0
    for i in range(len(pairs)):
        (condition, image), visit = pairs.raw(i), Visits(pairs)[i, 0]
        own += np.array_equal(planes_last(condition), parse_derived("superres:4").make(planes_last(image)))
        assert torch.equal(visit["condition"], condition)
        assert torch.equal(visit["image"], image)
    assert own <= 1  # the first keeps its place


def test_white_of_a_mask_in_the_folder_is_the_hole_at_every_visit_and_size(tmp_path: Path) -> None:
    kind = f"inpaint:{masks(tmp_path / 'masks')}"
    pairs = open_data(pictures(tmp_path / "images", 12), condition=kind)
    assert pairs.condition == ImageCondition(channels=4, derived=kind)
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
    assert torch.equal(pairs.condition.read(pairs.raw(0)[0]), pairs.raw(0)[0])


@settings(max_examples=60, derandomize=True)
@given(st.integers(0, 2**42), st.tuples(st.integers(3, 40), st.integers(3, 40)))
def test_every_pixel_that_a_mask_touches_is_in_the_hole(
    tmp_path_factory: pytest.TempPathFactory, item: int, size: tuple[int, int]
) -> None:
    mask = np.zeros((24, 20), dtype=np.uint8)
    mask[7, 11] = 255
    folder = tmp_path_factory.mktemp("one")
    save(folder / "0.png", mask)
    hole = parse_derived(f"inpaint:{folder}").make(noise(*size), item)[..., 3] == 255
    rows, columns = np.nonzero(hole.any(1))[0], np.nonzero(hole.any(0))[0]
    assert hole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    for cells, at, given_, length in ((rows, 7, 24, size[0]), (columns, 11, 20, size[1])):
        touched = [c for c in range(length) if c * given_ // length <= at < -(-(c + 1) * given_ // length)]
        assert cells.tolist() == touched


def test_workers_and_other_processes_cut_the_same_holes(tmp_path: Path) -> None:
    pairs = open_data(pictures(tmp_path / "p", 9), condition=f"inpaint:{masks(tmp_path / 'masks')}")
    alone = [pairs.raw(i)[0] for i in range(len(pairs))]
    travelled = pickle.loads(pickle.dumps(pairs))
    assert not travelled.derived.masks._cache
    assert all(torch.equal(travelled.raw(i)[0], condition) for i, condition in enumerate(alone))
    loaded = [condition for condition, _ in DataLoader(travelled, batch_size=None, num_workers=2)]
    assert all(torch.equal(a, b) for a, b in zip(loaded, alone, strict=True))


def test_streets_take_holes_from_a_folder_too(tmp_path: Path) -> None:
    pairs = open_data("streets:20", 32, condition=f"inpaint:{masks(tmp_path)}")
    assert pairs.raw(0)[0].shape == (4, 32, 32)
    assert "one of 3 masks" in check("streets:20", condition=f"inpaint:{tmp_path}").text()


def test_masks_kept_among_the_images_are_no_images(tmp_path: Path) -> None:
    pictures(tmp_path / "summer")
    pictures(tmp_path / "winter", 4)
    pairs = open_data(tmp_path, condition=f"inpaint:{masks(tmp_path / 'masks')}")
    assert len(pairs) + len(pairs.validation()) == 10


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ("nowhere", r"there is no folder .*nowhere of masks"),
        ("maskz", r"there is no folder .*maskz of masks; did you mean 'inpaint:.*masks'"),
        ("file.txt", r"file\.txt is a file; give the folder of the masks"),
        ("empty", r"empty has no images; a mask is an image where white .* marks the hole"),
    ],
)
def test_a_mask_folder_that_is_none_is_told(tmp_path: Path, given_: str, words: str) -> None:
    data = pictures(tmp_path / "images")
    masks(tmp_path / "masks")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(DataError, match=words):
        open_data(data, condition=f"inpaint:{tmp_path / given_}")
    with pytest.raises(DataError, match="give a folder after the colon"):
        open_data(data, condition="inpaint:")


def test_masks_that_cannot_be_meant_are_refused_at_opening_and_all_listed_by_the_check(tmp_path: Path) -> None:
    data, folder = pictures(tmp_path / "images"), masks(tmp_path / "masks")
    inverted = np.full((16, 16), 255, dtype=np.uint8)
    save(folder / "full.png", inverted)
    inverted[0, :3] = 0
    save(folder / "inverted.png", inverted)
    save(folder / "nothing.png", np.zeros((16, 16), dtype=np.uint8))
    save(folder / "dust.png", np.where(np.indices((64, 64)).sum(0) % 4 == 0, 255, 0).astype(np.uint8))
    with pytest.raises(DataError, match=r"masks/\w+\.png: .* \(and 3 more masks: variegate data check\)"):
        open_data(data, condition=f"inpaint:{folder}")
    report = check(data, condition=f"inpaint:{folder}")
    expected = [
        r"full.png: its mask covers the whole image",
        r"inverted.png: its mask covers 99 % of the image, so it seems to be inverted; white (255",
        r"nothing.png: its mask covers nothing, so there is no hole to fill; white (255, or 1.0) marks the hole",
        r"dust.png: covers an entire 16x16 image, because every pixel that its hole touches is masked",
    ]
    for words in expected:
        assert sum(words in problem for problem in report.problems) == 1, words
    assert len(report.problems) == len(expected)


def test_masks_in_folders_of_their_kind_are_found(tmp_path: Path) -> None:
    masks(tmp_path / "small")
    masks(tmp_path / "large")
    assert len(Masks(str(tmp_path))) == 6


def test_the_check_says_what_will_be_made_in_pixels(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / "data" / f"{i}.png", noise(64, 96, i))
    data, folder = tmp_path / "data", masks(tmp_path / "masks")
    said = {kind: check(data, condition=kind).text() for kind in ("superres:4", "inpaint", "inpaint:centre", "edges")}
    assert (
        "superres:4: the low resolution of 96x64 images (width x height) is 24x16, each pixel repeated 4 x 4"
        in said["superres:4"]
    )
    assert "a hole 36 to 48 wide and 24 to 32 high, at a random position of 96x64 images" in said["inpaint"]
    assert "a hole of 48x32 in the centre of 96x64 images" in said["inpaint:centre"]
    assert "derived from the image: edges\n" in said["edges"]
    masked = check(data, condition=f"inpaint:{folder}")
    assert masked.ok
    assert f"one of 3 masks in {folder}, resized; white (255, or 1.0) marks the hole" in masked.text()


def test_the_check_tells_a_factor_that_does_not_divide(tmp_path: Path) -> None:
    report = check(pictures(tmp_path), condition="superres:3")
    assert [problem.endswith("--size 15x15") for problem in report.problems] == [True]
