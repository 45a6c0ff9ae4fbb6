"""One randomness with one objective: trained for some processor seconds of one thread, and measured."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from pathlib import Path
from statistics import mean
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from variegate import train
from variegate.core.config import Schedule, Training
from variegate.core.errors import ConfigError, VariegateError
from variegate.core.images import to_float
from variegate.core.method import Method
from variegate.data import open_data
from variegate.data.streets.streets import draw_factors, paint, read
from variegate.evaluation.measuring.measure import measure
from variegate.evaluation.metrics.modes import modes
from variegate.model.model import Model
from variegate.runs.config import run_config
from variegate.runs.folder import RunFolder
from variegate.training.minutes import time_steps

from ..claims.runs import say

DATA, SIZE, SECONDS = "streets:2000", 16, 40
SHOWN = (
    "coverage",
    "precision",
    "total_variation",
    "diversity_pixel",
    "averaging_gain",
    "spread_over_error",
    "energy_score",
)
GENERATOR: dict[str, Any] = {"kind": "crn", "widths": (32, 24, 16)}
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
    "multiple_choice": {"kind": "multiple_choice", "perceptual": "laplacian", "reduction": "mean", "count": 12},
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
    content = json.dumps([chosen.model_dump(mode="json"), DATA, SIZE, seconds], sort_keys=True)
    folder = cache / f"{randomness}-{objective.replace(', ', '-')}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"
    done = folder / "axes.json"
    if done.is_file():
        return dict(json.loads(done.read_text()))
    shutil.rmtree(folder, ignore_errors=True)
    settings = {"size": SIZE, "seed": 0, "quiet": True, "flip": False, "jitter": 1.0}
    try:
        config = run_config(chosen, DATA, **settings)
        pairs = config.data.open()
        chosen.build_generator(pairs.shapes)
        with patch("variegate.training.minutes.time.monotonic", time.process_time):  # whatever else runs here
            pace = time_steps(config, pairs, None)
        assert pace is not None
    except ConfigError as error:
        return {"refused": str(error)}
    steps = max(1, int(seconds / pace))
    began = time.process_time()
    train(chosen, DATA, folder, steps=steps, save_every=steps, **settings)
    spent, run = time.process_time() - began, RunFolder(folder)
    generator, held = Model.load(folder).generator, run.pairs("test")
    found = measure(generator, held, run.pairs(), "quick", 0, layouts=4, perceptual=False, costs=True).results.measured
    row: dict[str, Any] = {name: found[name].value for name in SHOWN if name in found}
    row |= {"steps": steps, "seconds": spent, "parameters": found["parameters"].value}
    row["milliseconds_per_image"] = 1000 * found["seconds_per_image"].value
    done.write_text(json.dumps(row))
    say(f"{chosen.name}: " + ", ".join(f"{name} {value:.3g}" for name, value in row.items()))
    return row


def truth(layouts: int = 4, draws: int = 200) -> dict[str, float]:
    """Modes of streets that are painted anew by their odds: the most that these numbers can be."""
    held, rng = open_data(DATA, SIZE).of_split("test"), np.random.default_rng(0)
    each = []
    for i in range(layouts):
        layout, raw = held.layout(i), held.raw(i)[0]
        assert layout is not None
        painted = [paint(raw, draw_factors(rng), int(rng.integers(2**31))) for _ in range(draws)]
        each.append(modes(read(to_float(torch.stack(painted)), layout)))
    return {
        name: mean(float(getattr(one, name)) for one in each) for name in ("coverage", "precision", "total_variation")
    }
