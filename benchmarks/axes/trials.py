"""One randomness with one objective: trained for some processor seconds of one thread, and measured."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from contextlib import suppress
from pathlib import Path
from statistics import mean
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from variegate import train
from variegate.core.config import Schedule, Training
from variegate.core.errors import ConfigError, VariegateError, WeightsError
from variegate.core.images import to_float
from variegate.core.method import Method
from variegate.data import open_data
from variegate.data.streets.streets import draw_factors, paint, read
from variegate.evaluation.measuring.cost import drawing_costs
from variegate.evaluation.measuring.drawn import draw_samples
from variegate.evaluation.measuring.measure import measure
from variegate.evaluation.metrics.modes import modes
from variegate.model.model import Model
from variegate.objectives.multiple_choice import MultipleChoiceConfig
from variegate.runs.config import run_config
from variegate.runs.folder import RunFolder
from variegate.training.minutes import time_steps

from ..claims.runs import say
from ..claims.truth import QUICK, lpips_of, true_samples

DATA, SIZE, SECONDS = "streets:2000", 32, 60
SHOWN = (
    "coverage",
    "precision",
    "total_variation",
    "diversity_pixel",
    "averaging_gain",
    "spread_over_error",
    "energy_score",
)
GENERATOR: dict[str, Any] = {"kind": "crn", "widths": (32, 32, 24, 16)}
RATES = {"generator": 1e-3, "discriminator": 3e-4, "posterior": 1e-3, "discriminator2": 3e-4}
INSIDE = {"sites": ("level*",)}
RANDOMNESS: dict[str, dict[str, Any]] = {
    "latent": {"size": 8, **INSIDE},
    "noise_maps": {"channels": 8, **INSIDE},
    "noise_input": {"channels": 8},
    "adain": {"size": 8, "hidden": 32, **INSIDE},
    "basis_filters": {"bases": 5, "latent": 16, "hidden": 32, **INSIDE},
    "whole_filters": {"latent": 16, "hidden": 32, **INSIDE},
    "channel_dropout": INSIDE,
    "element_dropout": INSIDE,
    "heads": {"heads": 12},
}
GAME = {"width": 16, "layers": 2}
OBJECTIVES: dict[str, dict[str, Any]] = {
    "adversarial, L1": {"kind": "adversarial", "reconstruction": 10, **GAME},
    "adversarial, DSGAN": {
        "kind": "adversarial",
        "reconstruction": 10,
        "seeking": {"kind": "dsgan", "weight": 8, "judge_both": False},
        **GAME,
    },
    "cvae_gan": {"kind": "cvae_gan", "code_size": 8, "scales": 1, **GAME},
    "moment_reconstruction": {"kind": "moment_reconstruction", "proxy": False, "samples": 8, **GAME},
    "deviation_reward": {"kind": "deviation_reward", "samples": 4, "reconstruction": 10, **GAME},
    "multiple_choice": {
        "kind": "multiple_choice",
        "perceptual": "laplacian",
        "reduction": "mean",
        "count": 12,
    },
    "nearest_sample": {
        "kind": "nearest_sample",
        "perceptual": "laplacian",
        "candidates": 24,
        "chunk": 1024,
        "inner_steps": 16,
        "inner_batch": 8,
    },
}


def method(randomness: str, objective: str) -> Method:
    """One combination."""
    pool = {"batch_size": 32} if objective == "nearest_sample" else {"batch_size": 8}
    return Method(
        name=f"{randomness} x {objective}",
        paper="",
        summary="one randomness with one objective",
        condition="labels",
        generator=GENERATOR,
        randomness={"kind": randomness, **RANDOMNESS[randomness]},
        objective=OBJECTIVES[objective],
        training=Training(
            steps=1,
            learning_rate=RATES,
            betas=(0.5, 0.99),
            schedule=Schedule(kind="linear"),
            ema_decay=0.99,
            **pool,  # type: ignore[arg-type]
        ),
    )


def trial(randomness: str, objective: str, cache: Path, seconds: float) -> dict[str, Any]:
    """Train and measure one combination; its metrics, or why it was refused."""
    try:
        chosen = method(randomness, objective)
    except VariegateError as error:
        return {"refused": str(error)}
    folder = folder_of(chosen, cache, seconds)
    done = folder / "axes.json"
    if done.is_file():
        return dict(json.loads(done.read_text()))
    shutil.rmtree(folder, ignore_errors=True)
    settings = {"size": SIZE, "seed": 0, "quiet": True, "flip": False, "jitter": 1.0}
    try:
        steps = affordable(chosen, seconds, settings)
    except ConfigError as error:
        return {"refused": str(error)}
    began = time.process_time()
    train(chosen, DATA, folder, steps=steps, save_every=steps, **settings)
    spent, run = time.process_time() - began, RunFolder(folder)
    generator, held = Model.load(folder).generator, run.pairs("test")
    found = measure(generator, held, run.pairs(), "quick", 0, layouts=4, perceptual=False).results.measured
    row: dict[str, Any] = {name: found[name].value for name in SHOWN if name in found}
    row |= {"steps": steps, "seconds": spent}
    with suppress(WeightsError):  # then no row has it
        row["lpips"] = lpips_of(
            to_float(drawn)
            for drawn in draw_samples(generator, held, QUICK.inputs or len(held), QUICK.samples, 0, "both").samples
        )
    done.write_text(json.dumps(row))
    say(f"{chosen.name}: " + ", ".join(f"{name} {value:.3g}" for name, value in row.items()))
    return row


def affordable(chosen: Method, seconds: float, settings: dict[str, Any]) -> int:
    """Steps that so many seconds of processor time are enough for; those of a warm-up are timed apart."""
    pairs = run_config(chosen, DATA, steps=1, **settings).data.open()
    chosen.build_generator(pairs.shapes)

    def pace(steps: int) -> float:
        """Seconds of a step in the middle of so many."""
        found = time_steps(run_config(chosen, DATA, steps=steps, **settings), pairs, None)
        assert found is not None
        return found

    with patch("variegate.training.minutes.time.monotonic", time.process_time):  # whatever else runs here
        if not isinstance(chosen.objective, MultipleChoiceConfig):
            return max(1, int(seconds / pace(1000)))
        cheap = pace(2)  # a branch in turn, before all of them are compared
        early = min(chosen.objective.warm_up, int(seconds / cheap))
        return max(1, early + int((seconds - early * cheap) / pace(1000)))


def costs(randomness: str, objective: str, cache: Path, seconds: float) -> dict[str, float]:
    """Weights in millions and milliseconds of an image of a trained combination; nothing else should be running."""
    run = RunFolder(folder_of(method(randomness, objective), cache, seconds))
    found = drawing_costs(Model.load(run.path).generator, run.pairs("test"))
    return {
        "parameters": found["parameters"].value,
        "milliseconds_per_image": 1000 * found["seconds_per_image"].value,
    }


def folder_of(chosen: Method, cache: Path, seconds: float) -> Path:
    content = json.dumps([chosen.model_dump(mode="json"), DATA, SIZE, seconds], sort_keys=True)
    name = chosen.name.replace(" x ", "-").replace(", ", "-")
    return cache / f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"


def truth(layouts: int = 4, draws: int = 200) -> dict[str, float]:
    """Modes and LPIPS of streets that are painted anew by their odds: what a perfect model would score."""
    held, rng = open_data(DATA, SIZE).of_split("test"), np.random.default_rng(0)
    each = []
    for i in range(layouts):
        layout, raw = held.layout(i), held.raw(i)[0]
        assert layout is not None
        painted = [paint(raw, draw_factors(rng), int(rng.integers(2**31))) for _ in range(draws)]
        each.append(modes(read(to_float(torch.stack(painted)), layout)))
    found = {
        name: mean(float(getattr(one, name)) for one in each) for name in ("coverage", "precision", "total_variation")
    }
    with suppress(WeightsError):
        found["lpips"] = lpips_of(true_samples(held))
    return found
