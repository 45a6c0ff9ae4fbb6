"""The page with the results of a study, which opens from disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...evaluation.pages.page import Cell, Item, Report, Section, Table
from .analysis import Analysis
from .answers import FRAMES_OFF, RULE, Responses
from .detection import Confusion, Detection
from .examples import examples
from .preference import NO_STRENGTHS, Pair, Preference, Ranking, Strength
from .shares import Mean, Share
from .statistics import Interval
from .timing import timings

Row = list[str | Cell]
SHARES = (
    "Share ± standard deviation over participants. W: Wilson's 95 % interval, as if all answers were independent; "
    "P: 95 % interval by resampling participants, whose answers resemble each other."
)
REALISM = (
    "Realism is 2 (1 - F) with the F-measure of detecting fakes (positive: fake) at even numbers of fake and real "
    "images, averaged over participants (Lee et al. 2019). 1: fakes are judged like real images; 0: no image is "
    "misjudged; above 1: fakes are called real more often than not."
)
WANTED = {
    ("two-alternative", "artefacts"): "Participants chose the image with more artefacts: lower is better.",
    ("two-alternative", "quality"): "Participants chose the better image: higher is better.",
    ("ranking", "artefacts"): "Participants put the image with the most artefacts first: late is better.",
    ("ranking", "quality"): "Participants put the best image first: early is better.",
}
STRENGTH = (
    "Bradley-Terry log-strengths of being chosen, with mean 0: the odds that one method is chosen over another are "
    "the exponential of the difference. Intervals of 95 % are clustered by participant."
)


def report_page(responses: Responses, included: Analysis, everyone: Analysis, folder: Path) -> Report:
    """The results without excluded participants, then with them."""
    study, excluded = responses.study, responses.excluded()
    counted, answers = plural(responses.started(), "participant"), plural(len(responses.judgements), "answer")
    lead = f"{study.question} {counted} gave {answers} about images of {', '.join(study.methods)}."
    sections = [Section("Results", meaning(responses), [*tables(included), *examples(responses, excluded, folder)])]
    if excluded:
        sections.append(Section("With excluded participants", f"The same of all {counted}.", tables(everyone)))
    sections += [participants_section(responses), design_section(responses)]
    if study.exposures:
        sections.insert(-1, timing_section(responses))
    return Report(f"A study: {study.kind.replace('-', ' ')}", lead, sections)


def meaning(responses: Responses) -> str:
    """How to read the results."""
    study, excluded = responses.study, len(responses.excluded())
    told = f"Without {plural(excluded, 'participant')} who failed attention checks. " if excluded else ""
    if study.kind == "real-or-fake":
        return told + REALISM
    return told + WANTED[study.kind, study.asks_for]


def tables(found: Analysis) -> list[Item]:
    if isinstance(found, Detection):
        return detection_tables(found)
    return preference_tables(found) if isinstance(found, Preference) else ranking_tables(found)


def detection_tables(found: Detection) -> list[Item]:
    rows: list[Row] = [
        [
            Cell(one.method),
            seconds(one.exposure),
            number_cell(one.realism.score, one.realism.bootstrap),
            decimals(one.realism.pooled),
            share_cell(one.judged_real),
            str(one.judged_real.n),
        ]
        for one in found.confusions
    ]
    rows += [["real", seconds(exposure), "", "", share_cell(one), str(one.n)] for exposure, one in found.real_images]
    header = ("images", "exposure", "realism", "realism, pooled", "judged real", "answers")
    caption = (
        "Pooled: of all answers together, which is less biased where participants gave few. Each method is beside all "
        f"real images that were shown as long. {SHARES}"
    )
    overall: list[Row] = [
        ["said “real”, of all answers", share_cell(found.said_real)],
        ["repeated images judged as before", share_cell(found.consistency)],
    ]
    return [
        Table("Realism", caption, header, rows),
        Table("Answers overall", "A leaning to one answer, and consistency.", ("", "share"), overall),
        *(confusion_table(one) for one in found.confusions),
    ]


def confusion_table(one: Confusion) -> Table:
    """Counts of one method at one exposure."""
    rows: list[Row] = []
    for name, counts in (
        ("fake", (one.fake_as_fake, one.fake_as_real)),
        ("real", (one.real_as_fake, one.real_as_real)),
    ):
        total = sum(counts)
        cells = [Cell(str(n), f"{n / total:.0%}" if total else "", shade=n / total if total else 0.0) for n in counts]
        rows.append([Cell(name), *cells])
    return Table(f"{one.method}, {seconds(one.exposure)}", "", ("shown", "called fake", "called real"), rows)


def preference_tables(found: Preference) -> list[Item]:
    methods: list[Row] = [
        [name, share_cell(one), *strength_cell(found.strengths, name), str(one.n)] for name, one in found.chosen.items()
    ]
    overall: list[Row] = [
        ["chose the left image (0.5: no position effect)", share_cell(found.left)],
        ["chose the same image when sides were swapped", share_cell(found.consistency)],
    ]
    return [
        Table("How often each method was chosen", SHARES, ("method", "chosen", "log-strength", "answers"), methods),
        pairs_table(found.pairs, found.strengths),
        Table("Position and consistency", "Of the main trials; of repeated ones.", ("", "share"), overall),
    ]


def ranking_tables(found: Ranking) -> list[Item]:
    methods: list[Row] = [
        [name, mean_cell(one), *strength_cell(found.strengths, name), str(one.n)] for name, one in found.ranks.items()
    ]
    places: list[Row] = [
        [f"place {place} from the left", share_cell(one)] for place, one in enumerate(found.first_by_place, 1)
    ]
    told = f"Where images were that came first: {1 / len(places):.2f} each without a position effect."
    overall: list[Row] = [*places, ["two images ordered as before when repeated", share_cell(found.consistency)]]
    caption = "Mean rank ± standard deviation over participants, with its 95 % interval over participants; 1 is first."
    return [
        Table("Ranks", caption, ("method", "mean rank", "log-strength", "answers"), methods),
        pairs_table(found.pairs, found.strengths),
        Table("Position and consistency", told, ("", "share"), overall),
    ]


def pairs_table(pairs: Sequence[Pair], strengths: Mapping[str, Strength] | None) -> Table:
    rows: list[Row] = [[f"{one.first} over {one.second}", share_cell(one.chosen), str(one.chosen.n)] for one in pairs]
    told = f"No strengths: {NO_STRENGTHS}." if strengths is None else STRENGTH
    return Table("Pairs", f"How often the first was chosen over the second. {told}", ("", "share", "answers"), rows)


def timing_section(responses: Responses) -> Section:
    """Measured exposures."""
    rows: list[Row] = [
        [
            Cell(seconds(one.exposure)),
            f"{one.median:.1f} ms",
            f"{one.low:.1f} – {one.high:.1f} ms",
            f"{one.frame:.1f} ms",
            str(one.off),
            str(one.hidden),
            str(one.n),
        ]
        for one in timings(responses.judgements)
    ]
    told = (
        "Measured by the frame clock of each browser, from the frame that showed an image to the one that hid it. "
        f"Answers that are off by more than {FRAMES_OFF} frames are counted here, flagged in the CSV and kept."
    )
    header = ("exposure", "median", "5 % – 95 %", "frame", "off", "page hidden", "answers")
    return Section("Exposure times", told, [Table("As measured", "", header, rows)])


def participants_section(responses: Responses) -> Section:
    excluded = responses.excluded()
    rows: list[Row] = [
        ["joined", str(len(responses.lengths))],
        ["answered something", str(responses.started())],
        ["answered everything", str(responses.finished())],
        ["excluded", str(len(excluded))],
    ]
    listed: list[Row] = [[f"participant {who}", f"{right} of {seen}"] for who, (right, seen) in excluded.items()]
    tables: list[Item] = [Table("Counts", "", (), rows)]
    if listed:
        tables.append(Table("Excluded", "Attention checks answered correctly.", ("", "checks"), listed))
    return Section("Participants", f"{RULE} Answers of participants who stopped early count.", tables)


def design_section(responses: Responses) -> Section:
    study = responses.study
    exposures = ", ".join(map(seconds, study.exposures)) or "until answered"
    rows: list[Row] = [
        ["study", f"{study.id}, created {study.created}"],
        ["images", f"{len(study.conditions)} conditions, {', '.join(study.methods)}; {study.size[1]}x{study.size[0]}"],
        ["exposure", exposures],
        [
            "trials",
            f"{study.per_participant}, {study.repeats} of them repeated, and {study.attention} attention checks",
        ],
        ["order", f"balanced over participants, from seed {study.seed}"],
    ]
    return Section("Design", "", [Table("Design", "", (), rows)])


def share_cell(one: Share) -> Cell:
    if one.share is None:
        return Cell("–")
    text = f"{one.share:.3f}" + (f" ± {one.std:.3f}" if one.std is not None else "")
    notes = [f"{name} {interval(found)}" for name, found in (("W", one.wilson), ("P", one.bootstrap)) if found]
    return Cell(text, " · ".join(notes), value=one.share)


def mean_cell(one: Mean) -> Cell:
    if one.mean is None:
        return Cell("–")
    text = f"{one.mean:.2f}" + (f" ± {one.std:.2f}" if one.std is not None else "")
    return Cell(text, interval(one.bootstrap), value=one.mean)


def strength_cell(strengths: Mapping[str, Strength] | None, name: str) -> list[Cell]:
    return [Cell("–") if strengths is None else number_cell(strengths[name].value, strengths[name].interval)]


def number_cell(value: float | None, found: Interval | None) -> Cell:
    return Cell(decimals(value), interval(found), value=value)


def decimals(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def interval(found: Interval | None) -> str:
    return "" if found is None else f"[{found[0]:.3f}, {found[1]:.3f}]"


def seconds(exposure: float | None) -> str:
    return "until answered" if exposure is None else f"{exposure:g} s"


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
