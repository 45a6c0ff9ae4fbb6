"""The page that compares models: the same conditions and codes, numbers side by side, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from ...data.dataset.pairs import Pairs
from ...model.model import Model
from ...runs.measured import Measured, Results
from ..measuring.cost import COSTS
from ..measuring.side_by_side import SideBySide, side_by_side, versions_apart
from . import contact_sheets
from .moving import Steps, Wipe
from .page import Cell, Figure, Item, Section, Table, interval, number, plain
from .plots import tradeoff_section
from .report import HIDDEN, Counts, coverage_sentence, modes_table
from .sheets import SAMPLES

ARROWS = {"higher": "↑", "lower": "↓"}
COMPARED = (
    *("coverage", "rare_recall", "precision", "lpips*", "diversity", "diversity_pixel", "fid", "kid*", "frechet_*"),
    *("rmse_best", "energy_score", "averaging_gain", "bits_per_dim", "seconds"),
)
WIPED = 4  # samples of each condition under the slider
BOLD = (
    "Bold: the best of its column. ≈: no worse than the best, or only by chance: the 95 % interval of the difference "
    "over the same conditions includes 0. Below each value: its own 95 % interval. Press a heading to sort."
)
ALONE = (
    "A method that always generates the same image can be precise, so read precision together with coverage, and "
    "diversity together with the distance to real images."
)


@dataclass(frozen=True)
class Row:
    """A model of a comparison, or the numbers of one.

    Attributes:
        model: None for numbers of another program.
        counts: streets only: samples of each mode.
        film: steps, each with the PNG of the run's samples then.
        skipped: what could not be measured, and why.
    """

    results: Results
    model: Model | None = None
    counts: Counts | None = None
    film: Sequence[tuple[int, bytes]] = ()
    skipped: Sequence[str] = ()

    @property
    def drawing(self) -> Model:
        assert self.model is not None, "only models draw"
        return self.model


def comparison_sections(
    rows: Mapping[str, Row], pairs: Pairs | None, items: Sequence[int] = (0,), found: SideBySide | None = None
) -> list[Section]:
    """Models on the same conditions: samples, numbers, costs, training, modes.

    Args:
        rows: by the name to show.
        pairs: held-out pairs that all models can read; None if there are no models.
        items: of the pairs whose conditions are shown.
        found: the numbers in columns, if they are at hand.
    """
    drawn = {name: row for name, row in rows.items() if row.model is not None}
    sections = []
    if drawn and pairs is not None:
        told = " ".join(coverage_sentence(name, row.counts, row.results) for name, row in rows.items() if row.counts)
        figures = [one for item in items for one in samples_of(drawn, pairs, item, told if item == items[0] else "")]
        sections.append(Section("Samples", "", figures))
    found = found or side_by_side({name: row.results for name, row in rows.items()})
    sections.append(numbers_section(rows, found))
    if drawn and pairs is not None:
        sections += [wipe_section(drawn, pairs, items)] if len(drawn) > 1 else []
    films = {name: row.film for name, row in rows.items() if row.film}
    if films:
        told = "The samples that each run drew while it was trained, from its first checkpoint to its last."
        sections.append(Section("Training", "", [Steps("Samples over the steps", told, films)]))
    tradeoff = tradeoff_section({name: row.results for name, row in rows.items()})
    sections += [tradeoff] if tradeoff else []
    tables = [modes_table(name, name, row.counts, row.results) for name, row in rows.items() if row.counts]
    return [*sections, Section("Modes", HIDDEN, tables)] if tables else sections


def samples_of(rows: Mapping[str, Row], pairs: Pairs, item: int, remark: str) -> list[Figure]:
    """A condition with its real image, and a row of samples for each model, all with the codes of seed 0."""
    first = next(iter(rows.values())).drawing
    told = "A condition, and its only image in the data."
    shown = contact_sheets.condition_and_truth(first, pairs, item)
    given = Figure(f"Condition {item}", told, shown, ("condition", "real"))
    sheets = [contact_sheets.sample(one.drawing, pairs, [item], one.drawing.codes(SAMPLES))[0] for one in rows.values()]
    columns = tuple(f"#{i}" for i in range(SAMPLES))
    caption = f"Samples 0 to {SAMPLES - 1} of seed 0 for this condition, one row per method. {remark}".strip()
    image = contact_sheets.page([list(row) for row in sheets])
    return [given, Figure("The samples of each method", caption, image, columns, tuple(rows))]


def numbers_section(rows: Mapping[str, Row], found: SideBySide) -> Section:
    """Metrics and costs as tables, and what could not be compared."""
    shown, costs = shown_of(found, COMPARED), shown_of(found, COSTS)
    tables: list[Item] = []
    if shown:
        tables.append(table_of("Side by side", f"{BOLD} {ALONE}", shown, found, list(rows)))
    if costs:
        tables.append(table_of("What it costs", "On this machine, one condition at a time.", costs, found, list(rows)))
    hidden = [why for metric, why in found.refused.items() if any(fnmatch(metric, one) for one in (*COMPARED, *COSTS))]
    told = [f"Not in one column, because not measured alike: {'. '.join(hidden)}."] if hidden else []
    versions = set().union(*(versions_apart(found.columns[metric]) for metric in shown))
    told += [f"Computed with different versions of {', '.join(sorted(versions))}."] if versions else []
    skipped = dict.fromkeys(line for row in rows.values() for line in row.skipped)
    told += [f"Skipped {line}." for line in skipped]
    return Section("Numbers", " ".join(told), tables)


def shown_of(found: SideBySide, patterns: Iterable[str]) -> list[str]:
    """The metrics of the columns that match, in the order of the patterns."""
    return [metric for pattern in patterns for metric in found.columns if fnmatch(metric, pattern)]


def table_of(title: str, caption: str, shown: Sequence[str], found: SideBySide, names: Sequence[str]) -> Table:
    """Models down, metrics across."""

    def cell(metric: str, name: str) -> Cell:
        one = found.columns[metric].get(name)
        if one is None:
            return Cell("–")
        gap = found.differences.get(metric, {}).get(name)
        text = number(one.value) + (" ≈" if gap is not None and gap.chance else "")
        return Cell(text, interval(one), strong=found.best.get(metric) == name, value=one.value)

    header = ("method", *(heading(metric, next(iter(found.columns[metric].values()))) for metric in shown))
    body = [[Cell(name), *(cell(metric, name) for metric in shown)] for name in names]
    protocols = {plain(metric): next(iter(found.columns[metric].values())).protocol for metric in shown}
    return Table(title, caption, header, body, protocols, sortable=True)


def heading(metric: str, one: Measured) -> str:
    """The name of a metric with an arrow in the better direction."""
    return f"{plain(metric)} {ARROWS.get(one.better, one.better.replace('nearer to', '→'))}"


def wipe_section(rows: Mapping[str, Row], pairs: Pairs, items: Sequence[int]) -> Section:
    """Sheets of the same conditions and codes by any two models, one over the other."""
    sheets = {}
    for name, row in rows.items():
        images = contact_sheets.sample(row.drawing, pairs, items, row.drawing.codes(WIPED))
        sheets[name] = contact_sheets.samples_sheet(row.drawing, pairs, items, images)
    told = f"A condition in each row, its real image, then samples 0 to {WIPED - 1} of seed 0."
    return Section("Before and after", "", [Wipe("Two models, one slider", told, sheets)])
