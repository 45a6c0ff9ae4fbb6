"""Small training runs, and whether two of them are bit-equal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from variegate.runs.config import RunConfig, run_config
from variegate.runs.folder import RunFolder
from variegate.runs.lock import NAME
from variegate.training.start import start

DATA, SIZE, STEPS, EVERY = "streets:16", (32, 32), 8, 2
GAME = {"width": 4, "objective.layers": 2, "batch_size": 2}
METHODS: dict[str, dict[str, Any]] = {
    "pix2pix": GAME,
    "basisgan": {**GAME, "blocks": 1},
    "bicyclegan": GAME,
    "mrgan": {**GAME, "samples": 3, "batch_size": 4, "proxy": False},
    "cimle": {
        "generator.widths": [6, 6, 4],
        "randomness.channels": 2,
        "randomness.hidden": 4,
        "perceptual": "laplacian",
        "candidates": 3,
        "inner_steps": 3,
        "inner_batch": 2,
        "batch_size": 4,
        "restart.at": 0,
    },
    "flow": {"generator.widths": [8, 8, 16], "batch_size": 2},
}


def config(name: str, steps: int = STEPS, every: int = EVERY) -> RunConfig:
    execution = {"device": "cpu", "quiet": True, "save_every": every, "channels_last": False}
    return run_config(name, DATA, size=SIZE, steps=steps, **execution, **METHODS[name])


def training(name: str, folder: Path, steps: int = STEPS, every: int = EVERY) -> Callable[[], None]:
    """Train, or go on, in a folder."""
    return lambda: start(config(name, steps, every), folder, resume=True)


def unequal(one: Any, two: Any, name: str = "") -> list[str]:
    """Names of the tensors and numbers that are not bit-equal in two nested states."""
    if isinstance(one, Tensor):
        return [] if torch.equal(one, two) else [name]
    if isinstance(one, dict):
        if set(one) != set(two):
            return [f"{name}: {sorted(map(str, set(one) ^ set(two)))}"]
        return [bad for key in one for bad in unequal(one[key], two[key], f"{name}.{key}")]
    if isinstance(one, list | tuple):
        if len(one) != len(two):
            return [f"{name}: lengths"]
        return [bad for i, pair in enumerate(zip(one, two)) for bad in unequal(*pair, f"{name}.{i}")]
    return [] if one == two else [name]


def differing(run: Path, reference: Path) -> list[str]:
    """What of a finished run is not as in the reference (state, model, metrics, samples), or should not be there."""
    found, checkpoints = [], [RunFolder(place).checkpoints for place in (run, reference)]
    steps = [one.steps() for one in checkpoints]
    if steps[0] != steps[1]:
        return [f"checkpoints {steps[0]}, not {steps[1]}"]
    for step in steps[0]:
        states = [one.load(step, "") for one in checkpoints]
        found += [f"state of step {step}: {bad}" for bad in unequal(*states)[:3]]
    names = ["metrics.jsonl", "model/model.safetensors", "model/config.json", "model/README.md"]
    names += sorted(str(path.relative_to(reference)) for path in (reference / "samples").iterdir())
    for name in names:
        if not (run / name).is_file() or (run / name).read_bytes() != (reference / name).read_bytes():
            found.append(name)
    return found + [f"{one} is left behind" for one in remains(run)]


def remains(run: Path) -> list[str]:
    """Hidden files and folders: what was being written, or the lock."""
    return sorted(str(path.relative_to(run)) for path in run.rglob(".*") if path.name != NAME)


def good_state(run: Path) -> str:
    """What is wrong with the last checkpoint and the model, as far as there are any; empty if they open."""
    folder = RunFolder(run)
    if folder.checkpoints.steps():
        folder.checkpoints.load_last()
    if (run / "model").is_dir():
        from variegate.model.model import Model

        Model.load(run)
    return ""
