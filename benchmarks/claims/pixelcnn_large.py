"""The first training steps of the networks that are meant for GPUs."""

from __future__ import annotations

import json
from typing import Literal

import torch

from variegate.data import open_data
from variegate.methods import method
from variegate.runs.settings import ExecutionSettings
from variegate.training.loop import one_step, stream
from variegate.training.state import State

from .pixelcnn_trials import CIFAR
from .runs import Settings, say


def first_steps(
    network: str, steps: int, batch_size: int, precision: Literal["32-true", "bf16-mixed"], settings: Settings
) -> tuple[float, list[float]]:
    """Return parameters in millions and bits per dimension of each of the first batches of CIFAR-10; cached."""
    path = settings.cache / f"{network}-{steps}-{batch_size}-{precision}.json"
    if not path.is_file():
        torch.set_num_threads(settings.workers)
        preset = method("gated-pixelcnn", {"network": network, "training.batch_size": batch_size})
        pairs, run = open_data(CIFAR, condition="class"), ExecutionSettings(precision=precision, quiet=True)
        fabric = run.fabric()
        state = State(preset, pairs.condition.channels, pairs.image_channels, pairs.size, run, None)
        state.set_up(fabric, preset.training)
        told: list[float] = []
        for batch in stream(pairs, preset.training, run, fabric, 0):
            logs = one_step(fabric, state, batch, preset.training, run.seed)
            told.append(float(logs["generator/bits_per_dim"][0]))
            say(f"{network}, step {state.step}: {told[-1]:.3f} bits per dimension")
            if state.step == steps:
                break
        path.write_text(json.dumps([sum(p.numel() for p in state.generator.parameters()) / 1e6, told]))
    parameters, told = json.loads(path.read_text())
    return parameters, told
