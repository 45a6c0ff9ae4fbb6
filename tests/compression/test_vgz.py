"""Compressed files: the same images again, or one sentence and nothing written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.tables import Table, by_chance, table_model
from variegate.cli import main
from variegate.compression import compress, decompress
from variegate.compression.file import condition_bytes, condition_of, read
from variegate.core.errors import CheckpointError, ConfigError, DataError
from variegate.core.images import to_pil, to_uint8
from variegate.model.model import Model


def drawn(folder: Path, table: Table, size: tuple[int, int] = (12, 10), seed: int = 0) -> tuple[Path, Path]:
    """An image as the table draws it on a condition, and that condition: files."""
    planes = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    condition, file = folder / f"condition-{seed}.png", folder / f"{seed}.png"
    folder.mkdir(exist_ok=True)
    Image.fromarray(planes).save(condition)
    encoded = torch.from_numpy(planes)[None, None].float() / 127.5 - 1
    to_pil(to_uint8(table.walk(encoded, by_chance(seed)))[0]).save(file)
    return file, condition


def pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file))


@pytest.fixture
def packed(tmp_path: Path) -> tuple[Model, Path, list[Path]]:
    """A model, a file of three images, and those images."""
    model = table_model()
    pairs = [drawn(tmp_path / "given", model.generator, (12 + seed, 10), seed) for seed in range(3)]
    files = [file for file, _ in pairs]
    compress(model, files, tmp_path / "all.vgz", [condition for _, condition in pairs])
    return model, tmp_path / "all.vgz", files


def test_images_come_back_byte_for_byte(packed: tuple[Model, Path, list[Path]], tmp_path: Path) -> None:
    model, file, files = packed
    found = decompress(model, file, tmp_path / "out")
    assert [path.name for path in found] == ["0.png", "1.png", "2.png"]
    for was, path in zip(files, found):
        assert np.array_equal(pixels(was), pixels(path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.vgz", "given", "out"]


@pytest.mark.parametrize("colours", [1, 3])
def test_a_file_is_as_large_as_the_model_says(tmp_path: Path, colours: int) -> None:
    model = table_model(Table(colours=colours))
    file, _ = drawn(tmp_path / "given", model.generator, (48, 40))
    bright = np.full((48, 40), 250, dtype=np.uint8)
    size = compress(model, [file], tmp_path / "one.vgz", [bright])
    image = torch.from_numpy(pixels(file).copy()).view(1, 48, 40, colours).permute(0, 3, 1, 2) / 127.5 - 1
    assert size.values == 48 * 40 * colours
    assert size.information == pytest.approx(model.generator.bits_of(torch.ones(1, 1, 48, 40), image), rel=1e-5)
    assert size.written == (tmp_path / "one.vgz").stat().st_size
    assert size.information / 8 <= size.images <= size.information / 8 * 1.02
    assert size.written <= size.images + 200
    assert np.array_equal(pixels(decompress(model, tmp_path / "one.vgz", tmp_path / "out")[0]), pixels(file))


def test_any_byte_that_changes_is_noticed(packed: tuple[Model, Path, list[Path]], tmp_path: Path) -> None:
    _, file, _ = packed
    whole, broken = file.read_bytes(), tmp_path / "broken.vgz"
    for place in range(len(whole)):
        broken.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        with pytest.raises(DataError, match=r"is cut short or damaged|not a compressed file|has format 18"):
            read(broken)
    for length in range(len(whole)):
        broken.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"is cut short or damaged|not a compressed file"):
            read(broken)
    broken.write_bytes(whole + b"x")
    with pytest.raises(DataError, match="is cut short or damaged"):
        read(broken)


def test_a_foreign_model_or_a_damaged_file_writes_nothing(
    packed: tuple[Model, Path, list[Path]], tmp_path: Path
) -> None:
    model, file, _ = packed
    with pytest.raises(CheckpointError, match="was compressed with another model") as caught:
        decompress(table_model(Table(seed=5)), file, tmp_path / "out")
    assert "\n" not in str(caught.value)
    short = tmp_path / "short.vgz"
    short.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(DataError, match=r"short\.vgz: is cut short or damaged; copy it again"):
        decompress(model, short, tmp_path / "out")
    with pytest.raises(DataError, match="no such file"):
        decompress(model, tmp_path / "none.vgz", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_arithmetic_that_differs_is_noticed_and_writes_nothing(
    packed: tuple[Model, Path, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, file, _ = packed
    usual = Table.probabilities
    monkeypatch.setattr(Table, "probabilities", lambda *given: usual(*given).sqrt())
    with pytest.raises(DataError, match=r"all\.vgz, 0: the decompressed image differs from the original"):
        decompress(model, file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_would_be_lost_is_refused(tmp_path: Path) -> None:
    model, out = table_model(), tmp_path / "x.vgz"
    photo = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    dark = [np.zeros((9, 9), dtype=np.uint8)]
    with pytest.raises(DataError, match="more colour levels than this table model"):
        compress(model, [tmp_path / "photo.png"], out, dark)
    Image.fromarray(photo).convert("RGBA").resize((9, 9)).save(tmp_path / "clear.png")
    with pytest.raises(DataError, match="or transparency, which would be lost"):
        compress(model, [tmp_path / "clear.png"], out, dark)
    with pytest.raises(DataError, match="has colours, but this table model is for grey"):
        compress(table_model(Table(colours=1)), [tmp_path / "photo.png"], out, dark)
    with pytest.raises(ConfigError, match="got 0 conditions for 1 images"):
        compress(model, [tmp_path / "photo.png"], out, reduce=True)
    assert not out.exists()
    compress(model, [tmp_path / "photo.png"], out, dark, reduce=True)
    back = pixels(decompress(model, out, tmp_path / "out")[0])
    assert np.array_equal(back // 32, photo // 32)
    with pytest.raises(ConfigError, match="already exists"):
        compress(model, [tmp_path / "photo.png"], out, dark, reduce=True)
    with pytest.raises(ConfigError, match="already exists"):
        decompress(model, out, tmp_path / "out")


class Still(Table):
    walk = None


def test_a_model_without_a_walk_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="this table model has no likelihood value by value"):
        compress(table_model(Still()), [], tmp_path / "x.vgz")


def test_conditions_are_kept_in_few_bytes() -> None:
    constant = torch.tensor([3, -200], dtype=torch.int16).view(2, 1, 1).expand(-1, 40, 30)
    content = condition_bytes(constant)
    back = condition_of(content, 40, 30)
    assert torch.equal(back, constant)
    assert back.stride()[1:] == (0, 0)
    assert len(content) < 100
    rng = torch.rand(2, 4, 5)
    assert torch.equal(condition_of(condition_bytes(rng), 4, 5), rng)
    assert condition_of(condition_bytes(torch.empty(0, 6, 7, dtype=torch.uint8)), 6, 7).shape == (0, 6, 7)


def test_the_command_line_packs_and_unpacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    model = table_model()
    monkeypatch.setattr(Model, "load", lambda path: model)
    monkeypatch.setattr("variegate.cli.typed.conditions_of", lambda run, texts: [(text, Path(text)) for text in texts])
    (tmp_path / "a").mkdir()
    one, condition = drawn(tmp_path / "given", model.generator)
    (tmp_path / "a" / "0.png").write_bytes(one.read_bytes())
    words = [str(one), str(tmp_path / "a" / "0.png"), "--condition", str(condition)]
    main(["compress", "run", *words, "--out", str(tmp_path / "two.vgz")])
    assert "bits per value, " in capsys.readouterr().out
    main(["decompress", "run", str(tmp_path / "two.vgz"), "--out", str(tmp_path / "out")])
    assert capsys.readouterr().out.split() == [str(tmp_path / "out" / "0.png"), str(tmp_path / "out" / "0-2.png")]
    assert np.array_equal(pixels(tmp_path / "out" / "0-2.png"), pixels(one))
