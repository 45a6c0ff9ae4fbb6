"""Methods that read maps also read classes, vectors and several conditions at once, and draw grey images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import variegate
from variegate import train
from variegate.cli import main
from variegate.cli.typed import conditions_of, file_name
from variegate.core.errors import ConfigError, DataError
from variegate.data import open_data
from variegate.data.conditions import ClassLabel
from variegate.evaluation.measuring.measure import conditions_differ
from variegate.runs.folder import RunFolder
from variegate.runs.settings import ExecutionSettings
from variegate.training.start import saved_config

OPTIONS = {
    "generator.widths": [6, 6, 4],
    "randomness.channels": 2,
    "randomness.hidden": 4,
    "perceptual": "laplacian",
    "candidates": 2,
    "inner_steps": 2,
    "inner_batch": 2,
    "batch_size": 4,
    "restart.at": 0,
    "rebalance": "none",
}
QUIET = ExecutionSettings(quiet=True, device="cpu")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty grey images of two classes, a vector for each."""
    desk = tmp_path_factory.mktemp("grey")
    rng = np.random.default_rng(0)
    labels = np.arange(20) % 2
    images = (labels[:, None, None] * 200 + rng.integers(0, 50, (20, 16, 16))).astype(np.uint8)
    np.savez(desk / "marks.npz", images=images, labels=labels, classes=np.array(["dark", "light"]))
    np.save(desk / "v.npy", rng.normal(size=(20, 3)))
    return desk


@pytest.fixture(scope="module")
def classes(desk: Path) -> Path:
    return train("cimle", desk / "marks.npz", desk / "classes", steps=2, run=QUIET, **OPTIONS)


def test_a_model_of_classes_is_trained_and_sampled_by_name(classes: Path) -> None:
    model = variegate.load(classes)
    assert model.condition == ClassLabel(names=("dark", "light"), frame=(16, 16))
    assert (model.record.condition_channels, model.record.image_channels) == (2, 1)
    drawn = model.sample("light", n=3)
    assert drawn.images.shape == (3, 1, 16, 16)
    assert [picture.mode for picture in drawn.pil()] == ["L"] * 3
    assert torch.equal(model.sample(1, n=3).images, drawn.images)
    assert not torch.equal(model.sample("dark", n=3).images, drawn.images)
    assert model.sample("dark", n=1, size=(24, 8)).images.shape == (1, 1, 24, 8)
    assert model.sequence(["dark", "light"]).images.shape == (2, 1, 16, 16)
    [panel] = classes.glob("samples/step-00000002.png")
    assert Image.open(panel).size[0] > 16


def test_the_command_line_samples_classes_by_name_number_and_item(classes: Path, tmp_path: Path) -> None:
    main(["sample", str(classes), "class:dark", "light", "1", "val:1", "-n", "1", "--out", str(tmp_path)])
    assert {file.name for file in tmp_path.glob("*-0-0.png")} == {
        f"{n}-0-0.png" for n in ("dark", "light", "1", "val1")
    }
    assert (tmp_path / "1-0-0.png").read_bytes() == (tmp_path / "light-0-0.png").read_bytes()
    assert (tmp_path / "dark-0-0.png").read_bytes() != (tmp_path / "light-0-0.png").read_bytes()
    with pytest.raises(DataError, match="there is no class 'drak'; did you mean 'dark'"):
        variegate.load(classes).sample("drak")


def test_grey_images_are_measured(classes: Path) -> None:
    metrics = variegate.evaluate(classes, protocol="quick", perceptual=False)["metrics"]
    assert metrics["rmse_best"]["value"] >= 0
    assert json.loads((classes / "metrics.json").read_text())["metrics"].keys() == metrics.keys()
    assert "data:image" in (classes / "report.html").read_text()


def test_conditions_that_are_all_alike_tell_nothing_of_the_code(classes: Path, tmp_path: Path) -> None:
    assert conditions_differ(RunFolder(classes).pairs("train"))
    np.savez(tmp_path / "light.npz", images=np.zeros((20, 16, 16), np.uint8), labels=np.ones(20, int),
             classes=np.array(["dark", "light"]))  # fmt: skip
    alike = RunFolder(classes).pairs("held", tmp_path / "light.npz")
    assert int(alike.raw(0)[0].max()) == 1
    assert not conditions_differ(alike)
    assert not conditions_differ(open_data(tmp_path / "light.npz", condition="none"))
    metrics = variegate.evaluate(classes, tmp_path / "light.npz", protocol="quick", perceptual=False)["metrics"]
    assert "code_sensitivity" not in metrics


def test_several_conditions_at_once_are_trained(desk: Path) -> None:
    words = f"class+vectors:{desk / 'v.npy'}+edges"
    run = train(
        "cimle", desk / "marks.npz", desk / "several", steps=2, run=QUIET, condition=words, grey=False, **OPTIONS
    )
    model = variegate.load(run)
    assert (model.record.condition_channels, model.record.image_channels) == (2 + 3 + 1, 3)
    assert saved_config(run)["data"]["grey"] is False
    raw, image = RunFolder(run).pairs("val").raw(0)
    assert image.shape == (3, 16, 16)
    assert model.sample(raw, n=1).images.shape == (1, 3, 16, 16)
    edges = raw[4].numpy().astype(np.uint8)
    row = RunFolder(run).pairs("val").files[0].rpartition(":")[2]
    Image.fromarray(edges).save(desk / "edges.png")
    texts = [f"dark+{desk / 'v.npy'}:{row}+{desk / 'edges.png'}"]
    [(name, condition)] = conditions_of(run, texts)
    given = model.condition.read(condition)
    assert torch.equal(given[1:], raw[1:])
    assert name == f"dark-v-{row}-edges"


def test_methods_that_need_a_condition_say_so(desk: Path) -> None:
    with pytest.raises(ConfigError, match="pix2pix: it needs conditions, but --condition none gives it none"):
        train("pix2pix", desk / "marks.npz", desk / "none", steps=2, run=QUIET, condition="none")
    with pytest.raises(ConfigError, match="without a condition only from noise that its first level reads"):
        train("crn", desk / "marks.npz", desk / "none", steps=2, run=QUIET, condition="none", perceptual="laplacian")


@pytest.mark.parametrize(
    ("text", "name"),
    [("class:cat", "cat"), ("vector:a/b.npz:c/1.jpg", "b-1"), ("none", "none"), ("tabby cat", "tabby-cat")],
)
def test_names_of_files_from_conditions(text: str, name: str) -> None:
    assert file_name(text) == name
