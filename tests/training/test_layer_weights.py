"""Calibrated layer weights are numbers of the data, written into the run before it begins."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from helpers.runs import SIZE, python, settings, state_of, unequal
from helpers.tiny import save
from variegate.core.config import to_yaml
from variegate.core.errors import ConfigError
from variegate.core.interfaces import Shapes
from variegate.data import open_data
from variegate.model.model import Model
from variegate.networks.perceptual import perceptual
from variegate.runs.config import RunConfig, run_config
from variegate.training.calibration import mean_colour, measure_layers
from variegate.training.start import saved_config, start

CALIBRATED = {"objective.weights": "calibrated"}
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")


@pytest.mark.core
@pytest.mark.parametrize("kind", ["laplacian", "random"])
def test_every_layer_contributes_equally_and_the_total_is_that_of_equal_weights(kind: str) -> None:
    pairs = open_data("streets:20", SIZE)
    features, _ = perceptual(kind, None)  # type: ignore[arg-type]
    weights = measure_layers(features, pairs)
    maps = [features(pairs.raw(i)[1][None].float() / 127.5 - 1) for i in range(len(pairs))]
    neighbours = itertools.pairwise(maps)
    gaps = torch.tensor([[(a - b).abs().mean() for a, b in zip(x, y)] for x, y in neighbours]).mean(dim=0)
    parts = torch.tensor(weights) * gaps
    assert torch.allclose(parts, parts.mean().expand_as(parts), rtol=1e-3)
    assert parts.sum().item() == pytest.approx(gaps.sum().item(), rel=1e-3)
    assert len({round(w, 2) for w in weights}) > 1


@pytest.mark.core
def test_images_that_are_all_the_same_cannot_be_compared() -> None:
    class Fake:
        name = "grey"

        def __len__(self) -> int:
            return 3

        def raw(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
            return torch.zeros(1, 8, 8, dtype=torch.uint8), torch.full((3, 8, 8), 99, dtype=torch.uint8)

    with pytest.raises(ConfigError, match="different images, but all images of grey look the same; give the weights"):
        measure_layers(perceptual("laplacian", None)[0], Fake())  # type: ignore[arg-type]


def test_the_run_holds_the_numbers_and_goes_on_exactly(tmp_path: Path) -> None:
    start(settings("cimle", 4, CALIBRATED), tmp_path / "whole")
    start(settings("cimle", 2, CALIBRATED), tmp_path / "parts")
    start(settings("cimle", 4, CALIBRATED), tmp_path / "parts", resume=True)
    assert unequal(state_of(tmp_path / "whole", 4), state_of(tmp_path / "parts", 4)) == []
    weights = saved_config(tmp_path / "whole")["method"]["objective"]["weights"]
    assert weights == list(measure_layers(perceptual("laplacian", None)[0], open_data("streets:20", SIZE)))
    given = {"objective.weights": weights}
    start(settings("cimle", 4, given), tmp_path / "given")
    assert unequal(state_of(tmp_path / "whole", 4), state_of(tmp_path / "given", 4)) == []


@pytest.mark.core
def test_the_mean_colour_is_that_of_all_images(tmp_path: Path) -> None:
    colours = np.array([[10, 200, 30], [40, 100, 60], [70, 0, 91]], dtype=np.uint8)
    for i, colour in enumerate(colours):
        save(tmp_path / f"train/{i}.png", np.tile(colour, (8, 8, 1)))
        save(tmp_path / f"val/{i}.png", np.zeros((8, 8, 3), dtype=np.uint8))
    assert mean_colour(open_data(tmp_path, condition="inpaint")) == pytest.approx(colours.mean(axis=0) / 255, abs=1e-4)
    assert len({*mean_colour(open_data(tmp_path, condition="inpaint", grey=True))}) == 1


def test_holes_are_filled_with_the_mean_of_the_data_also_when_sampling(tmp_path: Path) -> None:
    for i in range(4):
        save(tmp_path / "images" / f"{i}.png", np.full((32, 32, 3), 40 + i, dtype=np.uint8))
    fills = {"generator.fill": "data", "previous.generator.backbone.fill": "data"}

    def config(steps: int, **more: Any) -> RunConfig:
        options = {"width": 4, "batch_size": 2, "steps": steps, "previous.training.steps": 1, **fills, **more}
        return run_config("mrgan-inpainting", tmp_path / "images", size=32, quiet=True, device="cpu", **options)

    start(config(1), tmp_path / "run")
    saved, before = (saved_config(tmp_path / place)["method"] for place in ("run", "run/previous"))
    own = saved["generator"]["fill"]
    assert own == pytest.approx([41 / 255] * 3, rel=1e-3)  # 40, 41 and 42; the last is held out
    assert saved["previous"]["generator"]["backbone"]["fill"] == before["generator"]["backbone"]["fill"] == own
    generator = Model.load(tmp_path / "run").generator
    assert generator.fill.flatten().tolist() == pytest.approx([2 * value - 1 for value in own])
    save(tmp_path / "images" / "0.png", np.full((32, 32, 3), 250, dtype=np.uint8))
    start(config(2), tmp_path / "run", resume=True)  # the run keeps the colour that it began with
    assert saved_config(tmp_path / "run")["method"]["generator"]["fill"] == own
    with pytest.raises(ConfigError, match=r"was trained with a different .*generator\.fill"):
        start(config(2, **{"generator.fill": (0.5, 0.5, 0.5)}), tmp_path / "run", resume=True)


def test_two_processes_measure_once(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    config = settings("cimle", 2, CALIBRATED)
    script.write_text(
        "from pathlib import Path\nfrom helpers.runs import settings\nfrom variegate.training.start import start\n"
        f"start(settings('cimle', 2, {CALIBRATED!r}), Path({str(tmp_path / 'two')!r}))\n"
    )
    assert "weights: calibrated" in to_yaml(config)
    ended = python(str(script), launcher=TORCHRUN)
    assert ended.returncode == 0, ended.stderr[-3000:]
    start(config, tmp_path / "one")
    one, two = (yaml.safe_load((tmp_path / name / "config.yaml").read_text()) for name in ("one", "two"))
    assert one["method"] == two["method"]


@pytest.mark.core
def test_numbers_are_needed_where_nothing_is_trained_and_one_for_each_layer() -> None:
    config = settings("cimle", 2, CALIBRATED).method
    with pytest.raises(ConfigError, match="stands for values"):
        config.build_objective(Shapes(8, 3, SIZE))
    wrong = settings("cimle", 2, {"objective.weights": [1, 2]}).method.build_objective(Shapes(8, 3, SIZE))
    with pytest.raises(ConfigError, match="must have 5 values, one per feature map, got 2"):
        wrong.distance(torch.zeros(1, 3, 32, 32), wrong.embed(torch.zeros(1, 3, 32, 32)), None)  # type: ignore[operator]
