"""Trains several runs in every process that torchrun started; each process leaves its generator beside the run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import torch

from helpers.runs import settings, start
from variegate.training import loop

RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "instance": (
        "pix2pix",
        {"generator.norm": "instance", "objective.norm": "instance", "noise": "input", "batch_size": 4},
    ),
    "basis": ("basisgan", {"generator.norm": "instance", "objective.norm": "instance", "batch_size": 4}),
    "cimle": ("cimle", {"batch_size": 4}),
    "pool": ("cimle", {"batch_size": 4, "inner_steps": 8, "updates_per_step": 2}),
    "munit": ("munit", {"batch_size": 4}),
    "bicyclegan": ("bicyclegan", {"batch_size": 4}),
    "batch": ("pix2pix", {"batch_size": 4}),
}
STEPS = 3


def main(folder: str, *names: str) -> None:
    rank = os.environ.get("RANK", "0")
    original = loop.check_finite
    for name in names:
        out = Path(folder) / name

        def check(generator: torch.nn.Module, *args: Any, out: Path = out) -> None:
            original(generator, *args)
            out.mkdir(parents=True, exist_ok=True)
            torch.save(generator.state_dict(), out / f"rank{rank}.pt")

        loop.check_finite = check
        method, options = RUNS[name]
        start(settings(method, STEPS, options, save_every=STEPS), out)


if __name__ == "__main__":
    main(*sys.argv[1:])
