"""Quality against cost of generating filters whole, at several sizes, beside bases (BasisGAN, figure A.1)."""

from __future__ import annotations

from dataclasses import replace

from variegate.evaluation.pages.scatter import Scatter

from .basisgan import BASISGAN, FILTERGAN, SHOWN, claim
from .cost import cost
from .runs import Claim, Settings, prepare, save_scatter, table, words

DISTANCE = "frechet_squeezenet"
WHOLE = [
    replace(
        FILTERGAN,
        name=f"whole filters {size}+{size}",
        options=FILTERGAN.options | ({} if size == 64 else {"randomness.latent": size, "randomness.hidden": size}),
    )
    for size in (4, 16, 64)
]


def against_cost(settings: Settings) -> list[Claim]:
    """Report one seed; the figure has no numbers to hold this to."""
    trials = [*WHOLE, replace(BASISGAN, name="bases 64+64")]
    first = replace(settings, only=settings.only[:1])
    prepare(trials, first)
    rows = {trial.name: trial.over_seeds(first) | {k: [v] for k, v in cost(trial).items()} for trial in trials}
    known = {name: row for name, row in rows.items() if DISTANCE in row}  # needs the network's weights
    points = {name: (row["parameters"][0], row[DISTANCE][0]) for name, row in known.items()}
    axes = {"across": "million parameters, fewer is better", "up": "Fréchet distance, less is better"}
    save_scatter(settings, "cost", Scatter(points, **axes))
    shown = (DISTANCE, "lpips", "parameters", "step_seconds", "megabytes")
    told = "; ".join(
        f"{name}: " + ", ".join(words(row[metric]) for metric in shown if metric in row) for name, row in rows.items()
    )
    return [
        claim(
            "quality-cost",
            "whole filters at several sizes beside bases: Fréchet distance (not FID), LPIPS, million parameters, "
            "seconds and megabytes of a training step",
            None,
            f"one seed. {told}",
            table(rows, *SHOWN, *shown[2:], DISTANCE),
        )
    ]
