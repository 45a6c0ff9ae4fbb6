"""`python -m benchmarks.metrics`: run every metric on samples whose fault is known, and write which of them notice it.

A fault is noticed if the metric's score is worse than that of every one of SEEDS true draws by more than three of their
standard deviations, and by 2 % of its value; it is praised if the score is as much better.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

from variegate.data import open_data
from variegate.data.dataset.pairs import Pairs
from variegate.evaluation.measuring.drawn import Drawn
from variegate.evaluation.measuring.gathering import Gathered
from variegate.evaluation.measuring.sets import set_metrics
from variegate.evaluation.metrics.calibration import calibration, calibration_metrics
from variegate.evaluation.metrics.diversity import LPIPS, Pixel, diversity
from variegate.evaluation.metrics.fidelity import fidelity
from variegate.evaluation.protocols import NamedProtocol
from variegate.runs.measured import Measured

from ..claims.runs import say
from ..speed.results import machine, versions
from .faults import FAULTS, LAYOUTS, SAMPLES, drawn, true

FILE = Path(__file__).parents[1] / "results" / "metrics.json"
SIZE, TRAINING = 64, 2000
SEEDS = 5
PROTOCOL = NamedProtocol(name="metrics", paper="none", inputs=LAYOUTS, samples=SAMPLES)
LEFT_OUT = ("_top10", "_of_")  # further forms of the same measure


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.metrics", description=__doc__)
    parser.add_argument("--out", type=Path, default=FILE)
    chosen = parser.parse_args(arguments)
    training = open_data(f"streets:{TRAINING}", SIZE)
    held = training.of_split("test")
    baseline = []
    for seed in range(SEEDS):
        say(f"true samples, draw {seed}")
        baseline.append(scores(drawn(true, held, training, seed), training))
    rows: dict[str, dict[str, Any]] = {}
    for name, metric in baseline[0].items():
        values = [one[name].value for one in baseline]
        rows[name] = {"better": metric.better, "true": mean(values), "deviation": stdev(values), "faults": {}}
    for fault, make in FAULTS.items():
        say(fault)
        for name, metric in scores(drawn(make, held, training, SEEDS), training).items():
            rows[name]["faults"][fault] = {"value": metric.value, "seen": seen(rows[name], metric.value)}
    content = {
        "command": "python -m benchmarks.metrics",
        "data": f"{LAYOUTS} held-out streets of {SIZE}x{SIZE}, {SAMPLES} samples of each; {TRAINING} training images",
        "seeds": SEEDS,
        "versions": versions(),
        "machine": machine(),
        "metrics": rows,
    }
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(content, indent=1) + "\n")
    print(f"written to {chosen.out}")
    return 0


@torch.no_grad()
def scores(samples: Drawn, training: Pairs) -> dict[str, Measured]:
    """All metrics of images by name."""
    gathered, lpips = Gathered(), LPIPS()
    gathered.results.add({lpips.name: diversity(samples.conditions(), lpips, PROTOCOL)})
    gathered.results.add({"diversity_pixel": diversity(samples.inside(), Pixel(), PROTOCOL)})
    gathered.results.add(fidelity(samples.with_truth()))
    gathered.results.add(calibration_metrics(calibration(samples.with_truth()), (SIZE, SIZE)))
    set_metrics(gathered, samples, training, network="squeezenet")
    if gathered.skipped:
        raise SystemExit("; ".join(gathered.skipped))
    return {n: m for n, m in gathered.results.measured.items() if not any(part in n for part in LEFT_OUT)}


def seen(row: dict[str, Any], value: float) -> str:
    """ "notices", "praises" or nothing."""
    good = row["true"]
    margin = max(3 * row["deviation"], 0.02 * abs(good))
    if row["better"].startswith("nearer to"):
        goal = float(row["better"].removeprefix("nearer to "))
        change = abs(good - goal) - abs(value - goal)
    else:
        change = value - good if row["better"] == "higher" else good - value
    return "notices" if change < -margin else "praises" if change > margin else ""


if __name__ == "__main__":
    sys.exit(main())
