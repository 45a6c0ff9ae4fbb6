"""How the street model that ships with the package was made: `python -m variegate.demos.street_model OUT`.

Conditional IMLE with a discriminator, first at 32x32, then at 64x64. Only the `model`
folder of the second run ships, less than 300 kB, as `runs/bundled/street`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ..training.train import train

DATA = "streets:6000"
COMMON: dict[str, Any] = {
    "generator.widths": [32, 24, 16, 12],
    "randomness.vector": 5,
    "randomness.channels": 12,
    "randomness.hidden": 16,
    "objective.perceptual": "laplacian",
    "objective.stages": 2,
    "objective.inner_steps": 64,
    "objective.inner_batch": 8,
    "objective.chunk": 1024,
    "objective.adversarial": 0.05,
    "objective.width": 32,
    "objective.layers": 2,
    "learning_rate.discriminator": 4e-4,
    "batch_size": 64,
    "schedule.kind": "linear",
    "restart.at": 0,
    "ema_decay": 0.98,
    "rebalance": "data",
    "rebalance_classes": 1,  # facades: their colour reveals time, paint and weather
}
PHASES: tuple[dict[str, Any], ...] = (
    {"size": 32, "steps": 96, "objective.candidates": 32, "match_scale": 2, "learning_rate.generator": 2e-3},
    {"size": 64, "steps": 48, "objective.candidates": 16, "match_scale": 4, "learning_rate.generator": 5e-4},
)


def make(out: Path) -> Path:
    """Train both phases in `out`, going on where an earlier call stopped; returns the last run."""
    before: Path | None = None
    for phase in PHASES:
        run = out / str(phase["size"])
        train("cimle", DATA, run, resume=run.exists(), initial=before, **COMMON, **phase)
        before = run
    assert before is not None
    return before


if __name__ == "__main__":
    make(Path(sys.argv[1]))
