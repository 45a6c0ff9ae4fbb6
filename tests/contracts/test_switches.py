"""bf16, channels-last and torch.compile change how fast images are drawn, not which."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import variegate
from variegate.runs.folder import RunFolder
from variegate.runs.settings import ExecutionSettings

OPTIONS: dict[str, dict[str, Any]] = {
    "pix2pix": {"noise": "input"},
    "bicyclegan": {},
    "basisgan": {"blocks": 2},
    "munit": {"generator.blocks": 1},
}


@pytest.fixture(scope="module", params=OPTIONS)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("switches") / request.param
    shared = {"width": 8, "objective.layers": 2, "batch_size": 4, "ema_decay": 0.0}
    run = ExecutionSettings(quiet=True, device="cpu")
    return variegate.train(
        request.param, "streets:20", folder, size=32, steps=6, run=run, **shared, **OPTIONS[request.param]
    )


def drawn(folder: Path, **switches: Any) -> torch.Tensor:
    layout = RunFolder(folder).pairs("test").raw(0)[0]
    return variegate.load(folder, **switches).sample(layout, n=4).images


@pytest.mark.parametrize(
    ("switches", "tolerance"),
    [({"channels_last": True}, 1e-4), ({"precision": "bf16-mixed"}, 0.05)],
    ids=["channels last", "bf16"],
)
def test_a_switch_changes_images_no_more_than_rounding(trained: Path, switches: dict, tolerance: float) -> None:
    plain, switched = drawn(trained), drawn(trained, **switches)
    assert switched.dtype == torch.float32
    assert float((plain - switched).abs().max()) < tolerance
    apart = (plain[0] - plain[1]).abs().mean()
    assert float((plain - switched).abs().mean()) < max(1e-3, float(apart)), "less than codes change"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on CPUs")
def test_a_compiled_generator_draws_the_same_images(trained: Path) -> None:
    assert torch.allclose(drawn(trained, compile=True), drawn(trained), atol=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on CPUs")
def test_training_compiled_learns_the_same(tmp_path: Path) -> None:
    options = {"width": 4, "noise": "none", "objective.layers": 2, "batch_size": 2, "ema_decay": 0.0}
    runs = [
        variegate.train(
            "pix2pix",
            "streets:20",
            tmp_path / str(compile),
            size=32,
            steps=2,
            run=ExecutionSettings(quiet=True, compile=compile),
            **options,
        )
        for compile in (False, True)
    ]
    one, two = (variegate.load(run).generator.state_dict() for run in runs)
    assert one.keys() == two.keys()
    assert all(torch.allclose(one[name].float(), two[name].float(), atol=5e-3) for name in one)
