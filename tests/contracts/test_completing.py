"""Images that go on from the first pixels of a given one: what is kept, what is drawn, and who can do it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from helpers.variants import conditions, model_of, pictures, size_of
from variegate import train
from variegate.cli import main
from variegate.core.errors import ConfigError
from variegate.model.model import Model
from variegate.runs.folder import RunFolder
from variegate.runs.settings import ExecutionSettings

EIGHT, THREE = "gated pixelcnn", "gated pixelcnn 3 bits"
SMALL = {"layers": 2, "width": 6, "bits": 4, "generator.first_filter": 3, "batch_size": 4}
QUIET = ExecutionSettings(quiet=True, device="cpu")


def layout() -> Tensor:
    return conditions(EIGHT, 1)[0].argmax(dim=0, keepdim=True).to(torch.uint8)


@pytest.fixture(scope="module")
def model() -> Model:
    return model_of(EIGHT)


@pytest.mark.core
@pytest.mark.parametrize("keep", [0, 1, 33, 80, None])
def test_what_is_kept_is_the_given_image_and_the_rest_is_drawn(model: Model, keep: int | None) -> None:
    given = pictures(1, size_of(EIGHT))[0]
    done = model.complete(given, layout(), n=3, seed=2, keep=keep)
    kept = 40 if keep is None else keep  # of 8x10
    begun = done.bytes().flatten(2)
    assert torch.equal(begun[..., :kept], given.flatten(1)[:, :kept].expand(3, -1, -1))
    assert done.seeds == [(2, 0), (2, 1), (2, 2)]
    if kept < 80:
        assert not torch.equal(begun[0, :, kept:], begun[1, :, kept:])
    if not kept:
        assert torch.equal(done.images, model.sample(layout(), n=3, seed=2).images)
    again = model.complete(given, layout(), keep=keep, codes=done.codes[1:2])
    assert torch.equal(again.images[0], done.images[1])


@pytest.mark.core
def test_fewer_bits_keep_the_level_below() -> None:
    given = pictures(1, size_of(THREE))[0]
    done = model_of(THREE).complete(given, layout(), n=1).bytes()
    below = ((given // 32).float() * (255 / 7)).round().to(torch.uint8)
    assert torch.equal(done[0, :, :4], below[:, :4])


@pytest.mark.core
def test_an_image_of_any_size_goes_on_and_its_condition_is_resized_to_it(model: Model) -> None:
    given = pictures(1, (13, 9))[0]
    done = model.complete(given, layout(), n=2, keep=20)
    assert done.images.shape == (2, 3, 13, 9)
    assert torch.equal(done.bytes().flatten(2)[..., :20], given.flatten(1)[:, :20].expand(2, -1, -1))
    assert model.complete(given, layout(), n=1, size=(6, 7)).images.shape == (1, 3, 6, 7)


@pytest.mark.core
def test_sheets_begin_with_the_given_image_and_what_is_kept(model: Model, tmp_path: Path) -> None:
    given = pictures(1, size_of(EIGHT))[0]
    done = model.complete(given, layout(), n=2, keep=25)
    done.save(tmp_path)
    sheet = torch.from_numpy(np.array(Image.open(tmp_path / "grid.png"))).permute(2, 0, 1)
    assert sheet.shape == (3, 2 * 8 + 2, 2 * 10 + 2)
    assert torch.equal(sheet[:, :8, :10], given)
    kept = sheet[:, :8, 12:].flatten(1)
    assert torch.equal(kept[:, :25], given.flatten(1)[:, :25])
    assert kept[:, 25:].unique().tolist() == [128]
    assert torch.equal(sheet[:, 10:, :10], done.bytes()[0])


@pytest.mark.core
def test_what_cannot_go_on_says_why(model: Model) -> None:
    given = pictures(1, size_of(EIGHT))[0]
    with pytest.raises(
        ConfigError, match=r"this basisgan model does not sample pixel by pixel, .*train gated-pixelcnn"
    ):
        model_of("basisgan").complete(given, layout())
    with pytest.raises(ConfigError, match="needs a label map as its condition, got none; give it with --condition"):
        model.complete(given)
    for keep in (-1, 81):
        with pytest.raises(ConfigError, match=rf"keep must be from 0 to 80 pixels for an image of 10x8, got {keep}"):
            model.complete(given, layout(), keep=keep)
    with pytest.raises(ConfigError, match="n must be at least 1, got 0"):
        model.complete(given, layout(), n=0)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train("gated-pixelcnn", "digits", tmp_path_factory.mktemp("digits") / "run", steps=2, run=QUIET, **SMALL)


def test_the_command_line_completes_files_and_items(classes: Path, tmp_path: Path) -> None:
    label, given = RunFolder(classes).pairs("test").raw(3)
    main(["complete", str(classes), "test:3", "-n", "2", "--rows", "3", "--out", str(tmp_path / "item")])
    first = np.array(Image.open(tmp_path / "item" / "0-0.png"))
    assert np.array_equal(first[:3], given[0, :3].numpy())
    Image.fromarray(given[0].numpy()).save(tmp_path / "one.png")
    words = ["--condition", str(int(label[0, 0, 0])), "-n", "2", "--pixels", "24", "--out", str(tmp_path / "file")]
    main(["complete", str(classes), str(tmp_path / "one.png"), *words])
    assert np.array_equal(np.array(Image.open(tmp_path / "file" / "0-0.png")), first)
    main(["complete", str(classes), "test:3", "test:4", "--condition", "1", "2", "-n", "1", "--out", str(tmp_path)])
    assert {path.name for path in tmp_path.glob("*.png")} == {
        "one.png", "test3-0-0.png", "test3-grid.png", "test4-0-0.png", "test4-grid.png",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["test:0", "--rows", "9"], "--rows must be between 0 and 8, the number of rows of test0, got 9"),
        (
            ["test:0", "--rows", "1", "--pixels", "8"],
            "--rows and --pixels both set how much is kept; give only one of them",
        ),
        (["test:999"], "test:999: digits has 299 pairs in test, the last is test:298"),
        (["test:0", "--condition", "1", "2"], "got 2 conditions for 1 images; give --condition one class"),
        (["no.png", "--condition", "1"], "no.png: there is no such file"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_drawn(
    classes: Path, words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["complete", str(classes), *words, "--out", str(tmp_path / "out")])
    assert stopped.value.code == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_no_condition_need_be_typed_for_images_alone_and_for_auto_encoders(tmp_path: Path) -> None:
    alone = train("gated-pixelcnn", "digits", tmp_path / "alone", steps=1, run=QUIET, condition="none", **SMALL)
    coder = train("pixelcnn-autoencoder", "digits", tmp_path / "coder", steps=1, run=QUIET, encoder_scale=0.1, **SMALL)
    given = RunFolder(alone).pairs("test").raw(0)[1]
    Image.fromarray(given[0].numpy()).save(tmp_path / "one.png")
    for run in (alone, coder):
        main(["complete", str(run), str(tmp_path / "one.png"), "-n", "1", "--out", str(tmp_path / "out")])
        done = np.array(Image.open(tmp_path / "out" / "0-0.png"))
        assert np.array_equal(done[:4], given[0, :4].numpy())
    model = Model.load(coder)
    for weights in model.generator.encoder.parameters():
        weights.mul_(5)  # so that an untrained vector matters
    assert torch.equal(model.complete(given, n=1).images, model.complete(given, given, n=1).images)
    assert not torch.equal(model.complete(given, n=1).images, model.complete(given, 255 - given, n=1).images)
