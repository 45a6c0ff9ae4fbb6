"""Is a run healthy? Reads its log and model, and answers in sentences."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...core.capabilities import HasMoments
from ...core.config import Training
from ...core.errors import DataError, VariegateError
from ...core.images import to_float, to_unit, uint8_to_unit
from ...data.conditions import Condition, ImageCondition, condition_from_mapping
from ...data.dataset.pairs import Pairs
from ...data.dataset.sampling import sample_pair, sample_raw
from ...losses.moments import optimal_variance
from ...model.model import Model
from ...objectives.moment_reconstruction import MomentReconstructionConfig
from ...runs.folder import RunFolder
from ...runs.health import IGNORED, branch_use, code_sensitivity, mean_distance, verdict
from ...runs.saved_model import ModelRecord
from ..measuring.measure import conditions_differ
from ..metrics.calibration import calibration
from ..metrics.condition_use import condition_use
from ..metrics.fidelity import pixels_of
from . import signs

NO_CODE = "The method has no code: it generates one image per condition, by design."
MOST_INITIAL = 0.1  # maximum share of the initial weights in the saved EMA
LEAST_CONTRAST = 0.4  # minimum, relative to real images
LEAST_VARIANCE = 0.5  # minimum of the variance that a loss of moments asks for, relative to the predicted one
PANEL = 4  # held-out conditions to sample
ERRORS = {"val/bits_per_dim": "bits per dimension of held-out images", "val/error": "error on held-out pairs"}
HELD_OUT = {**ERRORS, "val/best_of_8": "best-of-8 error"}
RISEN = 1.05  # a factor beyond which an error is no chance
SMOOTHED = 5  # log lines that are averaged


def diagnose(run: str | Path) -> tuple[bool, list[str]]:
    """(healthy, sentences) about one run directory."""
    folder = RunFolder(run)
    wanted = folder.config.method.training.steps
    lines, healthy = [], True
    steps = folder.checkpoints.steps()
    done = steps[-1] if steps else 0
    waited, patience = folder.checkpoints.waited(), folder.config.method.training.patience
    if patience and waited >= patience * folder.config.run.intervals(wanted).save:
        lines.append(f"Training ended at step {done}: the validation score had not improved for {waited} steps.")
    elif done < wanted:
        lines.append(f"Training stopped at step {done} of {wanted}; repeat the command with --resume to continue.")
    else:
        lines.append(f"Training finished at step {done}.")
    log, training = folder.log(), folder.config.method.training
    heart = by_heart(log, training, holes_vary(condition_from_mapping(folder.record.condition)))
    lines += progress(log) if heart is None else [heart]
    healthy &= heart is None or training.keep == "best"
    try:
        model = Model.load(folder.path)
    except VariegateError as error:
        return False, [*lines, f"The model cannot be used: {error}"]
    lines.append("The model loads, and all its weights are finite.")
    findings = [weights_forget(model.record, folder.config.method.training.ema_decay)]
    findings.append(signs.discriminator_won(log))
    for of_predictor in (moments_allow_variance, predictor_fitted):
        with suppress(VariegateError):  # a predictor that cannot be used says nothing about this run
            findings.append(of_predictor(folder))
    try:
        findings += looks(model, folder)
    except DataError as error:
        lines.append(f"Its samples could not be checked: {error}")
    for found in findings:
        if found is not None:
            healthy &= found[0]
            lines.append(found[1])
    with suppress(DataError):  # already reported above
        lines += branches(model, folder.pairs())
    return healthy, lines


def weights_forget(record: ModelRecord, decay: float) -> tuple[bool, str] | None:
    """(forgotten, sentence) about the share of the initial weights in the saved EMA; None if it is small."""
    share = record.initial_share if record.initial_share is not None else decay**record.step
    if share <= MOST_INITIAL:
        return None
    return False, (
        f"The saved weights are a moving average that still contains {share:.0%} of the initial weights; train longer."
    )


def moments_allow_variance(folder: RunFolder) -> tuple[bool, str] | None:
    """(enough, sentence): whether MR-GAN's loss, which has a predictor, is smallest where samples differ.

    Raises:
        DataError: the data are no longer where they were.
    """
    objective, place = folder.config.method.objective, folder.predictor
    if not isinstance(objective, MomentReconstructionConfig) or place is None:
        return None
    if (objective.family, objective.moments) != ("gaussian", 2) or objective.unbiased or not objective.second:
        return None
    predictor, held = Model.load(place), folder.pairs("held")
    raw = torch.stack([held.raw(i)[0] for i in range(min(PANEL, len(held)))])
    assert isinstance(predictor.generator, HasMoments)
    with torch.no_grad():
        predicted = predictor.generator.deviation(held.condition.encode(raw)).square()
    if (hole := held.condition.hole(raw)) is not None:
        predicted = predicted[hole.expand_as(predicted)]
    best = optimal_variance(predicted, objective.samples, objective.first, objective.second)
    if not predicted.any():
        return None
    share = float(best.mean() / predicted.mean())
    told = f"Its moment terms are smallest where samples have {share:.0%} of the predicted variance"
    if share < LEAST_VARIANCE:
        return False, f"{told}; raise --objective.samples, or give --objective.unbiased true."
    return True, f"{told}."


def looks(model: Model, folder: RunFolder) -> list[tuple[bool, str] | None]:
    """Check samples of held-out conditions; where only holes are to be filled, their pixels.

    Raises:
        DataError: the data are no longer where they were.
    """
    held = folder.pairs("held")
    if len(held) < 2:
        few = "One held-out pair cannot tell whether the code is used; hold out more."
        return [contrast(model, held), (True, few)]
    if model.generator.code_size == 0:
        return [contrast(model, held), (True, NO_CODE), condition_use(model, held)]
    raws, truths = map(torch.stack, zip(*(held.raw(i) for i in range(min(PANEL, len(held))))))
    drawn, hole = sample_raw(model.generator, held.condition, raws, model.codes(PANEL)), held.condition.hole(raws)
    found = [contrast(model, held), code_use(model, held, drawn, hole), condition_use(model, held)]
    found += [signs.few_modes(model, held), signs.copies(model, held, folder.pairs("train"))]
    found.append(signs.batch_statistics(model, held, folder.config.method.training.batch_size))
    if held.unpaired:
        return found
    pairs = zip(drawn.split(1), to_float(truths).split(1))
    return [*found, signs.spread(calibration(pairs, map(held.hole, range(len(drawn)))))]


def predictor_fitted(folder: RunFolder) -> tuple[bool, str] | None:
    """Whether the run's predictor of moments is over-fitted; see `signs.predictor_fitted`."""
    if folder.predictor is None:
        return None
    return signs.predictor_fitted(Model.load(folder.predictor), folder.pairs("train"), folder.pairs("held"))


def contrast(model: Model, held: Pairs) -> tuple[bool, str]:
    """(enough, sentence): the standard deviation of the pixels of samples, compared with real images."""
    first = range(min(PANEL, len(held)))
    codes = model.generator.draw([(0, i) for i in range(2)])
    drawn = [pixels_of(to_unit(sample_pair(model.generator, held, i, codes)), held.hole(i)).flatten() for i in first]
    real = [pixels_of(uint8_to_unit(held.raw(i)[1])[None], held.hole(i)).flatten() for i in first]
    own, wanted = float(torch.cat(drawn).std()), float(torch.cat(real).std())
    where = "" if held.hole(0) is None else " in the hole"
    told = f"the standard deviation of their pixels{where} is {own:.3f}, that of real images {wanted:.3f}"
    if own < LEAST_CONTRAST * wanted:
        return False, f"Samples are nearly uniform: {told}. Train longer."
    return True, f"Samples have contrast: {told}."


def code_use(model: Model, held: Pairs, drawn: Tensor, hole: Tensor | None) -> tuple[bool, str]:
    """(used, sentence): whether the code changes the image, by samples (B, S, C, H, W) of the first conditions."""
    if model.condition.channels == 0:
        share = variety(model, held)
        if share < IGNORED:
            return False, f"The code is ignored: samples differ {share:.1%} as much as held-out images. Train longer."
        return (
            True,
            f"The code is used: there is no condition, and samples differ {share:.0%} as much as real images.",
        )
    if not conditions_differ(held):
        return True, "Held-out conditions are all the same, so it is unknown whether the code is used."
    value = code_sensitivity(drawn, hole)
    if math.isnan(value):
        return False, "Conditions are ignored: one code gives the same image for all of them. Train longer."
    warning = verdict(value, model.generator.code_size)
    if warning:
        return False, warning[0].upper() + warning[1:]
    much = f"{value:.0%}" if value < 10 else "more than ten times"
    return True, f"The code is used: images of one condition differ {much} as much as images of different conditions."


def variety(model: Model, held: Pairs) -> float:
    """Mean distance between unconditional samples, divided by that between held-out images."""
    drawn = model.sample("none", n=8, size=held.size).images
    real = uint8_to_unit(torch.stack([held.raw(i)[1] for i in range(min(8, len(held)))]))
    return mean_distance(drawn[:, None]) / max(mean_distance(real[:, None]), 1e-12)


def branches(model: Model, pairs: Pairs) -> list[str]:
    """For a model with fixed codes: is every branch the nearest one to some training image?"""
    if model.generator.fixed_codes is None:
        return []
    used = use_of_branches(model, pairs).float()
    dead, share = int((used == 0).sum()), used / used.sum()
    words = (
        f"{len(used) - dead} of {len(used)} branches are nearest to at least one of {int(used.sum())} training images"
    )
    return [f"{words}; the most used one to {share.max():.0%} of them, the least used one to {share.min():.0%}."]


def use_of_branches(model: Model, pairs: Pairs) -> Tensor:
    """The number of training images that each fixed code is nearest to, (n,); of 20 per branch, but at least 100.

    Only pixels of holes are compared, if there are holes to fill.
    """
    codes = model.fixed_codes()
    raws, images = map(torch.stack, zip(*(pairs.raw(i) for i in range(min(max(100, 20 * len(codes)), len(pairs))))))
    drawn, truth = torch.stack([model.decode(raw, codes) for raw in raws]), uint8_to_unit(images)
    if (holes := pairs.condition.hole(raws)) is not None:
        drawn, truth = drawn * holes.unsqueeze(1), truth * holes
    return branch_use(drawn, truth)


def by_heart(log: list[dict[str, Any]], training: Training, varying: bool = False) -> str | None:
    """A sentence if the error on held-out pairs has risen since its best step while that on training pairs fell.

    Only errors of the objective itself are compared: the best of 8 samples may get worse as samples get sharper.

    Args:
        varying: whether an image can have another hole at every visit, which helps too.
    """
    for key, name in ERRORS.items():
        looks = [line for line in log if key in line]
        if not looks:
            continue
        best, last = min(looks, key=lambda line: line[key]), looks[-1]
        before, after = (training_error(log, at["step"]) for at in (best, last))
        if last[key] < RISEN * best[key] or before is None or after is None or after >= before:
            return None
        told = (
            f"It learns its images by heart: {name} rose from {best[key]:.3f} at step {best['step']} to {last[key]:.3f}"
        )
        told += ", while the error on training images fell"
        earlier, later = (float(line.get("val/code_sensitivity", 0)) for line in (best, last))
        if later < earlier / RISEN:
            told += f", and codes change less ({earlier:.2f} to {later:.2f})"
        if training.keep == "best":
            return f"{told}. The model of step {best['step']} is kept; more steps will not help, more pairs may."
        flip = "" if training.flip else "--flip true, "
        holes = "--fresh-holes true, " if varying and not training.fresh_holes else ""
        return f"{told}. Give more pairs, {flip}{holes}--jitter 1.1, a narrower network, or --keep best --patience 5."
    return None


def holes_vary(condition: Condition) -> bool:
    """Whether an image can have another hole at every visit."""
    made = condition.part(ImageCondition)
    return made is not None and made.derived is not None and made.derived.cuts_hole and made.derived.varies


def training_error(log: list[dict[str, Any]], step: int) -> float | None:
    """The sum of the generator's terms in the last log lines up to a step, without those of a game."""
    terms = [
        {name: value for name, value in line.items() if name.startswith("generator/") and "adversarial" not in name}
        for line in log
        if line["step"] <= step
    ]
    sums = [sum(one.values()) for one in terms if one][-SMOOTHED:]
    return sum(sums) / len(sums) if sums else None


def progress(log: list[dict[str, Any]]) -> list[str]:
    """Is the validation metric still falling?"""
    for key, name in HELD_OUT.items():
        values = [line[key] for line in log if key in line]
        if len(values) >= 4:
            before, after = min(values[: len(values) // 2]), min(values[len(values) // 2 :])
            if after < 0.98 * before:
                return [f"Still falling, {name}: {before:.3f} to {after:.3f}; more steps will help."]
            return [f"No longer falling, {name}: {before:.3f} to {after:.3f}; more steps will help little."]
    return []
