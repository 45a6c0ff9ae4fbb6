"""A condition reads every form of a label map or image alike, and refuses in words what it cannot mean."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from variegate.core.errors import DataError
from variegate.data import condition_from_mapping
from variegate.data.conditions import ImageCondition, Labels
from variegate.data.readers.classes import hues

pytestmark = pytest.mark.core

ROAD = Labels(names=("sky", "road", "void"), palette=((0, 0, 255), (90, 90, 90), (0, 0, 0)), void=2)
PLAIN = Labels(names=("sky", "road"), palette=((0, 0, 255), (90, 90, 90)))
IDS = np.array([[0, 1, 1], [2, 0, 1]], dtype=np.uint8)
COLOURS = np.array(ROAD.palette, dtype=np.uint8)[IDS]


def palette_png(path: Path, ids: np.ndarray, palette: list[int]) -> Path:
    picture = Image.fromarray(ids).convert("L").copy()
    indexed = Image.new("P", picture.size)
    indexed.putdata(list(ids.ravel()))
    indexed.putpalette(palette)
    indexed.save(path)
    return path


def test_every_form_of_a_label_map_gives_the_same_ids(tmp_path: Path) -> None:
    Image.fromarray(IDS).save(tmp_path / "ids.png")
    Image.fromarray(COLOURS).save(tmp_path / "colours.png")
    Image.fromarray(IDS.astype(np.uint16)).save(tmp_path / "sixteen.png")
    palette_png(tmp_path / "indexed.png", IDS, [1, 2, 3, 4, 5, 6, 7, 8, 9])
    forms = [
        tmp_path / "ids.png",
        str(tmp_path / "colours.png"),
        tmp_path / "sixteen.png",
        tmp_path / "indexed.png",
        Image.fromarray(IDS),
        Image.fromarray(COLOURS).convert("RGBA"),
        IDS,
        IDS[None],
        IDS.astype(np.int64),
        IDS.astype(np.float32),
        COLOURS,
        COLOURS / 255.0,
        torch.from_numpy(IDS),
        torch.from_numpy(IDS)[None],
        torch.from_numpy(COLOURS).permute(2, 0, 1),
        torch.from_numpy(COLOURS).permute(2, 0, 1) / 255,
    ]
    for form in forms:
        raw = ROAD.read(form)
        assert raw.dtype == torch.uint8
        assert raw.tolist() == [IDS.tolist()]


def test_palette_indices_out_of_range_are_matched_by_their_colour(tmp_path: Path) -> None:
    palette = [0] * 9 + [90, 90, 90, 0, 0, 255, 0, 0, 0]  # 3 road, 4 sky, 5 void
    file = palette_png(tmp_path / "x.png", np.array([[4, 3, 3], [5, 4, 3]], dtype=np.uint8), palette)
    assert ROAD.read(file).tolist() == [IDS.tolist()]


def test_255_is_void_where_there_is_a_void_class_and_an_error_where_not() -> None:
    unlabelled = np.array([[0, 255]], dtype=np.uint8)
    assert ROAD.read(unlabelled).tolist() == [[[0, 2]]]
    with pytest.raises(DataError, match=r"255 .*no class for unlabelled.*0\.\.1"):
        PLAIN.read(unlabelled)


def test_an_id_out_of_range_names_file_id_range_and_remedy(tmp_path: Path) -> None:
    Image.fromarray(np.full((2, 2), 7, dtype=np.uint8)).save(tmp_path / "bad.png")
    with pytest.raises(DataError, match=r"bad\.png: has label id 7, expected 0\.\.2 \(3 classes\).*relabel"):
        ROAD.read(tmp_path / "bad.png")
    with pytest.raises(DataError, match=r"label id -1"):
        ROAD.read(np.array([[-1, 0]]))
    with pytest.raises(DataError, match=r"label id 300"):
        ROAD.read(np.array([[300, 0]]))


def test_an_unknown_colour_is_named() -> None:
    with pytest.raises(DataError, match=r"do not belong to any class, such as \(9, 9, 9\).*exact palette colours"):
        ROAD.read(np.full((2, 2, 3), 9, dtype=np.uint8))


def test_a_jpeg_label_map_is_refused_with_the_reason(tmp_path: Path) -> None:
    Image.fromarray(IDS).save(tmp_path / "x.jpg")
    with pytest.raises(DataError, match="JPEG, which blurs labels"):
        ROAD.read(tmp_path / "x.jpg")


def test_fractions_are_no_label_map() -> None:
    with pytest.raises(DataError, match="fractions"):
        ROAD.read(np.full((2, 2), 0.5))


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4, 5), (2, 3, 7)])
def test_a_wrong_shape_is_named(shape: tuple[int, ...]) -> None:
    for condition in (ROAD, ImageCondition()):
        with pytest.raises(DataError, match=r"expected shape .*got "):
            condition.read(np.zeros(shape, dtype=np.uint8))


def test_no_pixels_and_text_values_are_refused() -> None:
    with pytest.raises(DataError, match="no pixels"):
        ImageCondition().read(np.zeros((0, 4), dtype=np.uint8))
    with pytest.raises(DataError, match="no pixels"):
        ROAD.read(np.zeros((0, 4), dtype=np.uint8))
    with pytest.raises(DataError, match="values of type"):
        ImageCondition().read(np.array([["a"]]))


def test_resizing_labels_invents_no_class_and_gives_the_exact_size() -> None:
    board = (np.indices((9, 11)).sum(0) % 2 * 2).astype(np.uint8)
    small = ROAD.read(board, size=(4, 7))
    assert small.shape == (1, 4, 7)
    assert set(small.unique().tolist()) <= {0, 2}


def test_resizing_images_is_antialiased() -> None:
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (64, 32))
    small = ImageCondition(channels=1).read(stripes, size=(16, 16))
    assert small.shape == (1, 16, 16)
    assert (small[:, 2:-2, 2:-2].float() - 127.5).abs().max() < 3


def test_one_hot_has_one_one_at_the_class_and_keeps_device_and_batch() -> None:
    raw = ROAD.read(IDS)[None].repeat(2, 1, 1, 1)
    encoded = ROAD.encode(raw)
    assert encoded.shape == (2, 3, 2, 3)
    assert encoded.dtype == torch.float32
    assert torch.equal(encoded.sum(1), torch.ones(2, 2, 3))
    assert torch.equal(encoded.argmax(1, keepdim=True).to(torch.uint8), raw)


def test_encoding_an_id_out_of_range_is_an_error_and_not_a_silent_zero() -> None:
    with pytest.raises(DataError, match="label id 9"):
        ROAD.encode(torch.full((1, 1, 2, 2), 9, dtype=torch.uint8))


def test_every_form_of_an_image_gives_the_same_bytes(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    expected = torch.from_numpy(pixels).permute(2, 0, 1)
    forms = [
        tmp_path / "x.png",
        Image.fromarray(pixels),
        pixels,
        pixels / 255.0,
        (pixels / 255).astype(np.float32),
        pixels.astype(np.int32),
        pixels.astype(np.uint16) * 257,
        expected,
        expected.float() / 255,
    ]
    for form in forms:
        assert torch.equal(ImageCondition().read(form), expected)


def test_grey_becomes_colour_and_colour_becomes_grey_as_the_model_wants() -> None:
    grey = np.full((2, 2), 100, dtype=np.uint8)
    assert ImageCondition(channels=3).read(grey).unique().tolist() == [100]
    assert ImageCondition(channels=3).read(grey).shape == (3, 2, 2)
    assert ImageCondition(channels=1).read(np.full((2, 2, 3), 100, dtype=np.uint8)).tolist() == [[[100] * 2] * 2]


def test_values_in_minus_one_to_one_are_refused_with_the_range_seen() -> None:
    with pytest.raises(DataError, match=r"expected uint8, .* from -1 to 1"):
        ImageCondition().read(torch.linspace(-1, 1, 12).view(3, 2, 2))
    with pytest.raises(DataError, match=r"from nan to nan"):
        ImageCondition().read(np.full((2, 2, 3), np.nan))


def test_images_encode_to_minus_one_to_one() -> None:
    raw = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 1, 2)
    assert ImageCondition(channels=1).encode(raw).flatten().tolist() == [-1, 1]


def test_display_is_rgb_for_every_condition() -> None:
    assert torch.equal(ROAD.to_image(ROAD.read(IDS)), torch.from_numpy(COLOURS).permute(2, 0, 1))
    grey = torch.arange(4, dtype=torch.uint8).view(1, 2, 2)
    assert torch.equal(ImageCondition(channels=1).to_image(grey), grey.repeat(3, 1, 1))


def test_painting_with_the_palette_reads_back_as_the_same_labels() -> None:
    many = Labels(names=tuple(f"class {i}" for i in range(40)), palette=tuple(hues(40)))
    raw = torch.arange(40, dtype=torch.uint8).view(1, 5, 8)
    assert torch.equal(many.read(many.to_image(raw)), raw)


@pytest.mark.parametrize("count", [1, 2, 12, 100, 255])
def test_class_colours_are_distinct(count: int) -> None:
    assert len(set(hues(count, void=count - 1))) == count


@pytest.mark.parametrize("condition", [ROAD, PLAIN, ImageCondition(channels=1, derived="edges")])
def test_a_saved_condition_reads_back(condition: Labels | ImageCondition) -> None:
    assert condition_from_mapping(condition.model_dump(mode="json")) == condition


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "sound"}, "sound"),
        ({"kind": "labels", "names": ["a"], "palette": []}, "expected 1 colours, one for each name, got 0"),
        ({"kind": "labels", "names": ["a"], "palette": [[0, 0, 0]], "void": 1}, "void is class 1"),
        ({"kind": "image", "channels": 2}, "channels"),
    ],
)
def test_a_damaged_saved_condition_says_where(values: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        condition_from_mapping(values)
