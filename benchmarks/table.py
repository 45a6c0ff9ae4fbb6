"""`python -m benchmarks.table`: write results of `benchmarks.speed`, `.claims` and `.real` to the pages of docs."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .axes import page as axes
from .claims import CLAIMS
from .claims.runs import words
from .quadrants import page as quadrants
from .real.rows import METRICS
from .reliability import page as reliability
from .speed.results import COLUMNS, FOLDER, Result, measured_with, text

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
JUDGED, REAL = (FOLDER.parent / name for name in ("claims", "real"))
VERDICTS = {True: "holds", False: "does not hold", None: ""}


def section(measured: Result) -> str:
    """Format one benchmark: a table, then what it was measured with."""
    columns = COLUMNS[measured["name"]]
    lines = [
        f"### {measured['name']}",
        "",
        "| " + " | ".join(column.replace("_", " ") for column in columns) + " |",
        "|" + "---|" * len(columns),
        *("| " + " | ".join(text(r.get(column)) for column in columns) + " |" for r in measured["rows"]),
    ]
    clock = "" if measured["clock"] == "wall" else ", processor time"
    machine, versions = measured["machine"], measured["versions"]
    quick = " **Quick mode: the sizes are tiny and the ratios mean nothing.**" if measured["quick"] else ""
    lines += [
        "",
        f"`{measured['command']}`, seed {measured['seed']}; {machine['processor']}, "
        f"threads: {machine['threads']}{clock}; Python {versions['python']}, torch {versions['torch']}.{quick}",
    ]
    return "\n".join(lines)


def ledger(files: dict[str, list[dict[str, Any]]]) -> str:
    """Format how many claims of each paper hold, which do not, and which parts have not been measured yet."""
    lines = ["| claims | judged | hold | do not hold | not yet measured |", "|---|---|---|---|---|"]
    every: list[bool] = []
    for name, found in files.items():
        judged = {claim["id"]: claim["holds"] for claim in found if claim["holds"] is not None}
        every += judged.values()
        failed = ", ".join(id for id, holds in judged.items() if not holds)
        later = ", ".join(unmeasured(name, found))
        lines.append(f"| [{name}](#{name}) | {len(judged)} | {sum(judged.values())} | {failed} | {later} |")
    return "\n".join([*lines, f"| all | {len(every)} | {sum(every)} | | |"])


def unmeasured(name: str, found: list[dict[str, Any]]) -> list[str]:
    """The parts of a file without results."""
    return [part for part in CLAIMS[name] if part not in {claim["part"] for claim in found}]


def claims_section(name: str, found: list[dict[str, Any]]) -> str:
    """Format a paper's claims and what was measured, then the methods side by side: mean and deviation over seeds."""
    tables = [claim for claim in found if claim["id"].startswith("table")]
    lines = [
        f"## {name}",
        "",
        f"Commands: `python -m benchmarks.claims {name} --only PART`.",
        "",
        "| claim | paper | data | part | verdict | measured |",
        "|---|---|---|---|---|---|",
    ]
    for claim in found:
        if claim not in tables:
            note = claim["note"].replace("|", "\\|")
            verdict = VERDICTS[claim["holds"]]
            cells = (claim["claim"], claim["paper"], claim["data"], claim["part"], verdict, note)
            lines.append("| " + " | ".join(cells) + " |")
    lines += [f"| | | | {part} | not yet measured | |" for part in unmeasured(name, found)]
    for claim in tables:
        lines += ["", *side_by_side(claim)]
    by_machine: dict[str, list[str]] = {}
    for claim in found:
        by_machine.setdefault(measured_with(claim), []).append(claim["part"])
    told = "; ".join(f"{', '.join(dict.fromkeys(parts))}: {about}" for about, parts in by_machine.items())
    return "\n".join([*lines, "", f"Mean ± standard deviation over seeds. {told}."])


def side_by_side(claim: dict[str, Any]) -> list[str]:
    """Format a table whose values are named "row: metric"."""
    rows: dict[str, dict[str, str]] = {}
    for key, values in claim["measured"].items():
        row, _, metric = key.rpartition(": ")
        rows.setdefault(row, {})[metric] = words(values)
    metrics = list(next(iter(rows.values())))
    return [
        f"{claim['claim'][0].upper()}{claim['claim'][1:]}, {claim['data']}:",
        "",
        "| method | " + " | ".join(metric.replace("_", " ") for metric in metrics) + " |",
        "|" + "---|" * (len(metrics) + 1),
        *(
            f"| {row} | " + " | ".join(cells.get(metric, "") for metric in metrics) + " |"
            for row, cells in rows.items()
        ),
    ]


def real_section(content: dict[str, Any]) -> str:
    """Format the methods side by side on one data set: mean over seeds, and what each one cost."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in content["rows"]:
        rows.setdefault(row["method"], []).append(row)
    measured = [row for row in content["rows"] if "metrics" in row]
    names = [name for name in METRICS if any(name in row["metrics"] for row in measured)]
    columns = ("method", "size", "steps", "parameters", "ms per image", *(METRICS[name] for name in names))
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for method, own in rows.items():
        done = [row for row in own if "metrics" in row]
        if not done:
            lines.append(f"| {method} | {own[0]['problem']} |" + " |" * (len(columns) - 2))
            continue
        height, width = done[0]["size"]
        cells = [
            f"{height}x{width}",
            extent([f"{steps:,}" for steps in sorted(row["steps"] for row in done)]),
            extent([f"{count / 1e6:.2g} M" for count in sorted(row["parameters"] for row in done)]),
            words([1000 * row["seconds_per_image"] for row in done]),
            *(shorter(words([row["metrics"].get(name) for row in done])) for name in names),
        ]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    seeds, machine = sorted({row["seed"] for row in content["rows"]}), content["machine"]
    lines += [
        "",
        f"`{content['command']}`, {content['minutes']:g} minutes of one core each, seeds {seeds}; "
        f"{machine['processor']}, Python {content['versions']['python']}, torch {content['versions']['torch']}.",
    ]
    return "\n".join(lines)


def noticed_section(content: dict[str, Any]) -> str:
    """Format what metrics make of each fault: bold where one notices it, in italics where it praises it."""
    metrics = content["metrics"]
    faults = list(next(iter(metrics.values()))["faults"])
    marks = {"notices": "**", "praises": "*", "": ""}
    lines = ["| metric | better | true samples | " + " | ".join(faults) + " |", "|" + "---|" * (len(faults) + 3)]
    for name, row in metrics.items():
        cells = [f"{marks[one['seen']]}{number(one['value'])}{marks[one['seen']]}" for one in row["faults"].values()]
        true = f"{number(row['true'])} ± {row['deviation']:.1g}"
        lines.append(f"| `{name}` | {row['better']} | {true} | " + " | ".join(cells) + " |")
    told = f"{content['data']}; {content['seeds']} draws of true samples; {measured_with(content)}."
    return "\n".join([*lines, "", f"`{content['command']}`: {told}"])


def extent(ordered: Sequence[str]) -> str:
    """The first and the last, or one if they are the same: seeds may get networks of other widths."""
    return ordered[0] if ordered[0] == ordered[-1] else f"{ordered[0]} to {ordered[-1]}"


def shorter(text: str) -> str:
    """Thousands in digits: 2.39e+03 becomes 2390."""
    return re.sub(r"[\d.]+e\+\d+", lambda found: f"{float(found[0]):,.0f}", text)


def number(value: float) -> str:
    return shorter(f"{value:.3g}")


def fill(page: str, marker: str, body: str) -> str:
    """Return `page` with `body` between the two comments of a marker, which are appended if they are missing."""
    begin, end = f"<!-- {marker}: begin -->", f"<!-- {marker}: end -->"
    if begin not in page or end not in page:
        page = f"{page.rstrip()}\n\n{begin}\n{end}\n"
    before, rest = page.split(begin, 1)
    return f"{before}{begin}\n\n{body}\n\n{end}{rest.split(end, 1)[1]}"


OTHERS: tuple[tuple[str, str, str, Callable[[dict[str, Any]], str]], ...] = (
    ("metrics.json", "measuring.md", "noticed", noticed_section),
    ("quadrants.json", "measuring.md", "quadrants", quadrants.section),
    ("axes.json", "combinations.md", "axes", axes.section),
    ("reliability.json", "reliability.md", "reliability", reliability.section),
    ("speed/large_images.json", "large-images.md", "large-images", section),
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table", description=__doc__)
    parser.add_argument("--results", type=Path, default=FOLDER)
    parser.add_argument("--claims", type=Path, default=JUDGED)
    parser.add_argument("--real", type=Path, default=REAL)
    parser.add_argument("--page", type=Path, default=PAGE)
    chosen = parser.parse_args(arguments)
    measured = [json.loads(path.read_text()) for path in sorted(chosen.results.glob("*.json"))]
    if not measured:
        print(f"no results in {chosen.results}; run `python -m benchmarks.speed NAME` first", file=sys.stderr)
        return 1
    for result, page, marker, body in OTHERS:
        to, found = chosen.page.with_name(page), chosen.results.parent / result
        if to.is_file() and found.is_file():
            to.write_text(fill(to.read_text(), marker, body(json.loads(found.read_text()))))
    chosen.page.parent.mkdir(parents=True, exist_ok=True)
    page = chosen.page.read_text() if chosen.page.is_file() else "# Benchmarks\n"
    page = fill(page, "speed", "\n\n".join(section(one) for one in measured))
    judged = {path.stem: json.loads(path.read_text()) for path in sorted(chosen.claims.glob("*.json"))}
    if judged:
        claims = chosen.page.with_name("claims.md")
        whole = claims.read_text() if claims.is_file() else "# Claims\n"
        whole = fill(whole, "ledger", ledger(judged))
        sections = "\n\n".join(claims_section(name, found) for name, found in judged.items())
        claims.write_text(fill(whole, "claims", sections))
    if (gallery := chosen.page.with_name("gallery.md")).is_file():
        text = gallery.read_text()
        for path in sorted(chosen.real.glob("*.json")):
            text = fill(text, path.stem, real_section(json.loads(path.read_text())))
        gallery.write_text(text)
    chosen.page.write_text(page)
    print(f"{len(measured) + len(judged)} tables written to {chosen.page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
