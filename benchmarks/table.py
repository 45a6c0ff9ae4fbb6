"""`python -m benchmarks.table`: the results of `benchmarks.speed` as tables in docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from .speed.results import COLUMNS, FOLDER, Result, text

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- speed: begin -->", "<!-- speed: end -->"


def section(measured: Result) -> str:
    """One benchmark: a table, then what it was measured with."""
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


def fill(page: str, body: str) -> str:
    """`page` with `body` between the markers; they are added at the end where they are missing."""
    if BEGIN not in page or END not in page:
        page = f"{page.rstrip()}\n\n{BEGIN}\n{END}\n"
    before, rest = page.split(BEGIN, 1)
    return f"{before}{BEGIN}\n\n{body}\n\n{END}{rest.split(END, 1)[1]}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table", description=__doc__)
    parser.add_argument("--results", type=Path, default=FOLDER)
    parser.add_argument("--page", type=Path, default=PAGE)
    chosen = parser.parse_args(arguments)
    measured = [json.loads(path.read_text()) for path in sorted(chosen.results.glob("*.json"))]
    if not measured:
        print(f"no results in {chosen.results}; run `python -m benchmarks.speed NAME` first", file=sys.stderr)
        return 1
    page = chosen.page.read_text() if chosen.page.is_file() else "# Benchmarks\n"
    chosen.page.parent.mkdir(parents=True, exist_ok=True)
    chosen.page.write_text(fill(page, "\n\n".join(section(one) for one in measured)))
    print(f"{len(measured)} tables written to {chosen.page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
