"""Report sections that show images: samples, interpolations, styles, where samples vary, and surprisal."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ...core.capabilities import HasLevels, HasMoments
from ...core.images import heat
from ...data.dataset.pairs import Pairs
from ...data.derived.derived import Self
from ...model.model import Model
from ...runs.health import code_sensitivity, verdict
from ..doctor.diagnosis import use_of_branches
from ..metrics.likelihood import BITS, OF_CLASS, Likelihood, is_of_class, surprisals
from ..metrics.memorisation import TrainingImages
from . import contact_sheets
from .axes import number
from .page import Cell, Figure, Section, Table, interval, plain

SHOWN, SAMPLES = 4, 8  # conditions and samples of the contact sheets
BRANCHES = 10  # fixed codes shown, the most used
CANDIDATES = 20  # of which the nearest to the real image is shown
FRAMES, DRAWS = 9, 32  # frames of an interpolation; samples for the heat map
SURPRISALS = 8  # images shown with the bits of their pixels
FORESEEN = (
    "The number of bits that each pixel takes, given those above it and to its left: none where the model was certain "
    "of it, many where the model expected something else."
)


def samples_section(model: Model, pairs: Pairs) -> Section:
    items = range(min(SHOWN, len(pairs)))
    images = contact_sheets.sample(model, pairs, items, model.codes(SAMPLES))
    raw = torch.stack([pairs.raw(i)[0] for i in items])
    sensitivity = code_sensitivity(images.float(), pairs.condition.hole(raw))
    text = verdict(sensitivity, model.generator.code_size) or ""
    if not model.generator.code_size:
        text = "This model has no code: it generates one image per condition, whatever the seed."
    whose = "training" if pairs.split == "train" else "held-out"
    caption = f"Each row is one {whose} condition, each column one code: #0 is image 0 of seed 0. "
    if math.isfinite(sensitivity):
        caption += f"Codes change the image {sensitivity:.2f} times as much as conditions do."
    columns = ("condition", "real", *(f"#{i}" for i in range(SAMPLES)))
    image = contact_sheets.samples_sheet(model, pairs, items, images)
    return Section("Samples", text, [Figure("One condition, many images", caption, image, columns, blank(items))])


def interpolation_section(model: Model, pairs: Pairs) -> Section:
    images = contact_sheets.sample(model, pairs, [0], model.codes(16))[0]
    first, last = contact_sheets.most_different(images, 2)
    image = contact_sheets.interpolation(model, pairs, 0, (first, last), FRAMES)
    caption = f"One condition while the code moves from #{first} to #{last}, the two that differ most among 16."
    columns = (f"#{first}", *[""] * (FRAMES - 2), f"#{last}")
    return Section("Interpolation", "", [Figure("From one style to another", caption, image, columns)])


def nearest_section(model: Model, pairs: Pairs) -> Section:
    """The sample nearest to each real image in L1, as in the study of quality in conditional IMLE (ICCV 2019)."""
    items = range(min(SAMPLES, len(pairs)))
    images = contact_sheets.sample(model, pairs, items, model.codes(CANDIDATES))
    raws, reals = zip(*(pairs.raw(item) for item in items))
    hole = pairs.condition.hole(torch.stack(raws))
    weight = torch.ones(len(items), 1, *pairs.size) if hole is None else hole.float()
    apart = (images.float() - torch.stack(reals).unsqueeze(1)).abs().mean(dim=2) * weight / 255
    distances = apart.flatten(2).sum(dim=2) / weight.flatten(1).sum(dim=1).clamp(min=1).unsqueeze(1)
    least, best = distances.min(dim=1)
    rows = [[model.condition.to_image(raw) for raw in raws], list(reals), [*images[range(len(items)), best]]]
    caption = f"Below each real image the nearest of {CANDIDATES} samples of its condition, with the mean absolute "
    caption += f"difference of their pixels{'' if hole is None else ' in the hole'}; black to white is 1."
    columns = tuple(number(float(one)) for one in least)
    figure = Figure("The nearest sample", caption, contact_sheets.page(rows), columns, ("condition", "real", "nearest"))
    return Section("Nearest to the real image", "", [figure])


def styles_section(model: Model, pairs: Pairs) -> Section:
    items = [i % len(pairs) for i in range(SHOWN, SHOWN + min(SHOWN, len(pairs)))]
    images = contact_sheets.sample(model, pairs, items[:1], model.codes(16))[0]
    chosen = contact_sheets.most_different(images, 6)
    sheet = contact_sheets.styles(model, pairs, items, model.codes(16)[chosen])
    caption = "The same code on different layouts: down a column only the layout changes, so the style should stay."
    columns = ("condition", *(f"#{i}" for i in chosen))
    figure = Figure("A column is a style", caption, sheet, columns, blank(items))
    return Section("One style on many layouts", "", [figure])


def moments_section(model: Model, pairs: Pairs, predictor: Model | None) -> Section:
    """Mean and deviation of the samples, next to those of a predictor, or only the latter."""
    predicts = isinstance(model.generator, HasMoments)
    sources = [model] if predictor is None else [model, predictor]
    items = range(min(SHOWN, len(pairs)) if predicts or predictor else 1)
    found = [(item, [source.moments(pairs.raw(item)[0], DRAWS) for source in sources]) for item in items]
    top = max(float(one.deviation.max()) for _, row in found for one in row)
    image = contact_sheets.moments_sheet(model, pairs, found, top)
    drawn = () if predicts else ("mean of samples", "deviation")
    expected = ("predicted mean", "predicted deviation") if predicts or predictor else ()
    columns = ("condition", "real", *drawn, *expected)
    whose = "predicted" if predicts else f"of {DRAWS} samples of one condition"
    caption = f"Mean and standard deviation {whose}. Black: certain. "
    caption += f"Brightest: a standard deviation of {number(top)}, on a scale where black to white is 1."
    if predictor is not None:
        caption += " On the right, the predictor's, on the same scale: a good sampler varies where the predictor does."
    title = "Where is this ambiguous?" if predicts else "What the code decides"
    return Section("Where it varies", "", [Figure(title, caption, image, columns, blank(items))])


def branches_section(model: Model, pairs: Pairs, training: Pairs) -> Section:
    """The images of fixed codes, the most used branches first, named with their share of the training images."""
    used = use_of_branches(model, training).float()
    shares, order = used / used.sum().clamp(min=1), used.argsort(descending=True, stable=True)[:BRANCHES].tolist()
    items = range(min(SHOWN, len(pairs)))
    images = contact_sheets.sample(model, pairs, items, model.fixed_codes()[order])
    sheet = contact_sheets.samples_sheet(model, pairs, items, images)
    columns = ("condition", "real", *(f"{branch}: {float(shares[branch]):.0%}" for branch in order))
    caption = (
        f"Each branch, that is each fixed code, with the share of {int(used.sum()):,} training images that it is "
        f"nearest to. {int((used == 0).sum())} of {len(used)} are nearest to none."
    )
    return Section("Branches", "", [Figure("Who draws what", caption, sheet, columns, blank(items))])


def memory_section(model: Model, pairs: Pairs, training: Pairs) -> Section:
    """Samples above the training images they are nearest to, and how near real held-out images are to theirs.

    Where only holes are to be filled, their pixels are compared: what is around them is of no training image.
    """
    items = range(min(SAMPLES, len(pairs)))
    drawn = contact_sheets.sample(model, pairs, items, model.codes(1))[:, 0]
    if training.image_channels == 1:
        drawn = drawn[:, :1]
    raws, real = map(torch.stack, zip(*(pairs.raw(item) for item in items)))
    kept, holes = TrainingImages(training), pairs.condition.hole(raws)
    of_drawn, of_real = (kept.nearest(each, holes) for each in (drawn, real))
    ratio = float(of_drawn.distances.mean() / of_real.distances.mean().clamp(min=1e-6))
    in_l1 = kept.nearest(drawn, holes, "l1")
    shown = [[training.raw(item)[1] for item in found.items.tolist()] for found in (of_drawn, in_l1)]
    where = "" if holes is None else " in the hole"
    caption = (
        "Above, one sample of each of the first held-out conditions; below, the training images whose colours are "
        f"nearest{where}, by RMSE and in L1. By RMSE, samples are {number(ratio)} times as far from training images as "
        "real held-out images are: much less than 1 means copies."
    )
    page = contact_sheets.page([[*drawn], *shown])
    figure = Figure(
        "Is it learned by heart?", caption, page, blank(items), ("sample", "nearest (RMSE)", "nearest (L1)")
    )
    return Section("Nearest training images", "", [figure])


def surprisal_section(model: Model, pairs: Pairs, found: Likelihood) -> Section:
    """Images from most to least likely, above the bits of their pixels; then the bits of each class."""
    assert isinstance(model.generator, HasLevels)
    order = sorted(range(len(found.bits)), key=lambda item: found.bits[item])
    places = torch.linspace(0, len(order) - 1, min(SURPRISALS, len(order))).round().int().tolist()
    items = [order[place] for place in places]
    maps = list(surprisals(model.generator, pairs, items))
    top = max(float(one.max()) for one in maps)
    cells = {"real": [pairs.raw(item)[1] for item in items], "surprisal": [heat(one, top) for one in maps]}
    if pairs.condition.channels and not isinstance(pairs.derived, Self):
        cells = {"condition": [model.condition.to_image(pairs.raw(item)[0]) for item in items], **cells}
    columns = tuple(f"{pairs.split}:{item}, {number(found.bits[item])}" for item in items)
    ranks = f"From the most to the least likely of {len(order):,} images" if len(order) > len(items) else "Images"
    caption = (
        f"{ranks}, each with its bits per dimension, above the bits of its pixels, summed over colours. "
        f"Black: 0 bits, predicted with certainty. Brightest: {number(top)} bits. "
        f"If all levels are equally likely, a pixel takes {model.generator.bits * pairs.image_channels} bits."
    )
    image = Figure(
        "What the model did not expect", caption, contact_sheets.page([*cells.values()]), columns, tuple(cells)
    )
    return Section("Surprisal", FORESEEN, [image, *class_tables(found)])


def class_tables(found: Likelihood) -> list[Table]:
    """A table of the bits per dimension of each class; empty if there are no classes."""
    told = {name.removeprefix(OF_CLASS): one for name, one in found.results.measured.items() if is_of_class(name)}
    if not told:
        return []
    rows = [(name, f"{one.n:,}", Cell(number(one.value), interval(one))) for name, one in told.items()]
    caption = "Below each value: its 95 % interval. The protocol is for all images; metrics.json has one per class."
    record = {plain(BITS): found.results.measured[BITS].protocol}
    return [Table("Each class", caption, ("class", "images", f"{plain(BITS)} ↓"), rows, record)]


def blank(items: Sequence[int]) -> tuple[str, ...]:
    return ("",) * len(items)
