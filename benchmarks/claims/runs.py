"""Train and measure one configuration, once: results are kept beside the run and read again the next time."""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

from variegate import train
from variegate.core.errors import TrainingError
from variegate.core.interfaces import Size
from variegate.core.memory import keep_freed_memory
from variegate.evaluation.measure import measure
from variegate.model.model import Model
from variegate.runs.folder import RunFolder
from variegate.runs.settings import ExecutionSettings

METRICS = ("coverage", "rare_recall", "precision", "lpips", "diversity_pixel", "code_sensitivity", "frechet_squeezenet")


@dataclass(frozen=True)
class Settings:
    """Where runs are kept, whether only to see that everything runs, and how many train side by side."""

    cache: Path
    quick: bool = False
    workers: int = os.cpu_count() or 1
    only: tuple[int, ...] = (0, 1, 2)  # seeds

    @property
    def seeds(self) -> tuple[int, ...]:
        return self.only[:1] if self.quick else self.only


@dataclass(frozen=True)
class Trial:
    """One configuration: a method, its settings, data and length. Its name is what tables call it.

    Attributes:
        predictor: a moment-predictor that is trained before, with the same seed, and handed over.
        saves: checkpoints of a training; a predictor keeps the best of them.
    """

    name: str
    method: str
    options: dict[str, Any]
    data: str = "streets:600"
    size: int | Size = 32
    steps: int = 3000
    predictor: Trial | None = None
    saves: int = 2

    def folder(self, seed: int, settings: Settings) -> Path:
        content = json.dumps([self.content(), seed, settings.quick], sort_keys=True)
        return settings.cache / f"{self.method}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"

    def content(self) -> dict[str, Any]:
        """All that decides a run, so not its name nor where data lies; what is left at its default is not mentioned."""
        given = {name: value for name, value in vars(self).items() if name not in ("predictor", "saves")}
        given["data"] = Path(self.data).name
        if self.saves != 2:
            given["saves"] = self.saves
        if self.predictor is not None:
            given["predictor"] = self.predictor.content()
        return given | {"name": None}

    def run(self, seed: int, settings: Settings) -> Path:
        """The trained run of one seed."""
        folder = self.folder(seed, settings)
        done, steps = folder / "trained.json", 2 if settings.quick else self.steps
        if not done.is_file():
            predictor = self.predictor.run(seed, settings) if self.predictor is not None else None
            say(f"{self.name}, seed {seed}: training")
            run = ExecutionSettings(quiet=True, save_every=max(1, steps // self.saves))
            given = {"resume": folder.exists(), "run": run, "predictor": predictor, **self.options}
            problem = None
            try:
                train(self.method, self.data, folder, size=self.size, steps=steps, seed=seed, **given)
            except TrainingError as error:
                problem = str(error)
                say(f"{self.name}, seed {seed}: {problem}")
            done.write_text(json.dumps({"steps": steps, "problem": problem}))
        return folder

    def diverged(self, seed: int, settings: Settings) -> bool:
        """Whether a loss became infinite or no number."""
        told = json.loads((self.run(seed, settings) / "trained.json").read_text())
        return told.get("problem") is not None

    def measure(self, seed: int, settings: Settings) -> dict[str, float]:
        """Metrics of one seed, with parameters in millions; not a number where the training diverged."""
        folder = self.run(seed, settings)
        if self.diverged(seed, settings):
            return dict.fromkeys(METRICS, math.nan)
        path = folder / "measured.json"
        if not path.is_file():
            model, held = Model.load(folder), RunFolder(folder).pairs("held")
            evaluation = measure(model.generator, held, RunFolder(folder).pairs(), "quick", 0)
            found = {name: value.value for name, value in evaluation.results.measured.items() if name in METRICS}
            found["parameters"] = sum(p.numel() for p in model.generator.parameters()) / 1e6
            path.write_text(json.dumps(found))
            say(f"{self.name}, seed {seed}: " + ", ".join(f"{k} {v:.3g}" for k, v in found.items()))
        measured: dict[str, float] = json.loads(path.read_text())
        return measured

    def over_seeds(self, settings: Settings) -> dict[str, list[float]]:
        """One value a seed of every metric."""
        return by_name([self.measure(seed, settings) for seed in settings.seeds])


def by_name(each: Sequence[dict[str, float]]) -> dict[str, list[float]]:
    """Numbers of several seeds as one list a name."""
    return {name: [one[name] for one in each] for name in each[0]}


def prepare(trials: Sequence[Trial], settings: Settings, measure: bool = True) -> None:
    """Train (and measure) every trial with every seed, `workers` at a time, so that the claims find them in the cache.

    Networks this small gain little from a second thread, so each worker has one: two cores train twice as many, and a
    run does not depend on how many cores there are.
    """
    jobs = {trial.folder(seed, settings): (trial, seed, settings) for trial in trials for seed in settings.seeds}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(settings.workers, context, initializer=one_thread) as pool:
        for job in [pool.submit(Trial.measure if measure else Trial.run, *job) for job in jobs.values()]:
            job.result()


def one_thread() -> None:
    torch.set_num_threads(1)
    keep_freed_memory()


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
        """JSON has no "not a number": null."""
        measured = {name: [None if math.isnan(v) else v for v in values] for name, values in self.measured.items()}
        return asdict(self) | {"measured": measured}


def table(rows: dict[str, dict[str, list[float]]], *metrics: str) -> dict[str, list[float]]:
    """Measured values named "row: metric"."""
    return {
        f"{name}: {metric}": values[metric] for name, values in rows.items() for metric in metrics if metric in values
    }


def words(values: Sequence[float | None]) -> str:
    """Mean and standard deviation of those that are numbers."""
    numbers = [value for value in values if value is not None and not math.isnan(value)]
    if len(numbers) < len(values):
        return f"{words(numbers) + ', ' if numbers else ''}{len(values) - len(numbers)} of {len(values)} diverged"
    spread = f" ± {stdev(numbers):.2g}" if len(numbers) > 1 else ""
    return f"{mean(numbers):.3g}{spread}"


def every(values: list[float], others: list[float], factor: float = 1.0) -> bool:
    """Whether each value exceeds `factor` times the other of the same seed."""
    return all(a > factor * b for a, b in zip(values, others, strict=True)) and not any(map(math.isnan, values))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
