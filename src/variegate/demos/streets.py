"""`variegate demo`: three small methods on synthetic streets, evaluated the same way, in one report.

The hidden factors of the streets are known, so the number of (time of day x facade paint) combinations a method covers
is counted, not estimated.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch

from ..core.files import write_text
from ..core.progress import quietly
from ..evaluation.measuring.measure import Evaluation, Extra, measure
from ..evaluation.pages.comparison import Row, comparison_sections
from ..evaluation.pages.page import Report, write_report
from ..evaluation.pages.report import sections_of
from ..model.model import Model
from ..runs.folder import RunFolder
from ..training.train import train

logger = logging.getLogger(__name__)

DATA = "streets:2000"
LAYOUTS = 4  # whose modes are counted

# More guidance than `recommended` has by itself: after minutes, more of its images can be read, and it covers no less.
FLOW = {"size": 32, "minutes": 3.6, "scale": 0.5, "generator.sampler.guidance": 2.0}
# Conditional IMLE searches for the nearest of m samples for every image, and m decides whether rare appearances get
# samples of their own. Small images are cheap: the search stays at 16x16, and training moves from small to large sizes.
CIMLE = {
    "generator.widths": [32, 24, 16, 12],
    "randomness.vector": 5,
    "randomness.channels": 12,
    "randomness.encoder": False,
    "objective.perceptual": "laplacian",
    "objective.candidates": 96,
    "objective.chunk": 1024,
    "objective.inner_steps": 32,
    "objective.inner_batch": 8,
    "batch_size": 64,
    "restart.at": 0,
    "ema_decay": 0.98,
    "rebalance": "data",
    "rebalance_classes": 1,  # facades: their colour reveals time, paint and weather
}
PHASES: list[dict[str, Any]] = [
    {"size": 16, "steps": 40, "match_scale": 1, "learning_rate.generator": 3e-3},
    {"size": 32, "steps": 12, "match_scale": 2, "learning_rate.generator": 2e-3, "schedule.kind": "linear"},
]
PIX2PIX = {
    "size": 32,
    "minutes": 0.5,
    "width": 16,
    "generator.upsampling": "resize",
    "ema_decay": 0.99,
    "flip": False,
    "jitter": 1.0,
    "learning_rate.generator": 1e-3,
    "learning_rate.discriminator": 3e-4,
}
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "recommended": [FLOW],
    "cimle": [{**CIMLE, **phase} for phase in PHASES],
    "pix2pix": [PIX2PIX],
}
LEAD = """The methods saw only one image of each street layout in training, although many are possible: day, dusk or
night, four facade paints, three seasons. Some combinations occur in one image out of fifty. Which of them does each
method learn to generate?"""


def demo(out: Path, seed: int = 0, quick: bool = False) -> dict[str, Any]:
    """Train, evaluate, report; returns the content of `metrics.json`. Finished runs in `out` are not retrained.

    It starts processes, so a script that calls it must be importable: `if __name__ == "__main__":`.
    """
    rows: dict[str, tuple[Model, Evaluation]] = {}
    summary: dict[str, Any] = {}
    for name, (evaluation, seconds) in zip(SETTINGS, learned(out, seed, quick)):
        rows[name] = (Model.load(out / name), evaluation)
        measured = evaluation.results.measured
        shown = ("coverage", "rare_recall", "precision", "total_variation", "code_sensitivity")
        summary[name] = {metric: measured[metric].value for metric in shown if metric in measured}
        summary[name] |= {"diversity": measured["diversity_pixel"].value, "seconds": seconds}
        logger.info(f"{name}: {describe(evaluation)}, trained in {seconds:.0f} s")
    protocols = {name: evaluation.results.to_dict()["protocol"] for name, (_, evaluation) in rows.items()}
    content = {"methods": summary, "protocol": protocols, "seed": seed}
    write_text(out / "metrics.json", json.dumps(content, indent=2))
    write_report(out / "report.html", report(out, rows))
    logger.info(f"see {out / 'report.html'}")
    return content


def learned(out: Path, seed: int, quick: bool) -> Iterator[tuple[Evaluation, float]]:
    """Train and measure every method. On a processor, two at a time: networks this small gain nothing from a second
    core, so each process trains with half of them, and only the first says how far it is."""
    threads = torch.get_num_threads()
    if threads < 2 or torch.accelerator.is_available():
        yield from (learn(name, out, seed, quick, (threads, threads)) for name in SETTINGS)
        return
    half = threads // 2
    first, *others = SETTINGS
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        # the first trains longest; when it is measured, the others are done
        found = [pool.submit(learn, first, out, seed, quick, (half, threads))]
        found += [pool.submit(learn, name, out, seed, quick, (half, half), silent=True) for name in others]
        yield from (one.result() for one in found)


def learn(
    name: str, out: Path, seed: int, quick: bool, threads: tuple[int, int], silent: bool = False
) -> tuple[Evaluation, float]:
    """Train a method and measure it, with so many threads each; how, and how many seconds training took."""
    torch.set_num_threads(threads[0])
    with quietly(silent):
        seconds = train_one(name, out / name, seed, quick, silent)
        torch.set_num_threads(threads[1])
        run = RunFolder(out / name)
        settings = Extra(perceptual=False, layouts=1 if quick else LAYOUTS)
        generator = Model.load(run.path).generator
        return measure(generator, run.pairs("test"), run.pairs(), "quick", seed, **settings), seconds


def train_one(name: str, folder: Path, seed: int, quick: bool, silent: bool = False) -> float:
    """Train a method phase by phase, the last one in `folder`; returns the seconds taken.

    Finished runs are kept, and others continued, unless they have another seed or are quick ones.
    """
    timing, same = folder / "seconds.json", {"quick": quick, "seed": seed}
    runs = [folder.with_name(f"{name}-at-{phase['size']}") for phase in SETTINGS[name][:-1]] + [folder]
    done = json.loads(timing.read_text()) if timing.is_file() else None
    if done and {key: done.get(key) for key in same} == same:
        if done["seconds"] is not None:
            return float(done["seconds"])
    else:
        for run in runs:
            shutil.rmtree(run, ignore_errors=True)
    write_text(timing, json.dumps({"seconds": None, **same}))
    started, before = time.monotonic(), None
    for phase, run in zip(SETTINGS[name], runs):
        options = {**phase, "steps": 2, "minutes": None} if quick else phase
        train(name, DATA, run, resume=run.exists(), seed=seed, initial=before, quiet=silent, **options)
        before = run
    seconds = time.monotonic() - started
    write_text(timing, json.dumps({"seconds": seconds, **same}))
    return seconds


def describe(evaluation: Evaluation) -> str:
    measured = evaluation.results.measured
    return (
        f"covers {measured['coverage'].value:.0%} of the combinations and {measured['rare_recall'].value:.0%} of the "
        f"rare ones; every factor is readable in {measured['precision'].value:.0%} of its images"
    )


def report(out: Path, rows: dict[str, tuple[Model, Evaluation]]) -> Report:
    """Build the report: methods side by side, then each of the diverse ones by itself."""
    held = RunFolder(out / "cimle").pairs("test")
    sections = comparison_sections(
        {name: Row(one.results, model, one.counts) for name, (model, one) in rows.items()}, held
    )
    for name in ("recommended", "cimle"):
        model, evaluation = rows[name]
        own = sections_of(model, held, evaluation, RunFolder(out / name))
        sections += [type(section)(f"{name}: {section.title}", section.text, section.items) for section in own]
    return Report("One street, many images", " ".join(LEAD.split()), sections)
