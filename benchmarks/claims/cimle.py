"""Conditional IMLE's claims: streets at 32x32, whose times of day and paints have skewed probabilities; CamVid once.

Narrow networks, equal updates of equal batches, three seeds, a Laplacian pyramid as perceptual distance. Codes are
short vectors that pass through a small network and are tiled over the image; without a noise encoder, used directly.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from variegate.core.codes import path
from variegate.data.streets.factors import read
from variegate.data.streets.streets import CLASSES, moving_car, odds
from variegate.model.model import Model
from variegate.model.sequences import flicker
from variegate.runs.folder import RunFolder

from .runs import Claim, Settings, Trial, every, prepare, table, words

claim = partial(Claim, data="streets:2000 at 32x32", paper="Li, Zhang, Malik 2019")
CAMVID = str(Path(__file__).parents[3] / "shared" / "data" / "camvid")
POOLS, POOL, INNER, BATCH = 96, 64, 64, 8  # outer epochs, S, K, updates' batch: 6,144 updates
WIDTHS = [32, 24, 16, 12]
STREETS: dict[str, Any] = {
    "generator.widths": WIDTHS,
    "objective.perceptual": "laplacian",
    "learning_rate.generator": 2e-3,
    "schedule.kind": "linear",
}
NOISE = {"randomness.vector": 5, "randomness.channels": 12, "randomness.encoder": True, "randomness.hidden": 16}
PLAIN = {"randomness.vector": 12, "randomness.channels": 12, "randomness.mapping": 0, "randomness.encoder": False}
IMLE = {
    **STREETS,
    "objective.candidates": 64,
    "objective.chunk": 1024,
    "objective.match_scale": 2,
    "objective.inner_steps": INNER,
    "objective.inner_batch": BATCH,
    "batch_size": POOL,
    "ema_decay": 0.98,
    "restart.at": 0,  # at the published fraction, training this short would leave no time to recover from a restart
}
REBALANCED = {"rebalance": "both"}


def imle(name: str, **options: Any) -> Trial:
    return Trial(name, "cimle", {**IMLE, **options}, data="streets:2000", steps=POOLS, saves=6)


def crn(name: str, **options: Any) -> Trial:
    settings = {**STREETS, "batch_size": BATCH, "ema_decay": 0.99, **options}
    return Trial(name, "crn", settings, data="streets:2000", steps=POOLS * INNER)


FULL = imle("cimle", **NOISE, **REBALANCED)
UNBALANCED = imle("cimle without rebalancing", **NOISE)
UNENCODED = imle("cimle without noise encoder", **PLAIN, **REBALANCED)
CRN = crn("crn")
CRN_NOISE = crn("crn + noise", noise="input", **NOISE)
CRN_BALANCED = crn("crn + noise, rebalanced", noise="input", **NOISE, **REBALANCED)
GAN = {
    "width": 12,
    "blocks": 2,
    "noise": "input",
    "objective.perceptual": "laplacian",
    "objective.layers": 2,
    "learning_rate.generator": 4e-4,
    "learning_rate.discriminator": 4e-4,
    "ema_decay": 0.99,
    "flip": False,
    "batch_size": BATCH,
}
HD_BALANCED, HD = (
    Trial(f"pix2pixhd + noise{word}", "pix2pixhd", GAN | more, data="streets:2000", steps=1500)
    for word, more in ((", rebalanced", {"rebalance": "data"}), ("", {}))
)
OURS, OTHERS = (FULL, UNBALANCED, UNENCODED), (CRN, CRN_NOISE, CRN_BALANCED, HD, HD_BALANCED)


def claims(settings: Settings) -> list[Claim]:
    trials = [*OURS, *OTHERS]
    prepare(trials, settings)
    rows = {trial.name: trial.over_seeds(settings) for trial in trials}
    shown = ("coverage", "rare_recall", "precision", "lpips", "diversity_pixel", "code_sensitivity", "parameters")
    found = [
        coverage(rows),
        perceived_diversity(rows),
        rare_modes(rows),
        style_is_kept(settings),
        steady_sequences(settings),
        monotone_brightness(settings),
        no_image_left_out(settings),
        claim("table", "all of them in one table", None, "", table(rows, *shown)),
    ]
    return found + ([camvid(settings)] if Path(CAMVID).is_dir() else [])


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


def perceived_diversity(rows: Rows) -> Claim:
    values = {name: row["lpips"] for name, row in rows.items() if "lpips" in row}
    told = [f"{name} {words(values[name])}" for name in plain(rows) if name in values]
    return claim(
        "lpips",
        "LPIPS: the full model above that without rebalancing, above CRN and CRN + noise (means of seeds)",
        falls(values) if values else None,
        "LPIPS; " + "; ".join(told),
        values,
    )


def falls(values: dict[str, list[float]]) -> bool:
    """Return whether means fall from the full model to the one without rebalancing to both variants of CRN."""
    full, unbalanced, heads, noise = (mean(values[trial.name]) for trial in (FULL, UNBALANCED, CRN, CRN_NOISE))
    return full > unbalanced > max(heads, noise)


def plain(rows: Rows) -> list[str]:
    """Return the methods compared under their own names, excluding rebalanced variants."""
    return [name for name in rows if "rebalanced" not in name and "hd" not in name]


def rare_modes(rows: Rows) -> Claim:
    recall = {name: row["rare_recall"] for name, row in rows.items()}
    gain = mean(recall[FULL.name]) - mean(recall[UNBALANCED.name])
    others = [
        mean(recall[balanced.name]) - mean(recall[plain.name])
        for balanced, plain in ((CRN_BALANCED, CRN_NOISE), (HD_BALANCED, HD))
    ]
    return claim(
        "rare",
        "recall of rare modes rises with rebalancing of data and loss, and CRN + noise and pix2pixHD + noise gain less "
        "than half as much",
        gain > 0 and all(other < gain / 2 for other in others),
        "rare recall; " + "; ".join(f"{name} {words(values)}" for name, values in recall.items()),
        recall,
    )


@torch.no_grad()
def style_is_kept(settings: Settings, codes: int = 48, layouts: int = 8) -> Claim:
    """Measure agreement: over pairs of layouts with readable images of one code, the fraction with equal values."""
    found: dict[str, list[float]] = {"time": [], "paint": []}
    for seed in settings.seeds:
        folder = FULL.run(seed, settings)
        model, held = Model.load(folder), RunFolder(folder).pairs("held")
        drawn, factors = model.codes(codes), []
        for raw in (held.raw(i)[0] for i in range(layouts)):
            factors.append(read(model.decode(raw, drawn) * 2 - 1, raw).factors)
        for column, name in enumerate(found):
            found[name].append(agreement(torch.stack(factors)[..., column]))
    chance = {name: float((odds((name,)) ** 2).sum()) for name in found}
    return claim(
        "style",
        "the same code gives the same factors on different layouts (at least 90 % of pairs)",
        all(min(values) >= 0.9 for values in found.values()),
        "; ".join(f"{name} {words(values)}, by chance {chance[name]:.2f}" for name, values in found.items()),
        found | {f"{name}, by chance": [value] for name, value in chance.items()},
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


@torch.no_grad()
def monotone_brightness(settings: Settings, steps: int = 9, pairs: int = 8) -> Claim:
    """Measure the fractions of steps from a night to a day image whose sky gets brighter, or not visibly darker.

    Apart from weather, the sky's brightness depends only on the time; the image's also on paint, which the two codes
    may not share. Near both ends all steps look alike, and a change of less than 1 % of the range is not visible.
    """
    rows: dict[str, list[float]] = {"not darker": [], "brighter": [], "night to day": []}
    for seed in settings.seeds:
        folder = FULL.run(seed, settings)
        model, raw = Model.load(folder), RunFolder(folder).pairs("held").raw(0)[0]
        codes, sky = model.codes(128), raw[0] == CLASSES.index("sky")
        times = read(model.decode(raw, codes) * 2 - 1, raw).factors[:, 0]
        days, nights = ((times == value).nonzero().flatten()[:pairs].tolist() for value in (0, 2))
        moves = [
            model.decode(raw, path(codes[n], codes[d], steps, model.generator.prior))[..., sky].mean(dim=(1, 2)).diff()
            for n, d in zip(nights, days)
        ]
        for values, found in zip(rows.values(), brightening(moves)):
            values.append(found)
    kept, brighter, whole = rows.values()
    return claim(
        "brightness",
        "interpolation from a night to a day code grows brighter step by step (at least 95 % of steps are not darker "
        "by 1 % of the range, in the sky)",
        all(share >= 0.95 for share in kept),
        f"not darker {words(kept)}, brighter at all {words(brighter)}, from night to day by {words(whole)}"
        if all(share == share for share in kept)
        else "some model draws no day or no night",
        rows,
    )


def brightening(moves: list[Tensor]) -> tuple[float, float, float]:
    """Return the fractions of steps not darker by 1/100 and of steps brighter at all, and the mean total change."""
    if not moves:
        return float("nan"), float("nan"), float("nan")
    together = torch.stack(moves)
    shares = ((together > -0.01).float().mean(), (together > 0).float().mean())
    return float(shares[0]), float(shares[1]), float(together.sum(dim=1).mean())


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


def camvid(settings: Settings) -> Claim:
    seed = settings.seeds[0]
    found = REAL_SCENES.measure(seed, settings)
    note = ", ".join(f"{name} {value:.3g}" for name, value in found.items())
    return claim(
        "camvid", "real street scenes", None, note, {k: [v] for k, v in found.items()}, data="camvid at 96x128"
    )
