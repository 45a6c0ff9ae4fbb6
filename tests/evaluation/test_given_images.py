"""Images of any program are measured by the same protocols as models, and what does not fit is one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from helpers.shared import shared_weights
from helpers.tiny import photo, save
from variegate.cli import main
from variegate.core.errors import ConfigError, DataError
from variegate.data import open_data
from variegate.evaluation.given import evaluate_images
from variegate.evaluation.measuring.drawn import Drawn
from variegate.evaluation.measuring.measure import measure
from variegate.methods.pix2pix import pix2pix

pytestmark = pytest.mark.core


def written(root: Path, conditions: int = 3, samples: int = 5, folders: bool = False) -> Path:
    for i in range(conditions):
        save(root / "real" / f"{i}.png", photo(16, 16))
        for k in range(samples):
            name = f"{i}/{k}.png" if folders else f"{i}-{k}.png"
            save(root / "drawn" / name, photo(16, 16))
    return root


def test_a_folder_gives_the_numbers_of_the_model_that_wrote_it(tmp_path: Path) -> None:
    pairs = open_data("streets:20", 32).of_split("test")
    generator = pix2pix(width=4).build_generator(pairs.shapes).eval()
    expected = measure(generator, pairs, pairs, "quick", perceptual=False).results.measured
    from variegate.evaluation.measuring.drawn import draw_samples

    drawn: Drawn = draw_samples(generator, pairs, 10, 5, 0, "both")
    for i, (samples, truth) in enumerate(zip(drawn.samples, drawn.truth)):
        save(tmp_path / "real" / f"street{i}.png", truth.permute(1, 2, 0).numpy())
        for k, image in enumerate(samples):
            save(tmp_path / "drawn" / f"street{i}-{k}.png", image.permute(1, 2, 0).numpy())
    found = evaluate_images(tmp_path / "drawn", tmp_path / "real", protocol="quick", perceptual=False)
    assert {"diversity_pixel", "rmse_best", "averaging_gain", "crps"} <= set(found["metrics"])
    for name, metric in found["metrics"].items():
        assert metric["value"] == pytest.approx(expected[name].value, rel=1e-6), name


def test_folders_and_names_are_read_alike(tmp_path: Path) -> None:
    one = written(tmp_path / "names")
    for i in range(3):
        for k in range(5):
            target = tmp_path / "folders" / str(i) / f"{k}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((one / "drawn" / f"{i}-{k}.png").read_bytes())
    both = [
        evaluate_images(place, one / "real", protocol="quick", perceptual=False)["metrics"]
        for place in (one / "drawn", tmp_path / "folders")
    ]
    assert both[0] == both[1]


def test_the_command_prints_metrics_with_their_protocols(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = written(tmp_path)
    save(root / "real" / "lonely.png", photo(16, 16))
    words = ["evaluate", "--images", str(root / "drawn"), "--reference", str(root / "real"), "--protocol", "quick"]
    main([*words, "--no-perceptual", "--json"])
    told = capsys.readouterr()
    content = json.loads(told.out)
    assert content["protocol"]["diversity_pixel"]["inputs"] == 3
    assert "1 images of" in told.err
    assert content["metrics"]["rmse_best"]["n"] == 3


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda root: (root / "drawn" / "0-1.png").unlink(), "has 4 samples of 0, but the protocol quick needs 5"),
        (lambda root: save(root / "drawn" / "x-0.png", photo()), "has samples of x, which has no real image in"),
        (lambda root: save(root / "drawn" / "first.png", photo()), "first.png: of which condition is this a sample?"),
        (lambda root: save(root / "drawn" / "1-2.png", photo(8, 16)), "1-2.png: is 16x8, but 1-0.png is 16x16"),
        (lambda root: save(root / "real" / "2.png", photo(8, 8)), "all samples and real images must have one size"),
        (lambda root: (root / "drawn" / "1-2.png").write_bytes(b"x"), "1-2.png"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, spoil, words: str) -> None:
    root = written(tmp_path)
    spoil(root)
    with pytest.raises(DataError) as told:
        evaluate_images(root / "drawn", root / "real", protocol="quick", perceptual=False)
    assert words in str(told.value)


def test_empty_folders_and_missing_options_are_refused(tmp_path: Path) -> None:
    root = written(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="contains no images"):
        evaluate_images(tmp_path / "empty", root / "real")
    with pytest.raises(DataError, match="measures a model's likelihood"):
        evaluate_images(root / "drawn", root / "real", protocol="pixelcnn")
    with pytest.raises(ConfigError, match="there is no protocol 'imlee'"):
        evaluate_images(root / "drawn", root / "real", protocol="imlee")
    for words in ([], ["--images", str(root / "drawn")]):
        with pytest.raises(SystemExit):
            main(["evaluate", *words])


def test_grey_samples_are_read_as_colours(tmp_path: Path) -> None:
    root = written(tmp_path)
    for file in (root / "drawn").glob("*.png"):
        save(file, np.full((16, 16), 9, np.uint8))
    found = evaluate_images(root / "drawn", root / "real", protocol="quick", perceptual=False)
    assert found["metrics"]["diversity_pixel"]["value"] == 0


def test_pictures_of_conditions_add_the_conditional_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared_weights(monkeypatch, "squeezenet1_1.safetensors")
    root = written(tmp_path, conditions=10)
    for i in range(10):
        save(root / "conditions" / f"{i}.png", photo(16, 16))
    given = {"protocol": "quick", "extractor": "squeezenet"}
    found = evaluate_images(root / "drawn", root / "real", **given, conditions=root / "conditions")["metrics"]
    expected = {"conditional_frechet_squeezenet", "conditional_vendi_squeezenet", "information_vendi_squeezenet"}
    assert expected <= set(found)
    without = evaluate_images(root / "drawn", root / "real", **given)["metrics"]
    assert set(found) - set(without) == expected
    (root / "conditions" / "7.png").unlink()
    with pytest.raises(DataError, match=r"no picture of the condition 7; add 7\.png"):
        evaluate_images(root / "drawn", root / "real", **given, conditions=root / "conditions")
