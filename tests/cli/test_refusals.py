"""Wrong inputs of models of classes and vectors: one sentence with what, where and a remedy, and nothing written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from variegate import train
from variegate.cli import main
from variegate.core.errors import ConfigError, DataError
from variegate.model.model import Model
from variegate.runs.settings import ExecutionSettings

SMALL: dict[str, Any] = {"layers": 2, "width": 6, "generator.first_filter": 3, "batch_size": 4}
QUIET = ExecutionSettings(quiet=True, device="cpu")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of classes, vectors and nothing; vectors that fit and that do not; images."""
    desk, rng = tmp_path_factory.mktemp("desk"), np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 8, 8)).astype(np.uint8)
    np.savez(desk / "images.npz", images=images, labels=np.arange(20) % 2, classes=np.array(["cat", "dog"]))
    for kind in (np.int16, np.uint16, np.float32):
        np.savez(desk / f"{np.dtype(kind)}.npz", images=images.astype(kind), labels=np.arange(20) % 2)
    for length in (3, 4):
        np.save(desk / f"v{length}.npy", rng.normal(size=(20, length)))
    Image.fromarray(images[0]).save(desk / "one.png")
    Image.fromarray(rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)).save(desk / "colour.png")
    Image.fromarray(rng.integers(0, 256, (11, 13)).astype(np.uint8)).save(desk / "larger.png")
    for name, condition in (("class", "class"), ("vector", f"vectors:{desk / 'v3.npy'}"), ("none", "none")):
        train("gated-pixelcnn", desk / "images.npz", desk / name, steps=1, run=QUIET, condition=condition, **SMALL)
    return desk


def refused(words: list[str], desk: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main([word.replace("DESK", str(desk)) for word in words])
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1, told
    return told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sample", "DESK/class", "class:12"], "there is no class number 12; expected 0 to 1 (cat, dog)"),
        (["sample", "DESK/class", "class:cart"], "there is no class 'cart'; did you mean 'cat'?"),
        (["sample", "DESK/class"], "no class given; give one or more"),
        (["sample", "DESK/class", "class:0", "--like-condition", "x.png"], "is the condition of --like IMAGE"),
        (["train", "pix2pix", "--data", "streets:20", "--run", "foo"], "--run: is no option of a method"),
        (["interpolate", "DESK/class", "class:0", "--start", "0"], "has no option '--start'; did you mean '--from'?"),
        (["moments", "DESK/class"], "no class given; give one or more"),
        (["sample", "DESK/vector", "DESK/v4.npy:0"], "v4.npy:0: expected shape (3,), got (4,)"),
        (["sample", "DESK/vector", "DESK/v3.npy:20"], "has no row 20; give"),
        (["sample", "DESK/vector", "class:3"], "is a class, but this model takes vectors; give one as vector:FILE:ROW"),
        (["sample", "DESK/none", "class:cat"], "class:cat: this model is unconditional; give none"),
        (
            ["complete", "DESK/vector", "DESK/one.png"],
            "needs a vector as its condition, got none; give it with --condition",
        ),
        (["complete", "DESK/class"], "no images to complete; give at least one file"),
        (["compress", "DESK/class", "DESK/one.png", "--condition", "7"], "there is no class number 7"),
        (
            ["compress", "DESK/class", "DESK/one.png"],
            "got 0 conditions for 1 images; give --condition one class",
        ),
        (
            ["compress", "DESK/none", "DESK/colour.png"],
            "has colours, but this gated-pixelcnn model is for grey images",
        ),
    ],
)
def test_a_wrong_input_is_answered_with_one_sentence_and_writes_nothing(
    words: list[str], told: str, desk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told in refused([*words, "--out", str(tmp_path / "out")], desk, capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["gated-pixelcnn", "--data", "DESK/int16.npz"],
            "int16.npz: has images of type int16; expected `images`",
        ),
        (["gated-pixelcnn", "--data", "DESK/uint16.npz"], "has images of type uint16; expected `images` uint8"),
        (["gated-pixelcnn", "--data", "DESK/float32.npz"], "has images of type float32; expected `images` uint8"),
        (
            ["gated-pixelcnn", "--data", "streets:8", "--size", "16", "--width", "7"],
            "must be a multiple of 3, the number of colours",
        ),
        (["gated-pixelcnn", "--data", "digits", "--bits", "9"], "bits: input should be less than or equal to 8, got 9"),
        (
            ["gated-pixelcnn", "--data", "digits", "--filter", "2"],
            "filter: input should be greater than or equal to 3, got 2",
        ),
        (
            ["gated-pixelcnn", "--data", "streets:8", "--size", "16", "--width", "6", "--conditioning", "deconv"],
            "this condition varies from pixel to pixel; give --conditioning direct, or a condition such as class",
        ),
        (
            ["gated-pixelcnn", "--data", "DESK/images.npz", "--condition", "vectors:DESK/none.npy"],
            "none.npy: there is no such vector file",
        ),
        (
            ["pixelcnn-autoencoder", "--data", "digits", "--bottleneck", "0"],
            "the decoder would read the image itself",
        ),
        (
            ["gated-pixelcnn", "--data", "digits", "--condition", "class+self"],
            "would read the image it is to generate; give --condition none, or train pixelcnn-autoencoder",
        ),
        (["pixelcnn-autoencoder", "--data", "digits", "--condition", "class"], "reads the image itself, not --cond"),
    ],
)
def test_training_refuses_what_cannot_be_learned(
    words: list[str], told: str, desk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--steps", "1", "--quiet", "--device", "cpu", "--out", str(tmp_path / "out")]
    assert told in refused(["train", *words, *out], desk, capsys)
    assert not (tmp_path / "out" / "model").exists()


def test_data_that_the_vectors_of_training_do_not_fit_are_refused(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refused(["evaluate", "DESK/vector", "--data", "digits"], desk, capsys)
    assert "v3.npy: has 20 vectors, but digits has 1797 images; give one for each" in told


def test_none_need_not_be_typed_for_a_model_of_images_alone(desk: Path, tmp_path: Path) -> None:
    main(["sample", str(desk / "none"), "-n", "2", "--out", str(tmp_path / "drawn")])
    main(["moments", str(desk / "none"), "-n", "2", "--out", str(tmp_path / "moments")])
    assert {path.name for path in (tmp_path / "drawn").glob("*.png")} == {"0-0.png", "0-1.png", "grid.png"}
    assert (tmp_path / "moments" / "deviation.png").is_file()


def test_larger_images_than_those_of_training_are_drawn_measured_completed_and_compressed(
    desk: Path, tmp_path: Path
) -> None:
    run, picture, out = str(desk / "class"), str(desk / "larger.png"), str(tmp_path / "drawn")
    main(["sample", run, "cat", "-n", "1", "--size", "11x13", "--out", out])
    assert Image.open(tmp_path / "drawn" / "0-0.png").size == (13, 11)
    main(["complete", run, picture, "--condition", "cat", "-n", "1", "--rows", "4", "--out", out])
    given, done = (np.array(Image.open(file)) for file in (picture, tmp_path / "drawn" / "0-0.png"))
    assert np.array_equal(given[:4], done[:4])
    assert Model.load(run).log_prob([picture], "cat").isfinite().all()
    main(["compress", run, picture, "--condition", "cat", "--out", str(tmp_path / "larger.vgz")])
    main(["decompress", run, str(tmp_path / "larger.vgz"), "--out", str(tmp_path / "back")])
    assert np.array_equal(np.array(Image.open(tmp_path / "back" / "larger.png")), given)


def test_values_out_of_range_are_named(desk: Path) -> None:
    classes, vectors = Model.load(desk / "class"), Model.load(desk / "vector")
    image = torch.rand(1, 1, 8, 8)
    for wrong in (image * 255, image - 1, image * torch.nan, (image * 400).round().int()):
        with pytest.raises(DataError, match=r"expected uint8, or float in \[0, 1\], got values from .* to "):
            classes.log_prob(wrong, "cat")
        with pytest.raises(DataError, match="expected uint8"):
            classes.complete(wrong[0], "cat")
    for keep in (3.0, True, "3"):
        with pytest.raises(ConfigError, match=r"keep must be a whole number of pixels from 0 to 64, got "):
            classes.complete(image[0], "cat", keep=keep)  # type: ignore[arg-type]
    assert classes.log_prob(image.bfloat16(), "cat").isfinite().all()
    with pytest.raises(ConfigError, match=r"images have shape \(3, 8, 8\); give one tensor \(n, C, H, W\), or a list"):
        classes.log_prob(torch.rand(3, 8, 8), "cat")
    with pytest.raises(ConfigError, match="images must be a list, got a single image; put it in a list"):
        classes.log_prob(str(desk / "one.png"), "cat")
    with pytest.raises(ConfigError, match="chunk must be at least 1, got 0"):
        classes.log_prob(image, "cat", chunk=0)
    for wrong in (np.array([1, 2, np.nan]), np.full(3, 1e300)):
        with pytest.raises(DataError, match="the given vector: expected 3 values that are finite in float32"):
            vectors.log_prob(image, wrong)
    with pytest.raises(DataError, match=r"the given vector: expected shape \(3,\), got \(4,\)"):
        vectors.sample(torch.zeros(4))
    for size in ((0, 8), (8, -1)):
        with pytest.raises(DataError, match="height and width must be at least 1"):
            classes.sample("cat", size=size)
        with pytest.raises(DataError, match="height and width must be at least 1"):
            classes.log_prob(image, "cat", size=size)
