"""No good image is lost, and every bad one is named with the remedy."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from variegate.core.errors import DataError
from variegate.data.derived.derived import parse_derived
from variegate.data.files.images import read_image, read_labels, size_of

pytestmark = pytest.mark.core

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.png: there is no such file"):
        read_image(tmp_path / "none.png")
    with pytest.raises(DataError, match="is a folder"):
        read_image(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"not an image at all", "not an image in a format"),
        (b"<!DOCTYPE html><html>404</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
    ],
)
def test_what_is_no_image_is_said(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "x.png"
    file.write_bytes(content)
    with pytest.raises(DataError, match=rf"x\.png: .*{words}"):
        read_image(file)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_found_although_its_header_is_whole(tmp_path: Path, suffix: str, share: float) -> None:
    file = tmp_path / f"x.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError, match=r"x\.\w+: is cut short or damaged"):
        read_image(file)


def test_damaged_bytes_give_an_image_or_one_sentence_and_never_another_error(tmp_path: Path) -> None:
    file = tmp_path / "x.png"
    Image.fromarray(RGB).save(file)
    whole, rng = bytearray(file.read_bytes()), np.random.default_rng(0)
    outcomes = set()
    for _ in range(300):
        broken = bytearray(whole)
        broken[rng.integers(len(broken))] = int(rng.integers(256))
        file.write_bytes(broken)
        try:
            outcomes.add(str(read_image(file).dtype))
        except DataError as error:
            outcomes.add(str(error).partition(":")[0])
    assert outcomes == {"uint8", str(file)}


def test_an_image_that_memory_does_not_hold_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(RGB).save(tmp_path / "x.png")

    def load(self: object) -> None:
        raise MemoryError

    monkeypatch.setattr(PngImageFile, "load", load)
    with pytest.raises(DataError, match=r"x\.png: is damaged, or too large for the memory; copy it again"):
        read_image(tmp_path / "x.png")


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.array([[0, 257, 25700, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "x.png")
    assert read_image(tmp_path / "x.png", channels=1).tolist() == [[0, 1, 100, 255]]
    assert read_image(tmp_path / "x.png")[0, :, 2].tolist() == [0, 1, 100, 255]


def test_mode_i_and_float_images_are_scaled(tmp_path: Path) -> None:
    assert read_image(Image.fromarray(np.array([[0, 65535]], dtype=np.int32)), 1).tolist() == [[0, 255]]
    assert read_image(Image.fromarray(np.array([[0, 1]], dtype=np.float32)), 1).tolist() == [[0, 255]]
    with pytest.raises(DataError, match="values from -5 to 1"):
        read_image(Image.fromarray(np.array([[-5, 1]], dtype=np.float32)), 1)


def test_sixteen_bit_labels_keep_their_ids(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 7, 255, 300]], dtype=np.uint16)).save(tmp_path / "x.png")
    assert read_labels(tmp_path / "x.png", "x")[0].tolist() == [[0, 7, 255, 300]]


def test_grey_palette_cmyk_and_black_and_white_become_rgb(tmp_path: Path) -> None:
    picture = Image.fromarray(RGB)
    picture.convert("L").save(tmp_path / "grey.png")
    picture.convert("P").save(tmp_path / "palette.png")
    picture.convert("CMYK").save(tmp_path / "cmyk.jpg")
    picture.convert("1").save(tmp_path / "one.png")
    for name in ("grey.png", "palette.png", "cmyk.jpg", "one.png"):
        assert read_image(tmp_path / name).shape == RGB.shape
    flat = Image.new("RGB", (16, 16), (200, 50, 50)).convert("CMYK")
    flat.save(tmp_path / "flat.jpg")
    assert np.abs(read_image(tmp_path / "flat.jpg").astype(int) - (200, 50, 50)).max() < 8


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_become_white(tmp_path: Path, mode: str) -> None:
    black = Image.new(mode, (2, 1))  # fully transparent
    black.putpixel((1, 0), (0, 0, 0, 255) if mode == "RGBA" else (0, 255))
    black.save(tmp_path / "x.png")
    assert read_image(tmp_path / "x.png")[0].tolist() == [[255] * 3, [0] * 3]


def test_exif_orientation_is_applied_to_pixels_and_size(tmp_path: Path) -> None:
    picture = Image.new("RGB", (40, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "x.jpg", exif=exif)
    assert read_image(tmp_path / "x.jpg").shape == (40, 20, 3)
    assert size_of(tmp_path / "x.jpg") == (40, 20)


def test_the_size_of_a_broken_file_is_unknown_rather_than_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"?")
    assert size_of(tmp_path / "x.png") is None


def test_derived_conditions_are_what_they_say() -> None:
    step = np.zeros((16, 16, 3), dtype=np.uint8)
    step[:, 8:] = 255
    edges = parse_derived("edges").make(step)
    assert edges[:, 7:9].min() == 255
    assert edges[:, :5].max() == 0
    assert edges[:, 11:].max() == 0
    assert np.array_equal(parse_derived("self").make(RGB), RGB)
    assert parse_derived("grey").make(RGB).shape == (6, 8)
    flat = np.full((8, 12, 3), 77, dtype=np.uint8)
    assert np.array_equal(parse_derived("superres:4").make(flat), flat)
    noise = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert parse_derived("superres:4").make(noise).std() < noise.std() / 2
    with pytest.raises(DataError, match="needs sides divisible by 40"):
        parse_derived("superres:40").make(RGB)
