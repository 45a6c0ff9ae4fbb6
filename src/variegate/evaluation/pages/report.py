"""Reports on one model, or on several side by side: images first, every metric with its protocol.

This module selects what to show; `page` has the elements and the rendering.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from ...core.capabilities import HasLevels, HasMoments
from ...data.dataset.pairs import Pairs
from ...data.streets.streets import find, odds
from ...model.model import Model
from ...runs.folder import RunFolder
from ...runs.measured import Results
from ..measuring.measure import Evaluation
from ..metrics.likelihood import is_of_class
from ..metrics.modes import NAMES, expected_coverage, is_of_factor
from .page import (
    Cell,
    Curve,
    Figure,
    Item,
    Numbers,
    Report,
    Section,
    Table,
    plain,
    render,
    words,
    write_report,
)
from .plots import calibration_section, is_of_curve, more_samples_section
from .sheets import (
    branches_section,
    interpolation_section,
    memory_section,
    moments_section,
    nearest_section,
    samples_section,
    styles_section,
    surprisal_section,
)

__all__ = [
    "Cell",
    "Curve",
    "Figure",
    "Item",
    "Numbers",
    "Report",
    "Section",
    "Table",
    "render",
    "sections_of",
    "training_curves",
    "write_report",
]

Counts = Mapping[tuple[str, ...], int]  # readable samples of each mode, as in `modes.Modes.counts`, over all layouts
MEANING = {
    "code sensitivity": "How much codes change the image, relative to conditions; near 0, the code is ignored.",
    "best of 8": "Error of the best of 8 samples, 0 to 1; low only if samples are both good and different.",
}
HIDDEN = (
    "A street has a time of day and a facade paint that its layout does not determine. A model that has learned the "
    "distribution generates all of their combinations, each about as often as in the data."
)


def sections_of(
    model: Model,
    pairs: Pairs,
    found: Evaluation,
    run: RunFolder | None = None,
    predictor: Model | None = None,
    training: Pairs | None = None,
) -> list[Section]:
    """The sections on one model: images, then modes and metrics, then training and the model's record.

    Args:
        pairs: held-out pairs, opened with the model's condition.
        run: the run directory, for the curves of its log.
        predictor: the moment-predictor that the run was trained with.
        training: the pairs it was trained on, to show the nearest one of samples.
    """
    sections = samples_sections(model, pairs, predictor) if found.drawn else []
    if found.drawn and training is not None and pairs.split != "train":
        sections.append(memory_section(model, pairs, training))
        if model.generator.fixed_codes is not None:
            sections.append(branches_section(model, pairs, training))
    sections += [surprisal_section(model, pairs, found.likelihood)] if found.likelihood else []
    if found.counts:
        table = modes_table("Samples of each combination", "The model", found.counts, found.results)
        sections.append(Section("Modes", HIDDEN, [table, *readable_factors(found.results)]))
    missing = " ".join(f"Skipped {line}." for line in found.skipped)
    sections.append(Section("Numbers", missing, [numbers_of(found.results)]))
    more = more_samples_section(found.results)
    sections += [more] if more else []
    sections += [calibration_section(found.calibration)] if found.calibration else []
    curves = training_curves(run) if run is not None else []
    if curves:
        sections.append(Section("Training", "", curves))
    return [*sections, model_section(model, pairs)]


def samples_sections(model: Model, pairs: Pairs, predictor: Model | None) -> list[Section]:
    sections = [samples_section(model, pairs)]
    if isinstance(model.generator, HasMoments):
        return [moments_section(model, pairs, None), *sections]
    if model.generator.code_size:
        if not pairs.unpaired and not isinstance(model.generator, HasLevels):  # which would draw pixel by pixel
            sections.append(nearest_section(model, pairs))
        sections += [interpolation_section(model, pairs), styles_section(model, pairs)]
        sections += [moments_section(model, pairs, predictor)]
    return sections


def modes_table(title: str, name: str, counts: Counts, results: Results) -> Table:
    """Samples of each mode, first factor down, the others across, with the expected number: odds times all samples."""
    truth, drawn, most = true_odds(), sum(counts.values()), max(1, *counts.values())
    down, across = list(dict.fromkeys(mode[0] for mode in counts)), list(dict.fromkeys(mode[1:] for mode in counts))

    def cell(mode: tuple[str, ...]) -> Cell:
        note = f"{truth[mode] * drawn:,.1f} expected" if mode in truth and drawn else ""
        return Cell(f"{counts[mode]:,}", note, shade=counts[mode] / most, missed=counts[mode] == 0)

    rows = [[Cell(word), *(cell((word, *rest)) for rest in across)] for word in down]
    caption = f"{coverage_sentence(name, counts, results)} In total, {drawn:,} samples were readable; the expected "
    caption += "number is the true odds times that total. Hatched: never generated."
    return Table(title, caption, ("", *(" ".join(rest) for rest in across)), rows)


def true_odds() -> dict[tuple[str, ...], float]:
    """The odds of each mode of streets, by the names of its values."""
    return dict(zip(itertools.product(*(find(name).values for name in NAMES)), odds(NAMES).ravel().tolist()))


def coverage_sentence(name: str, counts: Counts, results: Results) -> str:
    """A sentence: how many combinations the samples of a layout reach on average; over all layouts if unknown."""
    modes, coverage = len(counts), results.measured.get("coverage")
    if coverage is None:
        return f"{name} reaches {sum(count > 0 for count in counts.values())} of {modes} combinations."
    text, draws = f"{name} reaches {coverage.value * modes:.1f} of {modes} combinations", coverage.protocol.samples
    if draws is None or set(counts) != set(true_odds()):
        return f"{text} per layout on average."
    return f"{text} in {draws} samples of a layout (the true distribution: {expected_coverage(draws) * modes:.1f})."


def numbers_of(results: Results) -> Numbers:
    caption = "Brackets: 95 % interval of the mean over conditions. Open a row to see how the value was measured."
    elsewhere = (is_of_curve, is_of_class, is_of_factor)
    shown = {name: one for name, one in results.measured.items() if not any(told(name) for told in elsewhere)}
    return Numbers("Metrics", caption, shown)


def readable_factors(results: Results) -> list[Numbers]:
    """The precision of each factor, and of those that make modes; empty if it was not measured."""
    shown = {name: one for name, one in results.measured.items() if is_of_factor(name)}
    caption = (
        "The fraction of images in which a factor is readable. The metric precision counts those with all of them."
    )
    return [Numbers("Precision by factor", caption, shown)] if shown else []


def training_curves(run: RunFolder) -> list[Item]:
    """A curve for each player's losses and for each metric of the validation panel."""
    series: dict[str, list[tuple[float, float]]] = {}
    for row in run.log():
        step = float(row.pop("step"))
        for name, value in row.items():
            series.setdefault(name, []).append((step, float(value)))
    groups: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for name, points in series.items():
        player, _, term = name.rpartition("/")
        title = plain(term) if player == "val" else f"{player or 'training'} loss"
        groups.setdefault(title, {})[plain(term)] = points
    return [Curve(title, MEANING.get(title, ""), lines) for title, lines in groups.items()]


def model_section(model: Model, pairs: Pairs) -> Section:
    """The model's origin, from its record."""
    record, method = model.record, model.record.method
    weights = sum(tensor.numel() for tensor in model.generator.state_dict().values())
    facts = {
        "method": f"{model.name}: {method['summary']}",
        "paper": method["paper"],
        "condition": method["condition"],
        "network": f"{method['generator']['kind']}, {method['randomness']['kind']} randomness, {weights:,} weights",
        "objective": method["objective"]["kind"],
        "code": f"{model.generator.code_size:,} values, {model.generator.prior}",
        "trained on": f"{record.data} at {words(tuple(record.size))}, {record.step:,} steps, seed {record.seed}",
        "evaluated on": f"{pairs.name}, split {pairs.split}, {len(pairs):,} pairs at {words(tuple(pairs.size))}",
        "versions": words(record.versions),
    }
    rows = [(plain(name), words(fact)) for name, fact in facts.items()]
    return Section("The model", "", [Table(model.name, "", (), rows)])
