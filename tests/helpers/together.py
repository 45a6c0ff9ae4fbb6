"""Trains several runs in every process that torchrun started: `together.py FOLDER JOB ...`.

A job is a method, tiny, or one of JOBS. Each process leaves beside the run what it was given, and the weights it ended
with. After a restart of all processes, finished runs are left out.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from helpers.golden import METHODS, SMALL
from variegate.cli import main
from variegate.core.device import one_thread
from variegate.core.errors import DataError
from variegate.training import loop

STEPS = 2
CHANGED = {  # of the tiny methods
    "mrgan-superres": {"batch-size": "8"},  # of which a quarter gets samples
    # a tiny student begins as its teacher, and distances that are mere rounding would be compared
    "flow-student": {
        "matching": "nearest",
        "generator.widths": "[6, 6, 4]",
        "randomness.channels": "2",
        "randomness.hidden": "4",
        "candidates": "3",
        "objective.images": "2",
        "objective.power": "1",
        "previous.generator.sampler.steps": "1",
    },
}
EVEN = {"training.schedule.kind": "constant"}  # rates that do not depend on how long a run will be
POOL = {"inner-steps": "8", "updates-per-step": "2", "rematch": "0.9", "restart.at": "0", **EVEN}
JOBS: dict[str, tuple[str, dict[str, str]]] = {
    "held": ("pix2pixhd", {"hold.parameters": '["stages.block*", "stages.up*"]', "hold.until": "0.9"}),
    "divided": ("bicyclegan", {"batch-size": "8", "accumulate": "2"}),
    "bf16": ("bicyclegan", {"batch-size": "8", "accumulate": "2", "precision": "bf16-mixed"}),
    "pool": ("cimle", {**POOL, "steps": "6"}),
    "elsewhere": ("cimle", {**POOL, "steps": "4"}),
    "broken": ("cimle", POOL),
    "killed": ("dsgan", {**EVEN, "steps": "6"}),
}


def options_of(job: str) -> dict[str, str]:
    name, own = JOBS.get(job, (job, {}))
    options = {**SMALL, **METHODS[name], "batch-size": "4"}
    equal = {key: "4" if key.endswith("batch_size") else value for key, value in options.items()}
    return equal | {"steps": str(STEPS), "log-every": "1", "save-every": "2"} | CHANGED.get(name, {}) | own


def train(job: str, out: Path, *words: str) -> None:
    """Train, and write `rankR.pt` beside the run: the keys, items and codes of every step, and the last weights."""
    rank = os.environ.get("RANK", "0")
    typed = [word for option, value in options_of(job).items() for word in (f"--{option}", value)]
    with observed(out / f"rank{rank}.pt"), broken(job, rank), told(job, out / f"ended{rank}"):
        main(["train", JOBS.get(job, (job,))[0], "--out", str(out), *typed, "--device", "cpu", "--quiet", *words])


@contextmanager
def broken(job: str, rank: str) -> Iterator[None]:
    """The second process cannot read its share of a pool."""
    original = loop.collate
    if job == "broken" and rank == "1":
        loop.collate = lambda items: DataError("3.png: is damaged")
    try:
        yield
    finally:
        loop.collate = original


@contextmanager
def told(job: str, path: Path) -> Iterator[None]:
    """Write how a broken job ended, and go on."""
    try:
        yield
    except SystemExit as ended:
        if job != "broken":
            raise
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(ended.code))


@contextmanager
def observed(path: Path) -> Iterator[None]:
    seen: list[dict[str, Any]] = []
    original_step, original_check = loop.one_step, loop.check_finite

    def one_step(fabric: Any, state: Any, batch: Any, *rest: Any) -> Any:
        if path.parent.name == "killed":
            kill_one(state.step)
        codes = state.generator.draw_for(batch.key, 2)
        seen.append({"key": batch.key.clone(), "index": batch.index.clone(), "codes": codes})
        return original_step(fabric, state, batch, *rest)

    def check(generator: torch.nn.Module, *args: Any) -> None:
        original_check(generator, *args)
        weights = {key: value.clone() for key, value in generator.state_dict().items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"seen": seen, "weights": weights}, path)

    loop.one_step, loop.check_finite = one_step, check
    try:
        yield
    finally:
        loop.one_step, loop.check_finite = original_step, original_check


def kill_one(step: int) -> None:
    """The second process dies once, one step after a checkpoint."""
    if (os.environ.get("RANK"), os.environ.get("TORCHELASTIC_RESTART_COUNT"), step) == ("1", "0", 5):
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    folder, *jobs = sys.argv[1:]
    again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"
    with one_thread():
        for job in jobs:
            if not again or job == "killed":
                train(job, Path(folder) / job, "--resume")
