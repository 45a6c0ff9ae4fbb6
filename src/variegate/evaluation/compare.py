"""Compare runs: the public `variegate.compare`. All are measured on the same conditions with the same codes."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ..core.errors import ConfigError, DataError, VariegateError
from ..core.files import check_writable, write_text
from ..core.launch import processes
from ..data.dataset.pairs import Pairs
from ..model.model import Model
from ..runs.folder import RunFolder, run_folder
from ..runs.measured import Measured, Results
from ..runs.saved_model import alone
from ..training.minutes import time_steps
from .measuring.cost import COSTS, measured_cost
from .measuring.measure import Evaluation, Extra, measure
from .measuring.side_by_side import SideBySide, side_by_side
from .measuring.subject import unseen_or_not
from .pages.comparison import COMPARED, Row, comparison_sections, shown_of
from .pages.page import Report, write_report

logger = logging.getLogger(__name__)
SHOWN = 3  # conditions on the page
FRAMES = 8  # checkpoints of a run on the page
CHECKED = 8  # real images that must be the same for all runs


class Opened(NamedTuple):
    """A run, its model, and the held-out pairs as its model reads them."""

    folder: RunFolder
    model: Model
    held: Pairs


def compare(
    runs: Sequence[str | Path],
    out: str | Path = "comparison",
    data: str | Path | None = None,
    protocol: str = "default",
    seed: int = 0,
    perceptual: bool = True,
) -> dict[str, Any]:
    """Measure runs by one protocol and write `comparison.json`, `.csv`, `.tex` and `report.html`; returns the first.

    Args:
        runs: run directories; also files of `variegate evaluate --json`, whose numbers are only shown where they were
            measured alike.
        data: held-out data to use instead of that of the runs.
        protocol: a name, see `variegate protocols`.
        perceptual: include the metrics that need network weights.

    Raises:
        ConfigError: there are fewer than two, or several processes compare them.
        DataError: runs do not have the same held-out pairs, or a file holds no metrics.
    """
    if len(runs) < 2:
        raise ConfigError("give at least two runs to compare; `variegate evaluate` measures one")
    refuse_several_processes()
    names = names_of([Path(run) for run in runs])
    opened = {name: open_run(run, data) for name, run in zip(names, runs) if not is_numbers(run)}
    check_same(opened)
    out = Path(out)
    check_writable(out)
    warnings = {name: unseen_or_not(one.held, data) for name, one in opened.items()}
    rows: dict[str, Row] = {}
    for name, run in zip(names, runs):
        logger.info(f"measuring {name}")
        for line in warnings.get(name, ()):
            logger.warning(line)
        rows[name] = measured_row(opened[name], protocol, seed, perceptual) if name in opened else read_row(Path(run))
    held = next((one.held for one in opened.values()), None)
    found = side_by_side({name: row.results for name, row in rows.items()}, seed)
    content: dict[str, Any] = {
        "runs": {name: row.results.to_dict() for name, row in rows.items()},
        "best": dict(found.best),
        "differences": {
            metric: {name: one._asdict() for name, one in column.items()}
            for metric, column in found.differences.items()
        },
        "refused": dict(found.refused),
        "warnings": warnings,
        "skipped": {name: list(row.skipped) for name, row in rows.items()},
    }
    write_text(out / "comparison.json", json.dumps(content, indent=2))
    write_text(out / "comparison.csv", as_csv(found))
    write_text(out / "comparison.tex", as_latex(found, names))
    items = range(min(SHOWN, len(held))) if held is not None else ()
    lead = f"{', '.join(names)}, measured by the protocol {protocol!r} on the same conditions with the same codes."
    told = dict.fromkeys(line for lines in warnings.values() for line in lines)
    sections = comparison_sections(rows, held, items, found)
    write_report(out / "report.html", Report("Side by side", " ".join([lead, *told]), sections))
    return content


def refuse_several_processes() -> None:
    if processes() > 1:
        raise ConfigError(
            "compare also times runs, which other processes would disturb; start one process, or share only "
            "`variegate evaluate --json` of each run, and compare the files that it prints"
        )


def names_of(runs: Sequence[Path]) -> list[str]:
    """The shortest ends of paths that differ.

    Raises:
        ConfigError: one is given twice.
    """
    paths = [run.resolve() for run in runs]
    twice = [path for path, many in Counter(paths).items() if many > 1]
    if twice:
        raise ConfigError(f"{twice[0].name} is given twice; give different runs")
    for length in range(1, max(len(path.parts) for path in paths)):
        names = ["/".join(path.with_suffix("" if path.is_file() else path.suffix).parts[-length:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def is_numbers(run: str | Path) -> bool:
    return Path(run).is_file()


def open_run(run: str | Path, data: str | Path | None) -> Opened:
    if what := alone(run):
        raise ConfigError(f"{run}: is {what}; give a run, or the file of `variegate evaluate {run} --data DIR --json`")
    folder = run_folder(run)
    return Opened(folder, Model.load(folder.path), folder.pairs("held", data))


def check_same(opened: Mapping[str, Opened]) -> None:
    """Raise DataError unless all runs have the same held-out pairs."""
    if not opened:
        return
    (first, one), *others = opened.items()
    for name, other in others:
        if one.held.size != other.held.size:
            sizes = [f"{width}x{height}" for height, width in (one.held.size, other.held.size)]
            raise DataError(f"{first} has images of {sizes[0]}, {name} of {sizes[1]}; compare runs of one --size")
        checked = range(min(CHECKED, len(one.held), len(other.held)))
        if one.held.condition != other.held.condition:
            kinds = [run.held.condition.spelling for run in (one, other)]
            raise DataError(f"{first} and {name} have different conditions ({kinds[0]}, {kinds[1]}); compare others")
        same = all(torch.equal(x, y) for i in checked for x, y in zip(one.held.raw(i), other.held.raw(i)))
        if len(one.held) != len(other.held) or not same:
            raise DataError(
                f"{first} and {name} have different held-out pairs ({len(one.held)} of {one.held.name}, "
                f"{len(other.held)} of {other.held.name}); give both the same --data"
            )


def measured_row(one: Opened, protocol: str, seed: int, perceptual: bool) -> Row:
    """Measure a run, and what it costs."""
    settings, training = Extra(perceptual=perceptual, costs=True), one.folder.pairs("train")
    found: Evaluation = measure(one.model.generator, one.held, training, protocol, seed, **settings)
    try:
        device = one.folder.config.run.fabric().device
        pace = time_steps(one.folder.config, training, None)
        assert pace is not None, "without a limit there is an answer"
        found.results.add({"seconds_per_step": measured_cost("seconds_per_step", pace, one.held, device)})
    except VariegateError as error:
        logger.warning("skipped the time of a training step of %s: %s", one.folder.path, error)
    return Row(found.results, one.model, found.counts, film_of(one.folder), found.skipped)


def film_of(folder: RunFolder) -> list[tuple[int, bytes]]:
    """Samples at up to FRAMES checkpoints, evenly chosen, the first and the last among them."""
    files = sorted((folder.path / "samples").glob("step-*.png"))
    count = min(FRAMES, len(files))
    chosen = [files[round(i * (len(files) - 1) / max(1, count - 1))] for i in range(count)]
    return [(int(file.stem.removeprefix("step-")), file.read_bytes()) for file in chosen]


def read_row(file: Path) -> Row:
    """The numbers of `variegate evaluate --json`."""
    try:
        content = json.loads(file.read_text("utf-8"))
        results = Results.from_dict(content)
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{file}: is no output of `variegate evaluate --json` ({error}); write it anew") from None
    if not results.measured:
        raise DataError(f"{file}: contains no metrics; give the output of `variegate evaluate --json`, or a run")
    return Row(results)


def as_csv(found: SideBySide) -> str:
    """A line for each metric of each run, with its difference to the best one."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        ["metric", "run", "value", "low", "high", "n", "unit", "better", "best", "difference", "from", "to"]
    )
    for metric, column in found.columns.items():
        for name, one in column.items():
            gap = found.differences.get(metric, {}).get(name, ("", "", ""))
            own = [one.value, *(one.ci or ("", "")), one.n, one.unit, one.better]
            writer.writerow([metric, name, *own, found.best.get(metric) == name, *gap])
    return file.getvalue()


def as_latex(found: SideBySide, names: Sequence[str]) -> str:
    """The columns of the page as a table for LaTeX's booktabs, the best in bold."""
    metrics = [*shown_of(found, COMPARED), *shown_of(found, COSTS)]

    def entry(metric: str, name: str) -> str:
        one: Measured | None = found.columns[metric].get(name)
        if one is None:
            return "--"
        return f"\\textbf{{{one.value:.3g}}}" if found.best.get(metric) == name else f"{one.value:.3g}"

    lines = [" & ".join([escape(name), *(entry(metric, name) for metric in metrics)]) for name in names]
    head = " & ".join(["method", *(escape(metric) for metric in metrics)])
    return "\n".join(
        [
            f"\\begin{{tabular}}{{l{'r' * len(metrics)}}}",
            "\\toprule",
            f"{head} \\\\",
            "\\midrule",
            *(f"{line} \\\\" for line in lines),
            "\\bottomrule",
            "\\end{tabular}",
            "",
        ]
    )


def escape(text: str) -> str:
    """Text for LaTeX: underscores as spaces, other special characters escaped."""
    return "".join(f"\\{letter}" if letter in "&%$#{}" else letter for letter in text.replace("_", " "))
