"""Conditional IMLE on other streets: LPIPS where rare looks are rarer, and brightness where every hour occurs.

On plain streets, the true images of a layout have an LPIPS of 0.136 at their own odds and 0.129 at equal odds: what
rebalancing changes cannot raise it. With the cubes of the odds it is 0.103, against the same 0.129.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor

from variegate.core.codes import path
from variegate.core.images import unit_to_uint8
from variegate.data.streets.factors import read
from variegate.data.streets.streets import CLASSES
from variegate.evaluation.doctor.diagnosis import use_of_branches
from variegate.evaluation.measuring.drawn import draw_samples
from variegate.evaluation.protocols import named_protocol
from variegate.model.model import Model
from variegate.runs.folder import RunFolder

from .cimle_trials import CRN, CRN_NOISE, FULL, UNBALANCED
from .runs import Claim, Settings, Trial, prepare, save_figure, words
from .truth import Odds, lpips_of, true_samples

PAPER = "Li, Zhang, Malik 2019"
PRESET = named_protocol("imle")
SKEWED = [replace(trial, data="streets:2000:skewed") for trial in (FULL, UNBALANCED, CRN, CRN_NOISE)]
HOURS = replace(FULL, data="streets:2000:hours")
claim = partial(Claim, paper=PAPER)


def perceived_diversity(settings: Settings) -> list[Claim]:
    prepare(SKEWED, settings, measure=False)
    values = {trial.name: [perceived(trial, seed, settings) for seed in settings.seeds] for trial in SKEWED}
    full, unbalanced, heads, noise = map(mean, values.values())
    truth = ", ".join(f"{value:.3g} at {name} odds" for name, value in lpips_of_real(settings).items())
    used = [by_use(seed, settings) for seed in settings.seeds]
    found = claim(
        "lpips",
        "LPIPS: the full model above that without rebalancing, above CRN and CRN + noise (means of seeds)",
        full > unbalanced > max(heads, noise),
        "LPIPS by the protocol cimle; "
        + "; ".join(f"{name} {words(found)}" for name, found in values.items())
        + f"; crn, heads drawn as often as they are nearest to a training image, {words(used)}; true images: {truth}",
        values | {"crn, heads by use": used},
        data="streets:2000:skewed at 32x32",
    )
    return [found]


def lpips_of_real(settings: Settings) -> dict[str, float]:
    held = RunFolder(SKEWED[0].run(settings.seeds[0], settings)).pairs("held")
    odds: dict[str, Odds] = {"its own": "skewed", "equal": "equal"}
    return {name: lpips_of(true_samples(held, PRESET.samples, which), PRESET) for name, which in odds.items()}


def perceived(trial: Trial, seed: int, settings: Settings) -> float:
    """Return the LPIPS of its samples by the paper's protocol; cached next to the run."""
    folder = trial.run(seed, settings)
    known = folder / "lpips.json"
    if not known.is_file():
        model, held = Model.load(folder), RunFolder(folder).pairs("held")
        drawn = draw_samples(model.generator, held, PRESET.inputs, PRESET.samples, 0, "both")
        known.write_text(json.dumps(lpips_of(drawn.conditions(), PRESET)))
    return float(json.loads(known.read_text()))


@torch.no_grad()
def by_use(seed: int, settings: Settings) -> float:
    """Return the LPIPS of CRN if its heads are drawn by their share of the training images, instead of equally often.

    A code draws every head equally often, whatever the odds of what it paints; conditional IMLE's codes follow them.
    """
    folder = SKEWED[2].run(seed, settings)
    known = folder / "lpips-by-use.json"
    if not known.is_file():
        model, held = Model.load(folder), RunFolder(folder).pairs("held")
        use = use_of_branches(model, RunFolder(folder).pairs()).float()
        codes, chance = model.fixed_codes(), torch.Generator().manual_seed(seed)
        groups = (
            model.decode(held.raw(i)[0], codes)[use.multinomial(PRESET.samples, True, generator=chance)] * 2 - 1
            for i in range(min(PRESET.inputs, len(held)))
        )
        known.write_text(json.dumps(lpips_of(groups, PRESET)))
    return float(json.loads(known.read_text()))


def through_the_hours(settings: Settings, steps: int = 9, pairs: int = 8) -> list[Claim]:
    """Measure steps from a night to a day image by the brightness of the sky.

    Apart from weather, the sky's brightness depends only on the time; the image's also on paint, which the two codes
    may not share. Near both ends all steps look alike, and a change of less than 1 % of the range is not visible.
    """
    prepare([HOURS, FULL], settings, measure=False)
    nights = [first_night(HOURS.run(seed, settings), steps) for seed in settings.seeds]
    if any(nights):
        save_figure(settings, "hours", [night for night in nights if night])
    found = {
        trial.data: [moves(trial.run(seed, settings), steps, pairs) for seed in settings.seeds]
        for trial in (HOURS, FULL)
    }
    rows = {data: [brightening(steps) for steps in seeds] for data, seeds in found.items()}
    names = ("not darker", "brighter", "night to day", "largest step")
    columns = {
        f"{data}: {name}": [row[i] for row in each] for data, each in rows.items() for i, name in enumerate(names)
    }
    kept, largest = (columns[f"{HOURS.data}: {name}"] for name in ("not darker", "largest step"))
    note = "; ".join(f"{name} {words(values)}" for name, values in columns.items())
    hours = partial(claim, data=f"{HOURS.data} at 32x32")
    return [
        hours(
            "brightness",
            "interpolation from a night to a day code grows brighter step by step (at least 95 % of steps are not "
            "darker by 1 % of the range, in the sky)",
            all(share >= 0.95 for share in kept),
            f"{note}. On plain streets, with three times of day, before: 0.85 not darker"
            if not any(map(math.isnan, kept))
            else "some model draws no day or no night",
            columns,
        ),
        hours(
            "smooth",
            "and smoothly: the largest of eight steps is at most half of the way",
            all(share <= 0.5 for share in largest),
            f"largest step over the whole: {words(largest)}; with three times of day "
            + words(columns[f"{FULL.data}: largest step"]),
            {"largest step": largest},
        ),
    ]


def moves(folder: Path, steps: int, pairs: int) -> list[Tensor]:
    """Return the changes of the sky's brightness, step by step, between pairs of a night and a day code."""
    sky = RunFolder(folder).pairs("held").raw(0)[0][0] == CLASSES.index("sky")
    return [images[..., sky].mean(dim=(1, 2)).diff() for images in mornings(folder, steps, pairs)]


def first_night(folder: Path, steps: int) -> list[Tensor]:
    """The images of the first pair, uint8; none if the model draws no day or no night."""
    return [image for images in mornings(folder, steps, 1) for image in unit_to_uint8(images)]


@torch.no_grad()
def mornings(folder: Path, steps: int, pairs: int) -> list[Tensor]:
    """Images (steps, 3, H, W) of the first held-out layout, from a night to a day code, for each pair of these."""
    model, raw = Model.load(folder), RunFolder(folder).pairs("held").raw(0)[0]
    codes = model.codes(128)
    times = read(model.decode(raw, codes) * 2 - 1, raw).factors[:, 0]
    days, nights = ((times == value).nonzero().flatten()[:pairs].tolist() for value in (0, 2))
    return [model.decode(raw, path(codes[n], codes[d], steps, model.generator.prior)) for n, d in zip(nights, days)]


def brightening(moves: list[Tensor]) -> tuple[float, float, float, float]:
    """Return the fractions of steps not darker by 1/100 and of steps brighter at all, and the mean total change.

    The last is the mean of the largest step over the total change.
    """
    if not moves:
        return (float("nan"),) * 4
    together = torch.stack(moves)
    whole = together.sum(dim=1)
    shares = ((together > -0.01).float().mean(), (together > 0).float().mean())
    return float(shares[0]), float(shares[1]), float(whole.mean()), float((together.amax(dim=1) / whole).mean())
