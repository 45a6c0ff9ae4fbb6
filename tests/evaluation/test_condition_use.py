"""What the doctor says of a condition: used, or learned around."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from variegate import train
from variegate.evaluation.doctor.diagnosis import diagnose
from variegate.evaluation.measuring.measure import measure
from variegate.model.model import Model
from variegate.runs.folder import RunFolder
from variegate.runs.settings import ExecutionSettings

SMALL = {"layers": 2, "width": 12, "bits": 4, "generator.first_filter": 3}
CODER = {"encoder_scale": 0.2}
FAST: dict[str, Any] = {"ema_decay": 0.9, "learning_rate.generator": 3e-3}
QUIET = ExecutionSettings(quiet=True, device="cpu")


def told(run: Path, start: str) -> tuple[bool, str]:
    """Is it healthy, and the sentence that starts so."""
    healthy, lines = diagnose(run)
    return healthy, next(line for line in lines if line.startswith(start))


def deaf(run: Path, out: Path, names: str) -> Path:
    """A copy whose weights of these names are 0."""
    shutil.copytree(run, out)
    weights = load_file(out / "model" / "model.safetensors")
    chosen = [name for name in weights if names in name]
    assert chosen, f"none of {list(weights)} is called {names}"
    changed = {name: torch.zeros_like(value) if name in chosen else value for name, value in weights.items()}
    save_file(changed, out / "model" / "model.safetensors")
    return out


@pytest.mark.parametrize(
    ("method", "options", "names", "what"),
    [
        ("pixelcnn-autoencoder", {**SMALL, **CODER}, "condition.weight", "bottleneck"),
        ("conv-autoencoder", {**CODER, "maps": 12}, "encoder", "bottleneck"),
        ("gated-pixelcnn", SMALL, "condition.weight", "condition"),
    ],
)
def test_the_doctor_tells_a_condition_that_is_used_from_one_that_is_not(
    method: str, options: dict[str, Any], names: str, what: str, tmp_path: Path
) -> None:
    run = train(method, "digits", tmp_path / "run", steps=200, run=QUIET, **options, **FAST)
    healthy, line = told(run, f"The {what} is")
    assert line.startswith(f"The {what} is used: held-out images"), line
    assert healthy
    healthy, line = told(deaf(run, tmp_path / "deaf", names), f"The {what} is")
    assert line.startswith(f"The {what} is hardly used: held-out images"), line
    assert "Train longer; if that does not help" in line
    assert not healthy


def test_the_doctor_of_a_model_without_condition_compares_with_real_images(tmp_path: Path) -> None:
    run = train("gated-pixelcnn", "digits", tmp_path / "run", steps=2, run=QUIET, condition="none", **SMALL)
    healthy, line = told(run, "The code is")
    assert line.startswith("The code is used: there is no condition, and samples differ ")
    assert healthy


def test_evaluation_leaves_the_sensitivity_out_where_conditions_change_nothing(tmp_path: Path) -> None:
    run = train("gated-pixelcnn", "digits", tmp_path / "run", steps=2, run=QUIET, condition="class", **SMALL)
    model, held = Model.load(run), RunFolder(run).pairs("test")
    for name, parameter in model.generator.named_parameters():
        if ".condition." in name:
            parameter.zero_()
    found = measure(model.generator, held, held, "quick", perceptual=False)
    assert "code_sensitivity" not in found.results.measured
    assert "code sensitivity: conditions do not change this model's samples" in found.skipped
