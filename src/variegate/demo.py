"""`variegate demo`: three small methods on drawn streets, measured alike, in one report.

Streets have known hidden factors, so how many of the (time of day x facade paint) combinations a method reaches is
counted, not estimated.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from .api import data_of, train, write_text
from .evaluation.evaluate import Evaluation, evaluate
from .evaluation.page import Report, write_report
from .evaluation.report import compare_sections, sections_of
from .model import Model
from .training.run import Run

DATA, SIZE = "streets:2000", 64

ADVERSARIAL = {
    "width": 16,
    "generator.norm": "instance",
    "objective.norm": "instance",
    "batch_size": 8,
    "average_decay": 0.99,
    "flip": False,
    "jitter": 1.0,
    "schedule.kind": "constant",
    "learning_rate.generator": 6e-4,
    "learning_rate.discriminator": 3e-4,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "cimle": {
        "generator.widths": [48, 48, 40, 24, 12],
        "randomness.field": False,
        "randomness.channels": 5,
        "randomness.hidden": 12,
        "objective.perceptual": "laplacian",
        "objective.candidates": 12,
        "objective.inner_steps": 32,
        "objective.inner_batch": 8,
        "objective.chunk": 48,
        "batch_size": 96,
        "average_decay": 0.98,
        "learning_rate.generator": 2e-3,
        "steps": 30,
    },
    "basisgan": {**ADVERSARIAL, "blocks": 5, "objective.reconstruction": 20, "steps": 400},
    "pix2pix": {**ADVERSARIAL, "steps": 600},
}
QUICK_STEPS = {"cimle": 1, "basisgan": 3, "pix2pix": 3}
LEAD = """Every street layout below was shown to the methods with one picture only, although many are possible: day,
dusk or night, four facade paints, three seasons. Some combinations occur in one picture of fifty. Which of them does
a method learn to draw?"""


def demo(out: Path, seed: int = 0, quick: bool = False) -> dict[str, Any]:
    """Train, measure, report. Returns what `metrics.json` holds; finished runs in `out` are not trained again."""
    rows: dict[str, tuple[Model, Evaluation]] = {}
    summary: dict[str, Any] = {}
    for name, settings in SETTINGS.items():
        seconds = train_one(name, settings, out / name, seed, quick)
        model, held = Model.load(out / name), data_of(out / name, "test")
        evaluation = evaluate(model.generator, held, data_of(out / name), "quick", seed, perceptual=False)
        rows[name] = (model, evaluation)
        measured = evaluation.results.measured
        shown = ("coverage", "rare_recall", "precision", "total_variation", "code_sensitivity")
        summary[name] = {metric: measured[metric].value for metric in shown}
        summary[name] |= {"diversity": measured["diversity_pixel"].value, "seconds": seconds}
        say(f"{name}: {describe(evaluation)}, trained in {seconds:.0f} s")
    content = {"methods": summary, "protocol": rows["cimle"][1].results.to_dict()["protocol"], "seed": seed}
    write_text(out / "metrics.json", json.dumps(content, indent=2))
    write_report(out / "report.html", report(out, rows))
    say(f"look at {out / 'report.html'}")
    return content


def train_one(name: str, settings: dict[str, Any], folder: Path, seed: int, quick: bool) -> float:
    """Train unless it was done before; returns seconds of training."""
    timing = folder / "seconds.json"
    if timing.is_file():
        return float(json.loads(timing.read_text()))
    options = settings | ({"steps": QUICK_STEPS[name]} if quick else {})
    started = time.monotonic()
    train(name, DATA, folder, SIZE, seed=seed, resume=folder.exists(), run=Run(save_every=10**6), **options)
    seconds = time.monotonic() - started
    write_text(timing, json.dumps(seconds))
    return seconds


def describe(evaluation: Evaluation) -> str:
    measured = evaluation.results.measured
    return (
        f"reaches {measured['coverage'].value:.0%} of the combinations, {measured['rare_recall'].value:.0%} of the "
        f"rare ones; {measured['precision'].value:.0%} of its pictures are fully readable"
    )


def report(out: Path, rows: dict[str, tuple[Model, Evaluation]]) -> Report:
    """Methods side by side, then each of the diverse ones by itself."""
    held = data_of(out / "cimle", "test")
    sections = compare_sections({name: (model, one.results, one.counts) for name, (model, one) in rows.items()}, held)
    for name in ("cimle", "basisgan"):
        model, evaluation = rows[name]
        own = sections_of(model, held, evaluation.results, evaluation.counts, out / name)
        sections += [type(section)(f"{name}: {section.title}", section.text, section.items) for section in own]
    return Report("One street, many pictures", " ".join(LEAD.split()), sections)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
