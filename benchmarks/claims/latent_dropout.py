"""Claims of latent dropout codes: streets from their surface normals, and faces from 68 landmarks, at 32x32.

Narrow networks, equal steps of equal batches, means over a Laplacian pyramid as the distance, and no weight decay,
which was tuned for sums. Errors and diversity are measured on held-out conditions. The rate of 3e-4 lets branches live
that die at 1e-3; faces are seen 16 times, since neighbours need long to matter. Three seeds, but one for 4 and 8
branches of streets, and one for the separate split of faces, which takes four times as long as the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from variegate.data.conditions.landmarks import points_of
from variegate.evaluation.doctor.diagnosis import use_of_branches
from variegate.evaluation.metrics.aggregate import TOP, aggregations, rank
from variegate.evaluation.metrics.fidelity import MEASURES, per_sample
from variegate.evaluation.metrics.landmark_error import landmark_error
from variegate.evaluation.metrics.plugged import Kind, Plugged, plug
from variegate.evaluation.metrics.spread import Levels, centre_distances, feature_spread
from variegate.evaluation.pages.scatter import Scatter
from variegate.model.model import Model
from variegate.networks.weights import folder as weights_folder
from variegate.runs.folder import RunFolder

from .runs import Claim, Settings, Trial, by_name, every, prepare, save_scatter, table, words

FACES = str(Path(__file__).parents[3] / "shared" / "data" / "faces_landmarks")
claim = partial(Claim, data="streets:2000 at 32x32, from normals", paper="He, Schiele, Fritz 2018")
INPUTS, NEW = 48, 4  # held-out conditions; new codes per trained code
BRANCHES = (4, 8, 20)
FACE_BRANCHES = 10
MOST = BRANCHES[-1]
STREETS: dict[str, Any] = {
    "condition": "normals",
    "generator.widths": [32, 32, 96, 24],
    "objective.perceptual": "laplacian",
    "objective.reduction": "mean",
    "objective.warm_up": 600,
    "learning_rate.generator": 3e-4,
    "weight_decay": 0.0,
    "ema_decay": 0.99,
    "batch_size": 4,
}
NAMES = {"shared": "shared early split", "separate": "separate early split", "late": "late split"}


def street(architecture: str, branches: int, **more: Any) -> Trial:
    options = {**STREETS, "architecture": architecture, "branches": branches, **more}
    word = ", single elements" if more else ""
    return Trial(f"{NAMES[architecture]}, {branches}{word}", "latent-dropout", options, data="streets:2000", steps=4000)


def face(architecture: str, threshold: float) -> Trial:
    options = {key: value for key, value in STREETS.items() if key != "condition"} | {
        "architecture": architecture,
        "task": "landmarks",
        "branches": FACE_BRANCHES,
        "generator.widths": [32, 32, 64, 24],
        "objective.warm_up": 300,
        "batch_size": 8,
        "neighbours.threshold": threshold,
    }
    if threshold:
        options["objective.neighbours_from"] = 300  # the preset's 4,000 exceeds the total number of steps here
    word = "with neighbours" if threshold else "alone"
    return Trial(f"faces, {NAMES[architecture]}, {word}", "latent-dropout", options, data=FACES, steps=16 * 2000 // 8)


FACES_DATA = "faces with 68 landmarks at 32x32"
THRESHOLD = 300.0  # as published: summed over 136 coordinates of an image 128 pixels high
TRIALS = {(name, n): street(name, n) for name in NAMES for n in BRANCHES}
ELEMENTS = street("shared", MOST, dropout="element")
QUICK = ("shared", "late")
ALONE, BESIDE = ({name: face(name, threshold) for name in NAMES} for threshold in (0.0, THRESHOLD))


Rows = dict[str, dict[str, list[float]]]
LANDMARKS = ("landmark_error_best", "landmark_error_mean")  # summed over 68 points; the detector is not the paper's
SHOWN = ("rmse_best", "rmse_mean", "ssim_best", "centre_mean", "diversity_score", "least_used", "parameters")


def on_streets(settings: Settings) -> list[Claim]:
    most = [trial for (_, n), trial in TRIALS.items() if n == MOST]
    fewer = [trial for (_, n), trial in TRIALS.items() if n < MOST]
    rows = trained(fewer, one_seed(settings)) | trained((*most, ELEMENTS), settings)
    draw_scatter(rows, (*TRIALS.values(), ELEMENTS), "scatter", settings)
    return [
        more_branches(rows),
        architectures(rows),
        early_split(rows),
        channels(rows),
        alive(rows, TRIALS.values()),
        claim("table", "all of them in one table", None, "", table(rows, *SHOWN)),
    ]


def on_faces(settings: Settings) -> list[Claim]:
    if not Path(FACES).is_dir():
        return []
    separate, others = [ALONE["separate"], BESIDE["separate"]], [one[a] for one in (ALONE, BESIDE) for a in QUICK]
    rows = trained(others, settings) | trained(separate, one_seed(settings))
    draw_scatter(rows, (*ALONE.values(), *BESIDE.values()), "scatter-faces", settings)
    shown = (*SHOWN, *LANDMARKS)
    return [
        new_codes(rows[ALONE["shared"].name], FACE_BRANCHES),
        neighbours(rows),
        alive(rows, ALONE.values(), "alive-faces", data=FACES_DATA),
        claim("table-faces", "all of them in one table", None, "", table(rows, *shown), data=FACES_DATA),
    ]


def one_seed(settings: Settings) -> Settings:
    return replace(settings, only=settings.only[:1])


def trained(trials: Sequence[Trial], settings: Settings) -> Rows:
    prepare(trials, settings, measure=False)
    return {trial.name: over_seeds(trial, settings) for trial in trials}


def over_seeds(trial: Trial, settings: Settings) -> dict[str, list[float]]:
    return by_name([measured(trial, seed, settings) for seed in settings.seeds])


def measured(trial: Trial, seed: int, settings: Settings) -> dict[str, float]:
    """Return the metrics of one seed, cached next to the run: for the trained codes and for new ones."""
    folder = trial.run(seed, settings)
    path = folder / "latent.json"
    of_faces = trial.data == FACES
    if path.is_file():
        kept: dict[str, float] = json.loads(path.read_text())
        if of_faces and LANDMARKS[0] not in kept and (found := with_landmarks(folder, settings)):
            kept |= found
            path.write_text(json.dumps(kept))
        return kept
    model, held = Model.load(folder), RunFolder(folder).pairs("held")
    codes = model.fixed_codes()
    count = 4 if settings.quick else min(INPUTS, len(held))
    pairs = [held.raw(i) for i in range(count)]
    truth = torch.stack([image for _, image in pairs]).float() / 127.5 - 1
    trained = drawn(model, [raw for raw, _ in pairs], codes)
    found = accuracy(trained, truth, "") | diversity(trained, identity() if of_faces else None)
    found |= with_landmarks(folder, settings) if of_faces else {}
    if trial.options["architecture"] == "shared":
        fresh = drawn(model, [raw for raw, _ in pairs], model.codes(NEW * len(codes)))
        found |= with_new_codes(trained, fresh, truth)
    use = use_of_branches(model, RunFolder(folder).pairs()).float()
    found["least_used"], found["dead"] = float(use.min() / use.sum()), float((use == 0).sum())
    found["parameters"] = sum(p.numel() for p in model.generator.parameters()) / 1e6
    path.write_text(json.dumps(found))
    return found


def drawn(model: Model, raws: Sequence[Tensor], codes: Tensor) -> Tensor:
    """Generate images (conditions, n, 3, H, W) in [-1, 1]."""
    return torch.stack([model.decode(raw, codes) for raw in raws]) * 2 - 1


def accuracy(images: Tensor, truth: Tensor, suffix: str) -> dict[str, float]:
    errors = per_sample(images, truth, MEASURES["rmse"])
    alike = per_sample(images, truth, MEASURES["ssim"])
    found = {
        f"rmse_best{suffix}": float(errors.amin(dim=1).mean()),
        f"rmse_mean{suffix}": float(errors.mean()),
        f"ssim_best{suffix}": float(alike.amax(dim=1).mean()),
        f"ssim_mean{suffix}": float(alike.mean()),
    }
    if images.shape[1] > TOP:
        weights = aggregations(images.shape[1])[f"top{TOP}"].weights
        for name, values in (("rmse", errors), ("ssim", alike)):
            ordered = values.double().gather(-1, rank(values, MEASURES[name].better))
            found[f"{name}_top{TOP}{suffix}"] = float((ordered @ weights).mean())
    return found


def identity() -> Plugged | None:
    """Return the network that embeds faces, if it is at hand."""
    return at_hand("mobilefacenet_128d.onnx", "embedding")


def at_hand(name: str, kind: Kind) -> Plugged | None:
    folder = weights_folder()
    file = folder and folder / name
    return plug(file, kind) if file and file.is_file() else None


def with_landmarks(folder: Path, settings: Settings) -> dict[str, float]:
    """Return LANDMARKS of the trained codes' images, in image widths over the points; nothing without a detector."""
    detector = at_hand("pfld_68landmarks.onnx", "detector")
    if detector is None:
        return {}
    model, held = Model.load(folder), RunFolder(folder).pairs("held")
    codes, raws = model.fixed_codes(), [held.raw(i)[0] for i in range(4 if settings.quick else min(INPUTS, len(held)))]
    found = landmark_error(((model.decode(raw, codes) * 2 - 1, points_of(raw)) for raw in raws), detector)
    return {name: found[name].value for name in LANDMARKS}


def diversity(images: Tensor, embedding: Plugged | None) -> dict[str, float]:
    """Return distances to the centre, and deviations of SqueezeNet's activations and of embeddings of faces."""
    found = {**centre_distances(images), **feature_spread(images, Levels("squeeze"), embedding)}
    return {name: value.value for name, value in found.items()}


def with_new_codes(trained: Tensor, fresh: Tensor, truth: Tensor) -> dict[str, float]:
    """Return the best errors of the trained codes with increasing numbers of new ones, and the new ones' mean error."""
    errors = per_sample(torch.cat([trained, fresh], dim=1), truth, MEASURES["rmse"])
    n = trained.shape[1]
    best = {f"rmse_best_with_{k}": float(errors[:, : n + k].amin(dim=1).mean()) for k in (n, 2 * n, NEW * n)}
    return best | {"rmse_mean_new": float(errors[:, n:].mean())}


def more_branches(rows: Rows) -> Claim:
    found = {f"{NAMES[a]}, {n}": rows[TRIALS[a, n].name]["rmse_best"] for a in NAMES for n in BRANCHES}
    falls = [
        mean(found[f"{NAMES[a]}, {m}"]) > mean(found[f"{NAMES[a]}, {n}"]) for a in NAMES for m, n in pairwise(BRANCHES)
    ]
    return claim(
        "branches",
        "the best of n outputs comes nearer to the image with n, for all three architectures (RMSE, means of seeds)",
        all(falls),
        "; ".join(f"{name}: {words(values)}" for name, values in found.items()),
        found,
    )


def architectures(rows: Rows) -> Claim:
    own = {a: rows[TRIALS[a, MOST].name] for a in NAMES}
    smaller = own["shared"]["parameters"][0] < own["separate"]["parameters"][0] / 2
    best = all(every(own[a]["rmse_best"], own["shared"]["rmse_best"]) for a in ("separate", "late"))
    return claim(
        "architectures",
        f"of {MOST} branches the shared split has the lowest best error in every seed, and less than half of the "
        "parameters of separate",
        best and smaller,
        "; ".join(
            f"{NAMES[a]}: {words(row['rmse_best'])}, {row['parameters'][0]:.2f} M parameters" for a, row in own.items()
        ),
        {f"{NAMES[a]}: {metric}": row[metric] for a, row in own.items() for metric in ("rmse_best", "parameters")},
    )


def new_codes(row: dict[str, list[float]], n: int) -> Claim:
    names = ["rmse_best", *(f"rmse_best_with_{k}" for k in (n, 2 * n, NEW * n))]
    falls = all(every(row[a], row[b]) for a, b in pairwise(names))
    kept = all(new <= 1.02 * old for new, old in zip(row["rmse_mean_new"], row["rmse_mean"]))
    return claim(
        "new-codes",
        f"codes that were never trained lower the best error of {n} further, and their mean error is no worse (2 % at "
        "most)",
        falls and kept,
        "; ".join(f"{name} {words(row[name])}" for name in (*names, "rmse_mean", "rmse_mean_new")),
        {name: row[name] for name in (*names, "rmse_mean", "rmse_mean_new")},
        data=FACES_DATA,
    )


CENTRE = ("centre_max", "centre_mean")
SCORES = (*CENTRE, "diversity_score")
OF_FACES = ("std_identity", "diversity_score")


def higher(rows: Rows, more: Trial, less: Trial, scores: Sequence[str]) -> bool:
    """Return whether each of these scores has a higher mean over seeds."""
    return all(mean(rows[more.name][score]) > mean(rows[less.name][score]) for score in scores)


def told(rows: Rows, trials: Sequence[Trial], scores: Sequence[str] = SCORES) -> str:
    return "; ".join(f"{t.name}: " + ", ".join(words(rows[t.name][score]) for score in scores) for t in trials)


def early_split(rows: Rows) -> Claim:
    shared, separate, late = (TRIALS[a, MOST] for a in NAMES)
    return claim(
        "early-split",
        "both early splits are more diverse than the late one (largest and mean distance to the centre, means of "
        "seeds)",
        higher(rows, shared, late, CENTRE) and higher(rows, separate, late, CENTRE),
        told(rows, (shared, separate, late)),
        table({t.name: rows[t.name] for t in (shared, separate, late)}, *SCORES),
    )


def channels(rows: Rows) -> Claim:
    whole = TRIALS["shared", MOST]
    return claim(
        "channels",
        "dropping whole channels is more diverse than dropping single elements (every score)",
        higher(rows, whole, ELEMENTS, SCORES),
        told(rows, (whole, ELEMENTS)),
        table({t.name: rows[t.name] for t in (whole, ELEMENTS)}, *SCORES),
    )


def neighbours(rows: Rows) -> Claim:
    pairs = [(ALONE[a], BESIDE[a]) for a in NAMES]
    scores = [score for score in OF_FACES if score in rows[pairs[0][0].name]]
    cost = {a: mean(rows[ALONE[a].name]["ssim_best"]) - mean(rows[BESIDE[a].name]["ssim_best"]) for a in NAMES}
    return claim(
        "neighbours",
        "neighbours raise the deviations of identity and of features of all three architectures (means of seeds), at a "
        "cost in SSIM of at most 0.05",
        all(higher(rows, beside, alone, scores) for alone, beside in pairs)
        and all(value <= 0.05 for value in cost.values()),
        f"{', '.join(scores)}: "
        + told(rows, [trial for pair in pairs for trial in pair], scores)
        + "; cost in SSIM "
        + ", ".join(f"{NAMES[a]} {value:.3f}" for a, value in cost.items()),
        table(
            {t.name: rows[t.name] for pair in pairs for t in pair}, *SCORES, "std_identity", "ssim_best", "rmse_best"
        ),
        data=FACES_DATA,
    )


def alive(rows: Rows, trials: Iterable[Trial], id: str = "alive", **of: Any) -> Claim:
    dead = {trial.name: rows[trial.name]["dead"] for trial in trials}
    return claim(
        id,
        "no branch dies: each is the nearest to some training image, in every architecture and seed",
        not any(any(values) for values in dead.values()),
        "dead branches; " + "; ".join(f"{name}: {words(values)}" for name, values in dead.items()),
        dead,
        **of,
    )


def draw_scatter(rows: Rows, trials: Iterable[Trial], name: str, settings: Settings) -> None:
    """Write diversity against accuracy to the cache."""
    own = {trial.name: rows[trial.name] for trial in trials}
    points = {name: (mean(row["diversity_score"]), mean(row["rmse_best"])) for name, row in own.items()}
    axes = {"across": "diversity score, more is better", "up": "RMSE of the best output, less is better"}
    save_scatter(settings, name, Scatter(points, **axes))
