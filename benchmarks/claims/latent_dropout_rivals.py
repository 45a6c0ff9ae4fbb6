"""Table 1 of latent dropout codes on streets: the best of as many outputs beside pix2pix, BicycleGAN and PixelNN.

The paper compares normals estimated on 72 outputs of each method, the best and the mean of the ten best; no such
network is at hand, so here it is the RMSE of 20. All see 16,000 conditions, of which the rivals have one image each.
"""

from __future__ import annotations

import json
from functools import partial
from statistics import mean
from typing import Any

import torch

from variegate.evaluation.metrics.aggregate import TOP
from variegate.model.model import Model
from variegate.runs.folder import RunFolder

from .latent_dropout import INPUTS, MOST, TRIALS, accuracy, claim, drawn
from .runs import Claim, Settings, Trial, by_name, prepare, table, words

make = partial(Trial, data="streets:2000", steps=4000)
SHARED: dict[str, Any] = {"condition": "normals", "ema_decay": 0.99, "batch_size": 4, "flip": False, "jitter": 1.0}
NARROW = {**SHARED, "generator.width": 16, "objective.width": 16, "objective.layers": 2}
OURS = TRIALS["shared", MOST]
RIVALS = (
    make("pix2pix", "pix2pix", {**NARROW, "learning_rate.generator": 8e-4, "learning_rate.discriminator": 8e-4}),
    make(
        "bicyclegan",
        "bicyclegan",
        {**NARROW, **{f"learning_rate.{player}": 8e-4 for player in ("generator", "posterior")}}
        | {f"learning_rate.{player}": 8e-4 for player in ("discriminator", "discriminator2")},
    ),
    make(
        "pixelnn",
        "pixelnn",
        {
            **SHARED,
            "generator.backbone.widths": [32, 32, 96, 24],
            "generator.descriptor": "laplacian",
            "learning_rate.generator": 3e-4,
        },
    ),
)


SHOWN = ("rmse_best", f"rmse_top{TOP}", "rmse_mean", "ssim_best")


def rivals(settings: Settings) -> list[Claim]:
    trials = (OURS, *RIVALS)
    prepare(trials, settings, measure=False)
    rows = {trial.name: by_name([of_outputs(trial, seed, settings) for seed in settings.seeds]) for trial in trials}
    best = {name: mean(row["rmse_best"]) for name, row in rows.items()}
    others = [best[trial.name] for trial in RIVALS]
    return [
        claim(
            "rivals",
            f"of {MOST} outputs, the best of the shared network is nearer to the real image than that of pix2pix, "
            "BicycleGAN and PixelNN (RMSE, means of seeds)",
            best[OURS.name] < min(others),
            "RMSE of the best, mean of the ten best and of all, best SSIM: "
            + "; ".join(f"{name}: " + ", ".join(words(row[metric]) for metric in SHOWN) for name, row in rows.items()),
            table(rows, *SHOWN),
        )
    ]


@torch.no_grad()
def of_outputs(trial: Trial, seed: int, settings: Settings) -> dict[str, float]:
    """Return the accuracy of MOST outputs of held-out conditions; cached next to the run, if all SHOWN are there."""
    folder = trial.run(seed, settings)
    known = folder / "outputs.json"
    if not known.is_file() or not {*SHOWN} <= {*json.loads(known.read_text())}:
        model, held = Model.load(folder), RunFolder(folder).pairs("held")
        pairs = [held.raw(i) for i in range(4 if settings.quick else min(INPUTS, len(held)))]
        truth = torch.stack([image for _, image in pairs]).float() / 127.5 - 1
        codes = model.codes(MOST) if model.generator.fixed_codes is None else model.fixed_codes()
        known.write_text(json.dumps(accuracy(drawn(model, [raw for raw, _ in pairs], codes), truth, "")))
    values: dict[str, float] = json.loads(known.read_text())
    return values
