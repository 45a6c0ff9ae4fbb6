"""MR-GAN's claims: the ring, variance on streets at 32x32, and small photographs and streets with a hole at 64x64.

Narrow networks, equal steps, three seeds. "Ratio" is the variance of 16 samples over the variance that a Gaussian
predictor of the same seed predicts, both averaged over pixels, colours and 24 held-out conditions: 1 is ideal, 0 means
one image per condition.
"""

from __future__ import annotations

import json
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from variegate.demos.ring import ring
from variegate.model.model import Model
from variegate.runs.folder import RunFolder

from .runs import Claim, Settings, Trial, every, prepare, table, words

PAPER = "Lee, Ha, Kim 2019"
PHOTOS = str(Path(__file__).parents[3] / "shared" / "data" / "photos")
CONDITIONS, SAMPLES = 24, 16
NARROW: dict[str, Any] = {"generator.width": 16, "objective.width": 16, "ema_decay": 0.99, "flip": False}
RATES = {
    "learning_rate.generator": 4e-4,
    "learning_rate.discriminator": 4e-4,
}  # 4 times the published rates, since training is short
STREETS = {**NARROW, **RATES, "objective.layers": 2, "batch_size": 8, "objective.samples": 8}
STEPS = 1000

claim = partial(Claim, data="streets:2000 at 32x32", paper=PAPER)
make = partial(Trial, data="streets:2000", steps=STEPS)
PREDICTOR = {"generator.backbone.width": 16, "learning_rate.generator": 4e-4, "flip": False}
PREDICTORS = {
    family: make(f"{family} predictor", "moment-predictor", {**PREDICTOR, "family": family}, steps=600, saves=12)
    for family in ("gaussian", "laplace")
}


def variant(name: str, moments: int, family: str, proxy: bool, steps: int = STEPS, **more: Any) -> Trial:
    options = {**STREETS, "moments": moments, "family": family, "proxy": proxy, **more}
    return make(name, "mrgan", options, steps=steps, predictor=PREDICTORS[family] if proxy else None)


def dotted(**more: Any) -> dict[str, Any]:
    return {f"objective.{name}": value for name, value in more.items()}


KINDS = {"MR1": (1, False), "MR2": (2, False), "proxy MR1": (1, True), "proxy MR2": (2, True)}
VARIANTS = {
    f"{name} {family}": variant(f"{name} {family}", moments, family, proxy)
    for family in ("gaussian", "laplace")
    for name, (moments, proxy) in KINDS.items()
}
BASE = variant("GAN + L1 100", 1, "gaussian", False, **dotted(moments=0, reconstruction=100, samples=1, share=1.0))
ALONE = {
    name: variant(f"{name} without GAN", moments, "gaussian", proxy, 3 * STEPS, **dotted(adversarial=0))
    for name, (moments, proxy) in KINDS.items()
}
RECONSTRUCTION = (0, 10, 100)
RECONSTRUCTED = {
    weight: variant(f"proxy MR2 + L2 {weight}", 2, "gaussian", True, **dotted(reconstruction=weight, distance="l2"))
    if weight
    else VARIANTS["proxy MR2 gaussian"]
    for weight in RECONSTRUCTION
}
WEIGHTS = (1, 10, 100, 1000)
STABLE = WEIGHTS[1:]  # "tens to thousands" in the paper
WEIGHTED = {
    weight: VARIANTS["proxy MR2 gaussian"]
    if weight == 10
    else variant(f"proxy MR2, weight {weight}", 2, "gaussian", True, **dotted(first=weight, second=weight))
    for weight in WEIGHTS
}
FEW = {
    weight: variant(f"MR2, 3 samples, weight {weight}", 2, "gaussian", False, **dotted(first=weight, samples=3))
    for weight in (10, 100)
}
HEAVIER = {  # published for maps; for Cityscapes the weight is 1
    name: variant(f"{name} laplace, weight 10", moments, "laplace", True, **dotted(first=10, second=10))
    for name, (moments, proxy) in KINDS.items()
    if proxy
}


def pair(
    task: str, base: str, ours: str, data: str, shape: dict[str, Any], own: dict[str, Any], samples: int
) -> tuple[Trial, Trial]:
    """Build the baseline with noise and MR-GAN, at 64x64; the predictor sees 12,000 images."""
    on = partial(Trial, data=data, size=64)
    rate = {"learning_rate.generator": 1e-3}
    shared = {**NARROW, **rate, **own, **{f"generator.{name}": value for name, value in shape.items()}}
    moments = {"objective.samples": samples, "objective.share": 0.5}
    predictor = {**PREDICTOR, **rate, "batch_size": own["batch_size"], "task": task}
    predictor |= {f"generator.backbone.{name}": value for name, value in shape.items()}
    first = on(f"predictor, {task}", "moment-predictor", predictor, steps=12_000 // own["batch_size"], saves=6)
    return (
        on(f"{base} + noise", base, {**shared, "noise": "input"}, steps=1000),
        on(ours, ours, {**shared, **moments}, steps=1000, predictor=first),
    )


SUPERRES = {"learning_rate.discriminator": 4e-4, "batch_size": 8}
INPAINTING = {"learning_rate.discriminator": 1e-4, "batch_size": 16}
TASKS = {
    "superres": pair("superres", "srgan", "mrgan-superres", PHOTOS, {"blocks": 2}, SUPERRES, 6),
    # not photographs: with either method their holes stay grey for as long as we can train here
    "inpainting": pair("inpainting", "glcic", "mrgan-inpainting", "streets:600", {"width": 8}, INPAINTING, 4),
}


def claims(settings: Settings) -> list[Claim]:
    rings = [ring_of(seed, settings) for seed in settings.seeds]
    others = [*ALONE.values(), *RECONSTRUCTED.values(), *WEIGHTED.values(), *FEW.values(), *HEAVIER.values()]
    tasks = [task for task, (base, _) in TASKS.items() if base.data != PHOTOS or Path(PHOTOS).is_dir()]
    pairs = [trial for task in tasks for trial in TASKS[task]]
    first = [trial.predictor for trial in pairs if trial.predictor is not None]
    prepare([*PREDICTORS.values(), *first], settings, measure=False)
    prepare([*pairs, BASE, *VARIANTS.values()], settings)
    prepare(others, settings, measure=False)
    ratios = {
        trial.name: [ratio(trial, seed, settings) for seed in settings.seeds]
        for trial in [BASE, *VARIANTS.values(), *others]
    }
    found = [
        all_modes(rings),
        variance_is_kept(ratios),
        variance_without_gan(ratios),
        variance_and_reconstruction(ratios),
        stable_weights(ratios),
        *(more_diverse(task, settings) for task in tasks),
        in_one_table(ratios, settings),
    ]
    return found


def ring_of(seed: int, settings: Settings) -> dict[str, Any]:
    """Return the results of `variegate toy ring`, running it unless they are cached."""
    folder = settings.cache / f"ring-{seed}{'-quick' if settings.quick else ''}"
    if not (folder / "ring.json").is_file():
        ring(folder, seed, quick=settings.quick)
    found: dict[str, Any] = json.loads((folder / "ring.json").read_text())
    return found


@torch.no_grad()
def ratio(trial: Trial, seed: int, settings: Settings) -> float:
    """Return the variance of samples over that predicted by the Gaussian predictor of this seed; see above."""
    if trial.diverged(seed, settings):
        return float("nan")
    folder = trial.run(seed, settings)
    path = folder / "ratio.json"
    if not path.is_file():
        model = Model.load(folder)
        predictor, held = Model.load(PREDICTORS["gaussian"].run(seed, settings)), RunFolder(folder).pairs("held")
        raws = [held.raw(i)[0] for i in range(min(CONDITIONS, len(held)))]
        drawn = [model.decode(raw, model.codes(SAMPLES)).var(dim=0).mean() for raw in raws]
        expected = [predictor.moments(raw).deviation.square().mean() for raw in raws]
        path.write_text(json.dumps(float(torch.stack(drawn).mean() / torch.stack(expected).mean())))
    return float(json.loads(path.read_text()))


def all_modes(rings: list[dict[str, Any]]) -> Claim:
    names = list(rings[0]["variants"])
    modes = {name: [float(found["variants"][name]["modes"]) for found in rings] for name in names}
    plain = [name for name in names if "MR" not in name]
    holds = all(max(modes[name]) <= 2 for name in plain) and all(min(modes[n]) == 8 for n in names if n not in plain)
    told = ", ".join(f"{name}: {' '.join(f'{value:.0f}' for value in values)}" for name, values in modes.items())
    return Claim(
        "ring",
        "GAN and GAN + L2 cover at most 2 of the 8 modes of a ring, every MR and proxy MR variant all 8",
        holds,
        f"modes covered, one number a seed: {told}",
        modes,
        data="ring of 8 Gaussians",
        paper=PAPER,
    )


Ratios = dict[str, list[float]]


def within(values: list[float], low: float, high: float) -> bool:
    return all(low <= value <= high for value in values)


def told(rows: Ratios) -> str:
    return "; ".join(f"{name} {words(values)}" for name, values in rows.items())


def variance_is_kept(ratios: Ratios) -> Claim:
    heavier = [trial.name for trial in HEAVIER.values()]
    shown = {name: ratios[name] for name in (BASE.name, *VARIANTS, *heavier)}
    kept = {name: within(ratios[name], 0.5, 1.5) for name in VARIANTS}
    missing = [name for name, yes in kept.items() if not yes]
    note = f"ratio: {told(shown)}"
    return claim(
        "variance",
        "GAN + reconstruction drives the variance to nothing (ratio below 0.1); with (proxy) MR it is 0.5 to 1.5 times "
        "the predicted one",
        within(ratios[BASE.name], 0, 0.1) and not missing,
        note + (f". Outside for some seed: {', '.join(missing)}" if missing else ""),
        shown,
    )


def variance_without_gan(ratios: Ratios) -> Claim:
    shown = {trial.name: ratios[trial.name] for trial in ALONE.values()}
    lost = all(within(ratios[ALONE[name].name], 0, 0.1) for name in ("MR1", "proxy MR1"))
    kept = all(within(ratios[ALONE[name].name], 0.5, 1.5) for name in ("MR2", "proxy MR2"))
    return claim(
        "without-gan",
        "without the GAN term MR1 and proxy MR1 lose the variance (ratio below 0.1), MR2 and proxy MR2 keep it (0.5 to "
        "1.5)",
        lost and kept,
        f"ratio: {told(shown)}",
        shown,
    )


def variance_and_reconstruction(ratios: Ratios) -> Claim:
    shown = {f"L2 {weight}": ratios[trial.name] for weight, trial in RECONSTRUCTED.items()}
    means = [mean(values) for values in shown.values()]
    return claim(
        "reconstruction",
        "the variance of GAN + proxy MR2 + L2 falls as the weight of L2 rises from 0 to 100 (mean of seeds)",
        all(a > b for a, b in pairwise(means)),
        f"ratio: {told(shown)}",
        shown,
    )


def stable_weights(ratios: Ratios) -> Claim:
    proxy = {f"proxy MR2, weight {weight}": ratios[trial.name] for weight, trial in WEIGHTED.items()}
    direct = {trial.name: ratios[trial.name] for trial in FEW.values()}
    return claim(
        "stable",
        "proxy MR2 is stable over weights of 10 to 1000 (ratio 0.5 to 1.5); MR2 with 3 samples is not",
        all(within(ratios[WEIGHTED[weight].name], 0.5, 1.5) for weight in STABLE)
        and not all(within(values, 0.5, 1.5) for values in direct.values()),
        f"ratio: {told(proxy | direct)}",
        proxy | direct,
    )


@torch.no_grad()
def difference_when_small(folder: Path, items: int = 16) -> float:
    """Return the RMS difference between the low-resolution input and reduced samples, in units of [0, 1]."""
    model, held = Model.load(folder), RunFolder(folder).pairs("held")
    errors = []
    for raw in (held.raw(i)[0] for i in range(items)):
        drawn = model.decode(raw, model.codes(4))
        small = torch.nn.functional.interpolate(drawn, scale_factor=1 / 4, mode="bicubic", antialias=True)
        errors.append((small - raw[None, :, ::4, ::4] / 255).square().mean())
    return float(torch.stack(errors).mean().sqrt())


def more_diverse(task: str, settings: Settings) -> Claim:
    base, ours = TASKS[task]
    rows = {trial.name: trial.over_seeds(settings) for trial in (base, ours)}
    if task == "superres":
        for trial in (base, ours):
            found = [difference_when_small(trial.run(seed, settings)) for seed in settings.seeds]
            rows[trial.name]["difference_when_small"] = found
    shown = ("lpips", "diversity_pixel", "frechet_squeezenet", "difference_when_small")
    few, many = rows.values()
    near = mean(many["frechet_squeezenet"]) <= 1.2 * mean(few["frechet_squeezenet"])
    note = "; ".join(
        f"{metric}: " + ", ".join(f"{name} {words(row[metric])}" for name, row in rows.items())
        for metric in shown
        if metric in few
    )
    return claim(
        task,
        f"{task}: MR-GAN is far more diverse than the baseline with noise (5 times its LPIPS) at a Fréchet distance of "
        "at most 1.2 times its",
        every(many["lpips"], few["lpips"], 5) and near,
        note,
        table(rows, *shown),
        data=f"{Path(base.data).name} at 64x64",
    )


def in_one_table(ratios: Ratios, settings: Settings) -> Claim:
    trials: list[Trial] = [BASE, *VARIANTS.values()]
    rows = {trial.name: trial.over_seeds(settings) | {"ratio": ratios[trial.name]} for trial in trials}
    shown = ("ratio", "coverage", "rare_recall", "precision", "lpips", "code_sensitivity", "frechet_squeezenet")
    return claim("table", "the variants in one table", None, "frechet_squeezenet is not FID", table(rows, *shown))
