"""Train and measure a configuration once: results are cached next to the run and reused."""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from variegate import train
from variegate.core.errors import TrainingError
from variegate.core.images import sheet, to_pil
from variegate.core.interfaces import Size
from variegate.core.memory import keep_freed_memory
from variegate.data.conditions import ImageCondition, condition_from_mapping
from variegate.data.dataset.pairs import Pairs
from variegate.data.derived.derived import SuperRes
from variegate.data.streets.streets import FACTORS
from variegate.evaluation.measuring.measure import measure
from variegate.evaluation.pages.scatter import Scatter
from variegate.model.model import Model
from variegate.runs.folder import RunFolder
from variegate.runs.settings import ExecutionSettings

BY_FACTOR = (
    "precision_of_time_and_paint",
    *(f"precision_of_{factor.name}" for factor in FACTORS),
)
METRICS = (
    "coverage",
    "rare_recall",
    "precision",
    *BY_FACTOR,
    "total_variation",
    "lpips",
    "diversity_pixel",
    "code_sensitivity",
    "frechet_squeezenet",
    "rmse_best",
    "psnr_best",
    "ssim_best",
    "rmse_bicubic",
    "psnr_bicubic",
    "ssim_bicubic",
    "reduced_error",
)


@dataclass(frozen=True)
class Settings:
    """Where runs are cached, whether this is only a quick check, and how many train in parallel."""

    cache: Path
    quick: bool = False
    workers: int = os.cpu_count() or 1
    only: tuple[int, ...] = (0, 1, 2)  # seeds

    @property
    def seeds(self) -> tuple[int, ...]:
        return self.only[:1] if self.quick else self.only


@dataclass(frozen=True)
class Trial:
    """One configuration: a method, its settings, data and number of steps; tables use its name.

    Attributes:
        predictor: a moment-predictor, or a student's teacher, that is trained first with the same seed and passed on.
        saves: number of checkpoints during training; a predictor keeps the best of them.
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
        """Return all that determines a run, excluding its name and the path of its data; some defaults are omitted."""
        given = {name: value for name, value in vars(self).items() if name not in ("predictor", "saves")}
        given["data"] = Path(self.data).name
        if self.saves != 2:
            given["saves"] = self.saves
        if self.predictor is not None:
            given["predictor"] = self.predictor.content()
        return given | {"name": None}

    def run(self, seed: int, settings: Settings) -> Path:
        """Train the run of one seed, unless it is cached, and return its folder."""
        folder = self.folder(seed, settings)
        done, steps = folder / "trained.json", 2 if settings.quick else self.steps
        if not done.is_file():
            predictor = self.predictor.run(seed, settings) if self.predictor is not None else None
            say(f"{self.name}, seed {seed}: training")
            run = ExecutionSettings(quiet=True, save_every=max(1, steps // self.saves))
            role = "teacher" if self.method == "flow-student" else "predictor"
            given = {"resume": folder.exists(), "run": run, role: predictor, **self.options}
            problem = None
            try:
                train(self.method, self.data, folder, size=self.size, steps=steps, seed=seed, **given)
            except TrainingError as error:
                problem = str(error)
                say(f"{self.name}, seed {seed}: {problem}")
            done.write_text(json.dumps({"steps": steps, "problem": problem}))
        return folder

    def diverged(self, seed: int, settings: Settings) -> bool:
        """Return whether a loss became infinite or NaN."""
        told = json.loads((self.run(seed, settings) / "trained.json").read_text())
        return told.get("problem") is not None

    def measure(self, seed: int, settings: Settings) -> dict[str, float]:
        """Return the metrics of one seed, with parameters in millions; NaN if training diverged."""
        folder = self.run(seed, settings)
        if self.diverged(seed, settings):
            return dict.fromkeys(METRICS, math.nan)
        path = folder / "measured.json"
        if not path.is_file() or is_old(json.loads(path.read_text()), folder):
            model, held = Model.load(folder), RunFolder(folder).pairs("held")
            evaluation = measure(model.generator, held, training_images(folder), "quick", 0, extractor="squeezenet")
            found = {name: value.value for name, value in evaluation.results.measured.items() if name in METRICS}
            found["parameters"] = sum(p.numel() for p in model.generator.parameters()) / 1e6
            path.write_text(json.dumps(found))
            say(f"{self.name}, seed {seed}: " + ", ".join(f"{k} {v:.3g}" for k, v in found.items()))
        measured: dict[str, float] = json.loads(path.read_text())
        return measured

    def over_seeds(self, settings: Settings) -> dict[str, list[float]]:
        """Return one value per seed for every metric."""
        return by_name([self.measure(seed, settings) for seed in settings.seeds])


def is_old(measured: dict[str, float], folder: Path) -> bool:
    """Whether a run was measured before super-resolution had bicubic scores and LPIPS was inside the hole.

    Their scores were added together with `rmse_best`, which others do not need.
    """
    if "rmse_best" in measured:
        return False
    made = condition_from_mapping(RunFolder(folder).record.condition).part(ImageCondition)
    return made is not None and (made.channels == 4 or isinstance(made.derived, SuperRes))


TRAINING_IMAGES: dict[str, Pairs] = {}


def training_images(folder: Path) -> Pairs:
    """The training images of a run: the same object for runs on the same data, so that their features are kept."""
    run = RunFolder(folder)
    data = run.config.data.model_dump_json() + str(run.data_path())
    if data not in TRAINING_IMAGES:
        TRAINING_IMAGES[data] = run.pairs()
    return TRAINING_IMAGES[data]


def by_name(each: Sequence[dict[str, float]]) -> dict[str, list[float]]:
    """Collect the values of several seeds as one list per name; NaN for a seed without it, which diverged."""
    names = {name: None for one in each for name, value in one.items() if not math.isnan(value)} or each[0]
    return {name: [one.get(name, math.nan) for one in each] for name in names}


def prepare(trials: Sequence[Trial], settings: Settings, measure: bool = True) -> None:
    """Train (and measure) every trial with every seed, `workers` at a time, so that the claims find them in the cache.

    Networks this small gain little from a second thread, so each worker uses one: two cores train twice as many, and a
    run does not depend on the number of cores.
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
    """A claim of a paper and what was measured about it."""

    id: str
    claim: str
    holds: bool | None
    note: str
    measured: dict[str, list[float]] = field(default_factory=dict)
    data: str = field(kw_only=True)
    paper: str = field(kw_only=True)

    def to_dict(self) -> dict[str, Any]:
        """Convert to a JSON mapping; NaN becomes null, since JSON has no NaN."""
        measured = {name: [None if math.isnan(v) else v for v in values] for name, values in self.measured.items()}
        return asdict(self) | {"measured": measured}


Parts = Mapping[str, Callable[[Settings], list[Claim]]]


def table(rows: dict[str, dict[str, list[float]]], *metrics: str) -> dict[str, list[float]]:
    """Collect measured values under the name "row: metric"."""
    return {
        f"{name}: {metric}": values[metric] for name, values in rows.items() for metric in metrics if metric in values
    }


def words(values: Sequence[float | None]) -> str:
    """Format the mean and standard deviation of the values that are not NaN or None."""
    numbers = [value for value in values if value is not None and not math.isnan(value)]
    if len(numbers) < len(values):
        return f"{words(numbers) + ', ' if numbers else ''}{len(values) - len(numbers)} of {len(values)} diverged"
    spread = f" ± {stdev(numbers):.2g}" if len(numbers) > 1 else ""
    return f"{mean(numbers):.3g}{spread}"


def every(values: list[float], others: list[float], factor: float = 1.0) -> bool:
    """Return whether each value exceeds `factor` times the other value of the same seed."""
    return all(a > factor * b for a, b in zip(values, others, strict=True)) and not any(map(math.isnan, values))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def save_figure(settings: Settings, name: str, rows: list[list[Tensor]]) -> None:
    """Write a figure to the cache as PNG."""
    page = to_pil(sheet(rows))
    scale = max(1, 900 // page.width)
    page.resize((page.width * scale, page.height * scale), Image.Resampling.NEAREST).save(
        settings.cache / f"{name}.png"
    )


def save_scatter(settings: Settings, name: str, scatter: Scatter) -> None:
    """Write a scatter plot to the cache as SVG, on white."""
    on_white = scatter.svg.replace("<svg ", '<svg style="background: white" ', 1)
    settings.cache.mkdir(parents=True, exist_ok=True)
    (settings.cache / f"{name}.svg").write_text(on_white)
