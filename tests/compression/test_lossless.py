"""Whatever `compress` accepts comes back as Pillow reads the whole file; what it would lose is refused by name."""

from __future__ import annotations

import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from helpers.tables import Table, table_model
from variegate.compression.images import levels_shown
from variegate.core.errors import DataError
from variegate.core.images import to_uint8
from variegate.core.interfaces import Generator


def png_of_16_bits(path: Path, values: np.ndarray) -> Path:
    """A PNG of 16 bits a channel, which Pillow reads and cannot write: (H, W, 2, 3 or 4)."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
            file.write(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))
    return path


class Exact(Table):
    """All 256 levels; it is never drawn from."""

    def __init__(self, colours: int) -> None:
        Generator.__init__(self)
        self.bits, self.colours, self.levels = 8, colours, 256
        self.logits = torch.nn.Parameter(torch.zeros(1))


def shown(file: Path, colours: int = 3) -> np.ndarray:
    """What a model of 256 levels would keep of a file, (H, W, 3)."""
    model = table_model(Exact(colours))
    image = to_uint8(levels_shown(model, model.generator, file, reduce=False))[0]
    return image.expand(3, -1, -1).permute(1, 2, 0).numpy()


def written(file: Path, mode: str, frames: int, seed: int) -> bool:
    """Write random images; False if the format cannot hold them."""
    rng = np.random.default_rng(seed)
    images = [Image.fromarray(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)) for _ in range(frames)]
    try:
        first, *others = [(image.convert("L") if mode == "I;16" else image).convert(mode) for image in images]
        several = others and file.suffix in (".png", ".gif", ".tiff", ".webp")
        first.save(file, **({"save_all": True, "append_images": others} if several else {}))
    except (OSError, ValueError, KeyError):
        return False
    return True


ACCEPTED: set[str] = set()
MODES = ["1", "L", "P", "RGB", "RGBA", "LA", "I;16", "I", "F", "CMYK", "YCbCr", "HSV"]


@settings(max_examples=120, derandomize=True)
@given(
    mode=st.sampled_from(MODES),
    suffix=st.sampled_from(["png", "bmp", "gif", "tiff", "webp", "jpg", "ppm", "tga", "jp2"]),
    frames=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_what_is_accepted_comes_back_in_full(mode: str, suffix: str, frames: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"a.{suffix}"
        if not written(file, mode, frames, seed):
            return
        try:
            kept = shown(file)
        except DataError as error:
            assert str(file) in str(error)  # noqa: PT017
            return
        with Image.open(file) as stored:
            whole = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(stored)]
        ACCEPTED.add(suffix)
        assert len(whole) == 1
        assert np.array_equal(kept, whole[0])


def test_and_common_files_are_accepted() -> None:
    assert {"png", "bmp", "jpg"} <= ACCEPTED


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_sixteen_bits_a_colour_are_refused_though_pillow_says_rgb(tmp_path: Path, channels: int) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (8, 8, channels))
    file = png_of_16_bits(tmp_path / "deep.png", values)
    assert Image.open(file).mode in ("RGB", "RGBA")
    with pytest.raises(DataError, match=r"deep\.png: has more than 8 bits per colour|has transparency"):
        shown(file)


def test_a_portable_pixmap_of_12_bits_is_refused(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (4, 4, 3)).astype(">u2")
    (tmp_path / "deep.ppm").write_bytes(b"P6\n4 4\n4095\n" + values.tobytes())
    with pytest.raises(DataError, match="more than 8 bits per colour"):
        shown(tmp_path / "deep.ppm")


@pytest.mark.parametrize("suffix", ["gif", "png", "tiff", "webp"])
def test_frames_and_pages_are_refused(tmp_path: Path, suffix: str) -> None:
    frames = [Image.fromarray(np.full((8, 8, 3), 60 * i, dtype=np.uint8)) for i in range(4)]
    frames[0].save(tmp_path / f"many.{suffix}", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match=rf"many\.{suffix}: has 4 frames or pages"):
        shown(tmp_path / f"many.{suffix}")


def test_a_grey_model_keeps_grey_files(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (6, 5), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "grey.png")
    assert np.array_equal(shown(tmp_path / "grey.png", colours=1)[..., 0], values)
