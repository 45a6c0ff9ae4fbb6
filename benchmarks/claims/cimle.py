"""Conditional IMLE's claims: streets at 32x32, whose times of day and paints have skewed probabilities; CamVid once.

Narrow networks, equal updates of equal batches, three seeds, a Laplacian pyramid as perceptual distance. Codes are
short vectors that pass through a small network and are tiled over the image; without a noise encoder, used directly.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor

from variegate.data.streets.factors import read
from variegate.data.streets.streets import FACTORS, moving_car, odds
from variegate.evaluation.measuring.streets import mode_results
from variegate.model.model import Model
from variegate.model.sequences import flicker
from variegate.runs.folder import RunFolder

from .cimle_trials import (
    CRN,
    CRN_NOISE,
    FULL,
    IMLE,
    NOISE,
    OTHERS,
    OURS,
    REBALANCED,
    REBALANCED_OTHERS,
    UNBALANCED,
    UNENCODED,
)
from .cimle_variants import perceived_diversity, through_the_hours
from .runs import BY_FACTOR, Claim, Parts, Settings, Trial, by_name, every, prepare, table, words

READABLE = ("precision", *BY_FACTOR)
claim = partial(Claim, data="streets:2000 at 32x32", paper="Li, Zhang, Malik 2019")
CAMVID = str(Path(__file__).parents[3] / "shared" / "data" / "camvid")


def on_streets(settings: Settings) -> list[Claim]:
    trials = [*OURS, *OTHERS]
    prepare(trials, settings)
    rows = {trial.name: trial.over_seeds(settings) for trial in trials}
    shown = ("coverage", "rare_recall", "precision", "lpips", "diversity_pixel", "code_sensitivity", "parameters")
    return [
        coverage(rows),
        rare_modes(rows),
        style_is_kept(settings),
        steady_sequences(settings),
        no_image_left_out(settings),
        claim("table", "all of them in one table", None, "", table(rows, *shown)),
        by_factor(trials, settings),
    ]


def by_factor(trials: Sequence[Trial], settings: Settings) -> Claim:
    """Precision of time and paint, which make the modes, and of each factor."""
    rows = {trial.name: by_name([precision(trial, seed, settings) for seed in settings.seeds]) for trial in trials}
    return claim("table-precision", "images in which a factor can be read", None, "", table(rows, *READABLE))


def precision(trial: Trial, seed: int, settings: Settings) -> dict[str, float]:
    """Return READABLE of one seed; those of a run that was measured before they were, are added to what is cached."""
    known = trial.measure(seed, settings)
    if not {*BY_FACTOR} <= {*known}:
        folder = trial.run(seed, settings)
        found = mode_results(Model.load(folder).generator, RunFolder(folder).pairs("held"), 0)[0]
        known |= {name: found[name].value for name in BY_FACTOR if name in found}
        (folder / "measured.json").write_text(json.dumps(known))
    return {name: known.get(name, math.nan) for name in READABLE}


Rows = dict[str, dict[str, list[float]]]


def coverage(rows: Rows) -> Claim:
    values = {name: row["coverage"] for name, row in rows.items()}
    encoder = mean(values[FULL.name]) > mean(values[UNENCODED.name])
    return claim(
        "coverage",
        "coverage: the full model above that without rebalancing, above CRN and CRN + noise; it covers more with its "
        "noise encoder (means of seeds)",
        falls(values) and encoder,
        "coverage; " + "; ".join(f"{name} {words(values[name])}" for name in plain(rows)),
        values,
    )


def falls(values: dict[str, list[float]]) -> bool:
    """Return whether means fall from the full model to the one without rebalancing to both variants of CRN."""
    full, unbalanced, heads, noise = (mean(values[trial.name]) for trial in (FULL, UNBALANCED, CRN, CRN_NOISE))
    return full > unbalanced > max(heads, noise)


def plain(rows: Rows) -> list[str]:
    """Return the methods compared under their own names, excluding rebalanced variants."""
    return [name for name in rows if "rebalanced" not in name and "gan" not in name and "hd" not in name]


def rare_modes(rows: Rows) -> Claim:
    recall = {name: row["rare_recall"] for name, row in rows.items()}
    gain = mean(recall[FULL.name]) - mean(recall[UNBALANCED.name])
    others = [mean(recall[with_.name]) - mean(recall[without.name]) for with_, without in REBALANCED_OTHERS]
    return claim(
        "rare",
        "recall of rare modes rises with rebalancing of data and loss, and CRN with nine heads or noise, pix2pixHD + "
        "noise and BicycleGAN gain less than half as much",
        gain > 0 and all(other < gain / 2 for other in others),
        "rare recall; " + "; ".join(f"{name} {words(values)}" for name, values in recall.items()),
        recall,
    )


@torch.no_grad()
def style_is_kept(settings: Settings, codes: int = 48, layouts: int = 8) -> Claim:
    """Measure agreement: over pairs of layouts with readable images of one code, the fraction with equal values."""
    found: dict[str, list[float]] = {"time": [], "paint": []}
    readable: dict[str, list[float]] = {factor.name: [] for factor in FACTORS}
    for seed in settings.seeds:
        folder = FULL.run(seed, settings)
        model, held = Model.load(folder), RunFolder(folder).pairs("held")
        drawn, factors = model.codes(codes), []
        for raw in (held.raw(i)[0] for i in range(layouts)):
            factors.append(read(model.decode(raw, drawn) * 2 - 1, raw).factors)
        for column, name in enumerate(found):
            found[name].append(agreement(torch.stack(factors)[..., column]))
        for column, factor in enumerate(FACTORS):
            readable[factor.name].append(float((torch.stack(factors)[..., column] >= 0).float().mean()))
    chance = {name: float((odds((name,)) ** 2).sum()) for name in found}
    return claim(
        "style",
        "the same code gives the same factors on different layouts (at least 90 % of pairs)",
        all(min(values) >= 0.9 for values in found.values()),
        "; ".join(f"{name} {words(values)}, by chance {chance[name]:.2f}" for name, values in found.items())
        + "; readable in "
        + ", ".join(f"{name} {words(values)}" for name, values in readable.items())
        + " of the images",
        {f"{name}, readable": values for name, values in readable.items()}
        | found
        | {f"{name}, by chance": [value] for name, value in chance.items()},
    )


def agreement(values: Tensor) -> float:
    """Return the agreement of values (layouts, codes), which are -1 where unreadable."""
    first, second = torch.triu_indices(len(values), len(values), 1)
    both = (values[first] >= 0) & (values[second] >= 0)
    return float((values[first] == values[second])[both].float().mean())


@torch.no_grad()
def steady_sequences(settings: Settings, frames: int = 16, codes: int = 8) -> Claim:
    """Measure flicker: whatever else changes while a car drives through the street."""
    rows: dict[str, list[float]] = {"one code": [], "fresh codes": [], "layouts": []}
    raws = list(moving_car((32, 32), frames))
    for seed in settings.seeds:
        model = Model.load(FULL.run(seed, settings))
        each = []
        for code in model.codes(codes):
            images = torch.cat([model.decode(raw, code[None]) for raw in raws])
            each.append([float(part.mean()) for part in flicker(model, raws, images)[:3]])
        for values, found in zip(rows.values(), torch.tensor(each).mean(dim=0).tolist()):
            values.append(found)
    one, fresh, layouts = rows.values()
    return claim(
        "sequence",
        "adjacent frames of a sequence with one code differ hardly more than layouts do (mean difference at most the "
        "share of pixels that change class), and less than a fifth as much as with fresh codes",
        all(a <= c for a, c in zip(one, layouts)) and every(fresh, one, 5),
        "; ".join(f"{name} {words(values)}" for name, values in rows.items()),
        rows,
    )


def no_image_left_out(settings: Settings) -> Claim:
    """Track the losses after matching, that is, distances of training images to the nearest of m samples.

    The best of 8 samples of held-out images is given as well; 8 is less than the 12 combinations of time and paint.
    """
    rows: dict[str, list[float]] = {"first tenth": [], "last tenth": [], "held out, first": [], "held out, last": []}
    for seed in settings.seeds:
        logged = [json.loads(line) for line in (FULL.run(seed, settings) / "metrics.jsonl").read_text().splitlines()]
        nearest = [row["generator/nearest"] for row in logged if "generator/nearest" in row]
        best = [row["val/best_of_8"] for row in logged if "val/best_of_8" in row]
        tenth = max(1, len(nearest) // 10)
        for values, found in zip(rows.values(), (mean(nearest[:tenth]), mean(nearest[-tenth:]), best[0], best[-1])):
            values.append(found)
    first, last = rows["first tenth"], rows["last tenth"]
    return claim(
        "nearest",
        "the mean distance of training images to the nearest of m samples falls during training (in every seed)",
        every(first, last),
        "; ".join(f"{name} {words(values)}" for name, values in rows.items()),
        rows,
    )


REAL = {
    **IMLE,
    **NOISE,
    **REBALANCED,
    "generator.widths": [64, 64, 48, 32, 24, 16],
    "generator.coarsest": 3,
    "objective.perceptual": "random",
    "learning_rate.generator": 1e-3,
    "objective.candidates": 10,
    "objective.chunk": 40,
    "objective.inner_steps": 20,
    "objective.inner_batch": 4,
    "batch_size": 32,
}
REAL_SCENES = Trial("cimle on camvid", "cimle", REAL, data=CAMVID, size=(96, 128), steps=100)


def camvid(settings: Settings) -> list[Claim]:
    if not Path(CAMVID).is_dir():
        return []
    seed = settings.seeds[0]
    found = REAL_SCENES.measure(seed, settings)
    note = ", ".join(f"{name} {value:.3g}" for name, value in found.items())
    values = {k: [v] for k, v in found.items()}
    return [claim("camvid", "real street scenes", None, note, values, data="camvid at 96x128")]


PARTS: Parts = {
    "streets": on_streets,
    "skewed": perceived_diversity,
    "hours": through_the_hours,
    "camvid": camvid,
}
