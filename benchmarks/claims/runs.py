"""Train and measure one configuration, once: results are kept beside the run and read again the next time."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from variegate.api import data_of, train
from variegate.evaluation.evaluate import evaluate
from variegate.model import Model
from variegate.training.run import Run

METRICS = ("coverage", "rare_recall", "precision", "lpips", "diversity_pixel", "code_sensitivity", "frechet_squeezenet")


@dataclass(frozen=True)
class Settings:
    """Where runs are kept, and whether only to see that everything runs."""

    cache: Path
    quick: bool = False

    @property
    def seeds(self) -> tuple[int, ...]:
        return (0,) if self.quick else (0, 1, 2)


@dataclass(frozen=True)
class Trial:
    """One configuration: a method, its settings, data and length. Its name is what tables call it."""

    name: str
    method: str
    options: dict[str, Any]
    data: str = "streets:600"
    size: int = 32
    steps: int = 700

    def folder(self, seed: int, settings: Settings) -> Path:
        content = json.dumps([{**asdict(self), "name": ""}, seed, settings.quick], sort_keys=True)
        return settings.cache / f"{self.method}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"

    def run(self, seed: int, settings: Settings) -> Path:
        """The trained run of one seed."""
        folder = self.folder(seed, settings)
        done, steps = folder / "trained.json", 2 if settings.quick else self.steps
        if not done.is_file():
            say(f"{self.name}, seed {seed}: training")
            run = Run(quiet=True, save_every=max(1, steps // 2))
            train(self.method, self.data, folder, self.size, steps, seed, folder.exists(), run=run, **self.options)
            done.write_text(json.dumps({"steps": steps}))
        return folder

    def measure(self, seed: int, settings: Settings) -> dict[str, float]:
        """Metrics of one seed, with parameters in millions."""
        folder = self.run(seed, settings)
        path = folder / "measured.json"
        if not path.is_file():
            model, held = Model.load(folder), data_of(folder, "test")
            evaluation = evaluate(model.generator, held, data_of(folder), "quick", 0)
            found = {name: value.value for name, value in evaluation.results.measured.items() if name in METRICS}
            found["parameters"] = sum(p.numel() for p in model.generator.parameters()) / 1e6
            path.write_text(json.dumps(found))
            say(f"{self.name}, seed {seed}: " + ", ".join(f"{k} {v:.3g}" for k, v in found.items()))
        measured: dict[str, float] = json.loads(path.read_text())
        return measured

    def over_seeds(self, settings: Settings) -> dict[str, list[float]]:
        """One value a seed of every metric."""
        each = [self.measure(seed, settings) for seed in settings.seeds]
        return {name: [one[name] for one in each] for name in each[0]}


@dataclass
class Claim:
    """One sentence of a paper and what was measured about it."""

    id: str
    claim: str
    holds: bool | None
    note: str
    measured: dict[str, list[float]] = field(default_factory=dict)
    data: str = "streets:600 at 32x32"
    paper: str = "Wang, Cheng, Sapiro, Qiu 2019"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def table(rows: dict[str, dict[str, list[float]]], *metrics: str) -> dict[str, list[float]]:
    """Measured values named "row: metric"."""
    return {
        f"{name}: {metric}": values[metric] for name, values in rows.items() for metric in metrics if metric in values
    }


def words(values: list[float]) -> str:
    """Mean and standard deviation."""
    spread = f" ± {stdev(values):.2g}" if len(values) > 1 else ""
    return f"{mean(values):.3g}{spread}"


def every(values: list[float], others: list[float], factor: float = 1.0) -> bool:
    """Whether each value exceeds `factor` times the other of the same seed."""
    return all(a > factor * b for a, b in zip(values, others, strict=True)) and not any(map(math.isnan, values))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
