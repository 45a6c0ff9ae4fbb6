"""Models without a run - on the hub, bundled, saved in a folder - given to commands that read a run's data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

import variegate
from helpers.hub_server import TOKEN, Hub, running
from helpers.tiny import drawing, photo, save
from helpers.untrained import untrained
from variegate.cli import main
from variegate.core.errors import ConfigError
from variegate.data.conditions import ImageCondition
from variegate.evaluation.measuring.subject import open_subject

pytest.importorskip("huggingface_hub")
NUMBERS = ("--protocol", "quick", "--no-perceptual")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with a model, and a working directory with streets of 32x32 and the model's folder."""
    from huggingface_hub import constants

    root = tmp_path_factory.mktemp("alone")
    with running() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", server.address)
        patch.setenv("HF_TOKEN", TOKEN)
        patch.setattr(constants, "HF_HUB_CACHE", str(root / "cache"))
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        patch.chdir(root)
        untrained().push_to_hub("lena/street")
        untrained().save("saved")
        main(["data", "export-streets", "painted", "--count", "20", "--size", "32"])
        yield server


def test_a_model_on_the_hub_is_evaluated_on_data_that_are_given(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    main(["evaluate", "lena/street", "--data", "painted", *NUMBERS])
    told = capsys.readouterr()
    assert told.out.strip().endswith("evaluation/lena-street/report.html")
    warning = "lena/street is a model without its run: whether it was trained on these images is unknown"
    assert warning in " ".join(told.err.split())
    written = json.loads(Path("evaluation/lena-street/metrics.json").read_text())
    assert warning in written["warnings"][0]
    assert "metrics of sets compare with the images of train" in written["warnings"][0]
    page = Path("evaluation/lena-street/report.html").read_text()
    assert "Is it learned by heart?" not in page, "nobody knows its training images"
    assert not Path("lena").exists(), "a folder of that name would come first from now on"
    saved = variegate.evaluate("saved", "painted", "quick", perceptual=False)
    for name in ("diversity_pixel", "rmse_best", "energy_score"):
        assert saved["metrics"][name] == written["metrics"][name], "the same weights, wherever they are"
    assert Path("evaluation/saved/metrics.json").is_file()
    assert {one.name for one in Path("saved").iterdir()} == {"README.md", "config.json", "model.safetensors"}


def test_data_of_a_single_split_are_all_measured(hub: Hub) -> None:
    every = {"condition": "painted/train_label", "image": "painted/train_img"}
    place = ",".join(f"{side}={folder}" for side, folder in every.items())
    content = variegate.evaluate("saved", place, "quick", perceptual=False)
    assert "metrics of sets compare with the measured images themselves" in content["warnings"][0]


def test_the_half_that_was_the_condition_is_that_of_the_model(hub: Hub) -> None:
    both = [np.concatenate([photo(32, 32), drawing(32, 32)], axis=1) for _ in range(3)]
    for i, one in enumerate(both):
        save(Path(f"halves/test/{i}.png"), one)
    for half, images in (("left", slice(32, None)), ("right", slice(0, 32))):
        untrained(ImageCondition(half=half)).save(f"of-{half}")
        subject = open_subject(f"of-{half}", "halves", None)
        assert len(subject.held) == 3
        assert np.array_equal(subject.held.raw(1)[1].permute(1, 2, 0), both[1][:, images])
        assert "the condition (as in training)" in subject.warnings[0]


def test_training_starts_from_a_model_on_the_hub(hub: Hub) -> None:
    options = ["--width", "4", "--blocks", "2", "--batch-size", "2", "--size", "32", "--quiet"]
    begin = ["train", "basisgan", "--data", "painted", "--steps", "1", *options]
    main([*begin, "--initial", "lena/street", "--out", "tuned"])
    assert yaml.safe_load(Path("tuned/config.yaml").read_text())["initial"] == "lena/street"
    old, new = (dict(variegate.load(place).generator.named_parameters()) for place in ("saved", "tuned"))
    far = {key: float((old[key] - new[key]).abs().max()) for key in old}
    assert max(far.values()) < 0.01, far


@pytest.mark.parametrize(
    ("model", "what"),
    [
        ("lena/street", "no run that is here, at most a model on the hub"),
        ("street", "a bundled model without its run"),
        ("saved", "a saved model without its run"),
    ],
)
@pytest.mark.parametrize(
    ("command", "remedy"),
    [
        ("evaluate {}", "so its data are unknown; give some: --data DIR"),
        ("doctor {}", "and no data; give a run directory or data, or measure the model: variegate evaluate {} --data"),
        ("compare {} painted", "give a run, or the file of `variegate evaluate {} --data DIR --json`"),
        ("sample {} test:0", "so its training and its data are unknown; give a run directory, or others (evaluate"),
        ("interpolate {} test:0", "so its training and its data are unknown; give a run directory, or others"),
        ("sample {} test:0 --shard", "so its training and its data are unknown; give a run directory, or others"),
    ],
)
def test_commands_that_need_the_run_say_so(
    hub: Hub, model: str, what: str, command: str, remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(command.format(model).split())
    told = " ".join(capsys.readouterr().err.split())
    assert f"{model}: is {what}" in told
    assert remedy.format(model) in told


def test_python_says_the_same(hub: Hub) -> None:
    with pytest.raises(ConfigError, match=r"^saved: is a saved model without its run, so its data are unknown; give"):
        variegate.evaluate("saved")
