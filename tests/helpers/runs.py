"""Small training runs for the tests beside this file, and what is compared afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.reliability.trials import METHODS, unequal

from helpers.shared import ROOT
from variegate.core.config import from_mapping
from variegate.methods import method
from variegate.runs.lock import holding
from variegate.runs.settings import ExecutionSettings
from variegate.training import loop
from variegate.training.start import RunConfig, start

DATA, SIZE = "streets:20", (32, 32)
OPTIONS: dict[str, dict[str, Any]] = {
    **{name: METHODS[name] for name in ("pix2pix", "basisgan", "bicyclegan", "mrgan", "cimle")},
    "munit": {
        "width": 4,
        "generator.blocks": 1,
        "randomness.hidden": 8,
        "objective.layers": 2,
        "objective.scales": 1,
        "batch_size": 2,
    },
}

PLAYERS = {
    "pix2pix": ["discriminator", "generator"],
    "basisgan": ["discriminator", "generator"],
    "bicyclegan": ["discriminator", "discriminator2", "generator", "posterior"],
    "mrgan": ["discriminator", "generator"],
    "munit": ["discriminator", "generator", "partner"],
    "cimle": ["generator"],
}


def settings(name: str, steps: int, options: dict[str, Any] | None = None, data: str = DATA, **run: Any) -> RunConfig:
    chosen = method(name, {**OPTIONS[name], **(options or {}), "training.steps": steps})
    carried_out = from_mapping(
        ExecutionSettings, {"device": "cpu", "quiet": True, "channels_last": False, **run}, "run"
    )
    return RunConfig(method=chosen, data=data, size=SIZE, run=carried_out)


def state_of(folder: Path, step: int) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(folder / "checkpoints" / f"step-{step:08d}" / "state.pt", weights_only=True)
    return state


def saved_steps(folder: Path) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in (folder / "checkpoints").glob("step-*"))


def logged(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def at_batch(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], None]) -> None:
    """Do something when training asks for its `number`-th batch, counted from 1."""
    original = loop.stream

    def counting(*args: Any) -> Iterator[Any]:
        for i, batch in enumerate(original(*args), start=1):
            if i == number:
                act()
            yield batch

    monkeypatch.setattr(loop, "stream", counting)


@contextmanager
def held_by_another(folder: Path) -> Iterator[int]:
    """A forked process holds the folder; its id."""
    ready, told = os.pipe()
    child = os.fork()
    if not child:
        with holding(folder):
            os.write(told, b"x")
            time.sleep(60)
        os._exit(0)
    os.read(ready, 1)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def python(script: str, *arguments: str, launcher: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a script of this folder in a fresh process."""
    folder = Path(__file__).parent
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests"), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    threads = str(torch.get_num_threads())  # sums are split among threads, so bit-equality needs as many of them
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    return subprocess.run(
        [sys.executable, *launcher, str(folder / script), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )


__all__ = [
    "OPTIONS",
    "PLAYERS",
    "at_batch",
    "held_by_another",
    "logged",
    "python",
    "saved_steps",
    "settings",
    "start",
    "state_of",
    "unequal",
]
