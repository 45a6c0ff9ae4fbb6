"""A hole is cut the same way at every visit, and a user's hole is read in every form or refused in words."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers.tiny import photo, save
from variegate.core.errors import DataError
from variegate.data import condition_from_mapping, open_data
from variegate.data.conditions import ImageCondition
from variegate.data.dataset.visits import Visits
from variegate.data.derived.holes import centre, join, rectangle, resize

pytestmark = pytest.mark.core

HOLES = ImageCondition(channels=4, derived="inpaint")
RGB = np.random.default_rng(0).integers(0, 255, (8, 12, 3), dtype=np.uint8)
FROZEN = [(37, 49, 53, 55), (56, 0, 49, 51), (45, 35, 63, 56)]
MASK = np.zeros((8, 12), dtype=np.uint8)
MASK[2:5, 3:9] = 255
KNOWN = np.dstack([RGB, 255 - MASK])  # what an image editor saves: alpha 0 in the hole
EXPECTED = torch.from_numpy(join(RGB, MASK)).permute(2, 0, 1)

sides = st.integers(2, 300)
items = st.integers(0, 2**42)


def folder(root: Path, count: int = 4, side: int = 16) -> Path:
    for i in range(count):
        save(root / f"{i}.png", photo(side, side))
    return root


@settings(max_examples=200, derandomize=True)
@given(st.tuples(sides, sides), items)
def test_a_random_hole_lies_inside_and_is_three_eighths_to_one_half_of_each_side(size: tuple[int, int], item: int):
    hole = rectangle(size, item)
    assert hole == rectangle(size, item)
    for start, length, side in ((hole.top, hole.height, size[0]), (hole.left, hole.width, size[1])):
        assert 0 <= start <= side - length
        assert 1 <= length <= side / 2
        assert length >= 3 / 8 * side or length == side // 2


def test_random_holes_reach_every_side_length_and_place_alike() -> None:
    holes = [rectangle((128, 128), i) for i in range(4000)]
    heights = np.bincount([hole.height for hole in holes], minlength=65)
    assert set(np.flatnonzero(heights)) == set(range(48, 65))
    assert heights[48:].min() > 0.6 * 4000 / 17
    assert {hole.top for hole in holes} >= set(range(65))
    assert {hole.left for hole in holes} >= set(range(65))
    assert abs(np.corrcoef(*np.array([hole[:2] for hole in holes]).T)[0, 1]) < 0.06


def test_the_holes_are_frozen() -> None:
    """A change here changes the data of every inpainting run made before."""
    assert [tuple(rectangle((128, 128), i)) for i in (0, 1, 2**40)] == FROZEN


def test_the_central_hole_is_half_of_height_and_width() -> None:
    assert centre((256, 256)) == (64, 64, 128, 128)
    assert centre((6, 9)) == (1, 2, 3, 4)
    for cutting in (centre, lambda size: rectangle(size, 0)):
        with pytest.raises(DataError, match="9x1 image is too small to cut a hole"):
            cutting((1, 9))


@pytest.mark.parametrize("kind", ["inpaint", "inpaint:centre"])
def test_the_condition_is_the_image_white_in_the_hole_and_the_mask(tmp_path: Path, kind: str) -> None:
    pairs = open_data(folder(tmp_path), condition=kind)
    assert pairs.condition == ImageCondition(channels=4, derived=kind)
    condition, image = pairs.raw(0)
    hole = condition[3] == 255
    assert condition.shape == (4, 16, 16)
    assert set(condition[3].unique().tolist()) == {0, 255}
    assert (condition[:3, hole] == 255).all()
    assert torch.equal(condition[:3, ~hole], image[:, ~hole])
    encoded = pairs.condition.encode(condition[None])
    assert encoded[0, 3].unique().tolist() == [-1, 1]
    assert (encoded[0, 3] == 1).equal(hole)
    if kind == "inpaint:centre":
        assert hole[4:12, 4:12].all()
        assert hole.sum() == 64


def test_an_item_has_its_own_hole_whoever_opens_it_and_splits_share_none(tmp_path: Path) -> None:
    folder(tmp_path, 40)
    pairs, again = open_data(tmp_path, condition="inpaint"), open_data(tmp_path, condition="inpaint")
    assert torch.equal(pairs.raw(3)[0], again.raw(3)[0])
    masks = [pairs.raw(i)[0][3].numpy().tobytes() for i in range(30)]
    assert len(set(masks)) > 15
    assert pairs.validation().raw(0)[0][3].numpy().tobytes() != masks[0]


def test_crops_and_mirrors_do_not_move_the_hole(tmp_path: Path) -> None:
    pairs = open_data(folder(tmp_path), condition="inpaint")
    visits, hole = Visits(pairs, jitter=1.5, flip=True), pairs.raw(1)[0][3]
    seen = [visits[1, key] for key in range(20)]
    assert len({visit["image"].numpy().tobytes() for visit in seen}) > 10
    for visit in seen:
        assert torch.equal(visit["condition"][3], hole)
        assert torch.equal(visit["condition"][:3, hole == 0], visit["image"][:, hole == 0])


def test_every_form_of_an_image_with_a_hole_reads_alike(tmp_path: Path) -> None:
    Image.fromarray(KNOWN).save(tmp_path / "transparent.png")
    Image.fromarray(RGB).save(tmp_path / "image.png")
    Image.fromarray(MASK).save(tmp_path / "mask.png")
    Image.fromarray(MASK).convert("1").save(tmp_path / "one.png")
    given = np.dstack([RGB, MASK])
    forms = [
        tmp_path / "transparent.png",
        str(tmp_path / "transparent.png"),
        Image.fromarray(KNOWN),
        given,
        given / 255,
        np.dstack([RGB, MASK // 255]),
        torch.from_numpy(given).permute(2, 0, 1),
        torch.from_numpy(given).permute(2, 0, 1) / 255,
        EXPECTED,
        (tmp_path / "image.png", tmp_path / "mask.png"),
        (str(tmp_path / "image.png"), tmp_path / "one.png"),
        (Image.fromarray(RGB), MASK > 0),
        (RGB, Image.fromarray(MASK).convert("RGB")),
        (torch.from_numpy(RGB).permute(2, 0, 1), torch.from_numpy(MASK)[None] / 255),
        (RGB / 255, MASK // 255),
    ]
    for form in forms:
        assert torch.equal(HOLES.read(form), EXPECTED)


def test_what_training_sees_reads_back_as_itself(tmp_path: Path) -> None:
    raw = open_data(folder(tmp_path), condition="inpaint").raw(0)[0]
    assert torch.equal(HOLES.read(raw), raw)


def test_soft_edges_of_a_mask_are_cut_at_one_half(tmp_path: Path) -> None:
    soft = np.repeat(np.array([[0, 100, 127, 128, 200, 255]], dtype=np.uint8), 4, axis=0)
    grey = np.full((4, 6, 3), 50, dtype=np.uint8)
    assert HOLES.read((grey, soft))[3, 0].tolist() == [0, 0, 0, 255, 255, 255]
    assert HOLES.read(Image.fromarray(np.dstack([grey, 255 - soft])))[3, 0].tolist() == [0, 0, 0, 255, 255, 255]
    Image.fromarray(MASK).resize((120, 80)).save(tmp_path / "mask.jpg")
    read = HOLES.read((Image.fromarray(RGB).resize((120, 80)), tmp_path / "mask.jpg"))
    assert set(read[3].unique().tolist()) == {0, 255}


def test_an_image_without_a_mask_is_refused_with_the_ways_to_give_one(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "x.jpg")
    white = RGB.copy()
    white[2:5, 3:9] = 255  # a white hole could as well be a white wall
    for form in (tmp_path / "x.jpg", Image.fromarray(white), white, torch.from_numpy(white).permute(2, 0, 1), MASK):
        with pytest.raises(DataError, match=r"no mask that marks .*transparent \(alpha 0\).*a mask, white inside"):
            HOLES.read(form)
    with pytest.raises(DataError, match=r"x\.jpg: has no mask"):
        HOLES.read(tmp_path / "x.jpg")


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.zeros_like(MASK), "covers nothing, so there is no hole to fill"),
        (np.full_like(MASK, 255), "covers the whole image, so there is nothing to fill it from"),
        (np.where(np.arange(96).reshape(8, 12) < 88, 255, 0).astype(np.uint8), "covers 92 % .*inverted; .*invert it"),
    ],
)
def test_a_mask_that_makes_no_sense_is_refused_naming_its_polarity(mask: np.ndarray, words: str) -> None:
    for form in ((RGB, mask), np.dstack([RGB, mask])):
        with pytest.raises(DataError, match=rf"{words}.*") as caught:
            HOLES.read(form)
        assert "white (255, or 1.0) marks the hole and black is kept" in str(caught.value)
    with pytest.raises(DataError, match=words) as caught:
        HOLES.read(Image.fromarray(np.dstack([RGB, 255 - mask])))
    assert "transparent (alpha 0) marks the hole and opaque is kept" in str(caught.value)


def test_a_hole_of_three_quarters_is_believed() -> None:
    mask = np.full_like(MASK, 255)
    mask[:2] = 0
    assert (HOLES.read((RGB, mask))[3] == 255).float().mean() == 0.75


def test_a_mask_of_another_size_is_named_with_both(tmp_path: Path) -> None:
    Image.fromarray(MASK[:, :6]).save(tmp_path / "mask.png")
    with pytest.raises(DataError, match=r"mask\.png: is 6x8, but its image is 12x8; .*white"):
        HOLES.read((RGB, tmp_path / "mask.png"))
    with pytest.raises(DataError, match="the given mask: is 6x8"):
        HOLES.read((RGB, MASK[:, :6]))


def test_wrong_shapes_and_pairs_for_other_models_are_refused() -> None:
    with pytest.raises(DataError, match=r"expected shape \(H, W, 4\) or \(4, H, W\), got \(8, 12, 7\)"):
        HOLES.read(np.zeros((8, 12, 7), dtype=np.uint8))
    with pytest.raises(DataError, match=r"has no pixels"):
        HOLES.read(np.zeros((0, 12, 4), dtype=np.uint8))
    with pytest.raises(DataError, match=r"expected a pair \(image, mask\), got a tuple of 3"):
        HOLES.read((RGB, MASK, MASK))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="this model does not fill holes"):
        ImageCondition().read((RGB, MASK))


@settings(max_examples=60, derandomize=True)
@given(st.tuples(st.integers(1, 40), st.integers(1, 40)), items)
def test_resizing_loses_no_hole_and_lets_nothing_out_of_it(size: tuple[int, int], item: int) -> None:
    hole = rectangle((24, 20), item)
    pixels = np.full((24, 20, 3), 90, dtype=np.uint8)
    mask = np.zeros((24, 20), dtype=np.uint8)
    mask[hole.top : hole.top + hole.height, hole.left : hole.left + hole.width] = 255
    small = resize(join(pixels, mask), size)
    assert small.shape == (*size, 4)
    inside = small[..., 3] == 255
    assert inside.any()
    assert set(np.unique(small[..., 3])) <= {0, 255}
    error = np.abs(small[..., :3][~inside].astype(int) - 90)
    assert error.max(initial=0) <= 12  # bytes are rounded twice (up to 9 seen); a white rim would be 165 off
    assert (small[..., :3][inside] == 255).all()


def test_a_hole_of_one_pixel_survives_reading_at_a_smaller_size() -> None:
    mask = np.zeros((64, 64), dtype=np.uint8)
    mask[33, 18] = 255
    assert HOLES.read((photo(64, 64), mask), size=(8, 8))[3].nonzero().tolist() == [[4, 2]]


def test_the_hole_is_shown_in_mid_grey() -> None:
    shown = HOLES.to_image(EXPECTED)
    assert shown.shape == (3, 8, 12)
    assert (shown[:, 2:5, 3:9] == 128).all()
    assert torch.equal(shown[:, :2], EXPECTED[:3, :2])


def test_the_saved_condition_reads_back_and_must_have_four_channels() -> None:
    assert condition_from_mapping(HOLES.model_dump(mode="json")) == HOLES
    with pytest.raises(DataError, match="inpaint needs 4 channels"):
        condition_from_mapping({"kind": "image", "channels": 3, "derived": "inpaint"})
