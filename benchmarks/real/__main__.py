"""`python -m benchmarks.real [--minutes 10] [--data streets facades ...] [--methods flow ...] [--seeds 0 1 2]`

Every method trains for the same time on one core, with the widths that `--minutes` chooses, at 64x64, and is measured
by the protocol quick. Rows are cached one by one, so a stopped table continues. The page is made by
`python -m benchmarks.table`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from ..claims.runs import one_thread
from ..speed.results import machine, versions
from .rows import DATA, METHODS, SOLVED_ANEW, Row, side_by_side

RESULTS = Path(__file__).parents[1] / "results" / "real"
PICTURES = Path(__file__).parents[2] / "docs" / "images"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="streets only; others have the first")
    parser.add_argument("--cache", type=Path, default=Path("runs/real"))
    parser.add_argument(
        "--workers", type=int, default=multiprocessing.cpu_count(), help="trainings at once, one core each"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    rows = [
        Row(data, method, seed, chosen.minutes, chosen.cache)
        for data in chosen.data
        for seed in (chosen.seeds if data == "streets" else chosen.seeds[:1])
        for method in chosen.methods
    ]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(chosen.workers, context, initializer=one_thread) as pool:
        list(pool.map(Row.run, [row for row in rows if row.method not in SOLVED_ANEW]))
        found = list(pool.map(Row.run, rows))
    chosen.out.mkdir(parents=True, exist_ok=True)
    content = {
        "command": f"python -m benchmarks.real --minutes {chosen.minutes:g}",
        "minutes": chosen.minutes,
        "versions": versions(),
        "machine": machine(),
        "rows": found,
    }
    for data in chosen.data:
        own = [row for row in found if row["data"] == data]
        first = [row for row in rows if row.data == data and row.seed == chosen.seeds[0]]
        for i in range(2):
            if (page := side_by_side(first, i)) is not None:
                page.save(PICTURES / f"gallery-{data}-{i}.png")
        path = chosen.out / f"{data}.json"
        path.write_text(json.dumps(content | {"rows": own}, indent=1) + "\n")
        print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
