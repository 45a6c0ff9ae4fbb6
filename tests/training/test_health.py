"""A code that is ignored is noticed, in words."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from helpers.runs import logged, settings, start
from variegate.runs.health import IGNORED, best_of_n, code_sensitivity, verdict

pytestmark = pytest.mark.core


def constant(values: list[list[float]]) -> torch.Tensor:
    """Flat images (B, S, 1, 2, 2) of the given values."""
    return torch.tensor(values)[:, :, None, None, None].expand(-1, -1, 1, 2, 2)


@pytest.mark.parametrize(
    ("values", "sensitivity"),
    [
        ([[0.0, 0.0], [1.0, 1.0]], 0.0),  # codes change nothing
        ([[0.0, 0.5], [1.0, 1.5]], 0.5),  # codes change half of what conditions change
        ([[0.0, 0.1], [1.0, 1.3]], 0.2 / 1.1),  # distances 0.1 and 0.3 over 1.0 and 1.2
        ([[0.0, 0.3, 0.6], [1.0, 1.3, 1.6]], 0.4),  # mean over pairs: 0.3, 0.3, 0.6
    ],
)
def test_sensitivity_is_the_distance_of_codes_over_the_distance_of_conditions(values, sensitivity) -> None:
    assert code_sensitivity(constant(values)) == pytest.approx(sensitivity, abs=1e-6)


def test_conditions_that_change_only_last_bits_change_nothing() -> None:
    """A network whose last layer is still zero: what is left is rounding, which is another with other threads."""
    images = constant([[0.0, 1.0], [0.0, 1.0 + 2**-23]])
    assert math.isnan(code_sensitivity(images))
    assert code_sensitivity(constant([[0.0, 1.0], [1e-3, 1.0 + 1e-3]])) == pytest.approx(1e3, rel=1e-3)


def test_of_images_with_a_hole_the_sensitivity_is_that_of_the_hole() -> None:
    """Codes change the hole alone, by 0.5; conditions change all of it by 1, and what is given by 9."""
    images = torch.zeros(2, 2, 1, 4, 4)
    images[1] = 9.0
    hole = torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    hole[..., 1:3, 1:3] = True
    filled = torch.tensor([[0.0, 0.5], [1.0, 1.5]])[:, :, None, None, None].expand(-1, -1, 1, 2, 2)
    images[..., 1:3, 1:3] = filled
    assert code_sensitivity(images, hole) == pytest.approx(0.5)
    assert code_sensitivity(images) == pytest.approx(0.5 * 4 / (1 * 4 + 9 * 12))
    elsewhere = hole.clone()
    elsewhere[1] = elsewhere[1].roll(2, dims=-1)  # where codes change nothing, and conditions 9
    assert code_sensitivity(images, elsewhere) == pytest.approx((0.5 + 0) / 2 / ((1 + 9) / 2))


def test_the_best_of_n_is_the_nearest_sample_of_each_condition() -> None:
    images, truth = constant([[-1.0, 0.5], [0.0, 3.0]]), constant([[1.0], [1.0]])[:, 0]
    # 0.5 is 0.5 away, in units of a range of 2; 3.0 is clipped to 1 and exact
    assert best_of_n(images, truth) == pytest.approx((0.25 + 0.0) / 2)


def test_the_verdict_names_the_problem_the_share_and_what_to_try() -> None:
    words = verdict(0.012, code_size=8)
    assert words is not None
    for part in ("the code is ignored", "1.2%", "cimle, basisgan", "reconstruction"):
        assert part in words
    assert verdict(IGNORED, code_size=8) is None
    assert verdict(0.0, code_size=0) is None, "a deterministic method has no code to ignore"


def test_training_says_once_that_the_code_is_ignored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Dropout in the innermost layer of an untrained U-Net changes nothing that could be seen."""
    config = settings("pix2pix", 3, {"objective.reconstruction": 1000}, save_every=1, quiet=False)
    start(config, tmp_path / "run")
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("the code is ignored") == 1
    assert "step 1: the code is ignored" in said
    shares = [line["val/code_sensitivity"] for line in logged(tmp_path / "run") if "val/code_sensitivity" in line]
    assert len(shares) == 3
    assert max(shares) < IGNORED


def test_training_does_not_cry_wolf_where_codes_matter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start(settings("cimle", 1, quiet=False), tmp_path / "run")
    assert "ignored" not in capsys.readouterr().err
    shares = [line["val/code_sensitivity"] for line in logged(tmp_path / "run") if "val/code_sensitivity" in line]
    assert min(shares) > IGNORED


def test_a_run_folder_explains_itself(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    start(settings("basisgan", 2, save_every=1), folder)
    assert {path.name for path in folder.iterdir()} >= {
        "config.yaml",
        "model",
        "checkpoints",
        "samples",
        "metrics.jsonl",
    }
    assert sorted(path.name for path in (folder / "samples").iterdir()) == ["step-00000001.png", "step-00000002.png"]
    assert list(folder.glob("events.out.tfevents.*")), "TensorBoard can open it"
    names = {name for line in logged(folder) for name in line}
    assert names == {
        "step",
        "discriminator/adversarial",
        "generator/adversarial",
        "generator/l1",
        "val/best_of_8",
        "val/code_sensitivity",
    }
    card = (folder / "model" / "README.md").read_text()
    assert "\n# basisgan trained on streets" in card
    assert "steps | 2, seed 0" in card
