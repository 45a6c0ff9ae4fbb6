"""`python -m benchmarks.reliability`: interrupt runs, feed readers with bad input, and count what is lost or raised.

Parts: kills, fuzz, disk, rename, clock, lock. Each part replaces its own section of the results, so that parts can be
run one after the other; kills and fuzz go on where they were interrupted. Exit status 1 if anything failed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: forked children must not inherit threads

FILE = Path(__file__).parents[1] / "results" / "reliability.json"
PARTS = ("kills", "fuzz", "disk", "rename", "clock", "lock")
Part = Callable[[Path, bool], list[dict[str, Any]]]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=__doc__)
    parser.add_argument("--part", choices=PARTS, action="append", help="default: all")
    parser.add_argument("--quick", action="store_true", help="a few faults of each kind, to check that it runs")
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--work", type=Path, default=Path("runs") / "reliability", help="where runs are made")
    chosen = parser.parse_args(arguments)
    work = (chosen.work / ("quick" if chosen.quick else "full")).resolve()
    os.environ["VARIEGATE_CACHE"] = str(work / "cache")
    acts = prepare()
    for name in chosen.part or PARTS:
        began = time.monotonic()
        rows = acts[name](work / name, chosen.quick)
        results = json.loads(chosen.out.read_text()) if chosen.out.is_file() else {}  # others may run other parts
        results[name] = about(name, rows, chosen.quick) | {"seconds": round(time.monotonic() - began, 1)}
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
        failures = [failure for row in rows for failure in row["failures"]]
        for kept in [*(work / name).glob("*.jsonl"), work / name / "built"]:  # the next call begins anew
            kept.unlink(missing_ok=True)
        print(f"{name}: {len(rows)} cases, {len(failures)} failures, {results[name]['seconds']} s", flush=True)
        for failure in failures[:20]:
            print(f"    {failure}", flush=True)
    return int(any(row["failures"] for part in results.values() for row in part["rows"]))


def prepare() -> dict[str, Part]:
    """The parts, in a process that has imported all that training imports, with one thread."""
    import torch

    torch.set_num_threads(1)
    from . import clock, disk, fuzz, kills, lock
    from .processes import warm

    warm()
    return {
        "kills": kills.part,
        "fuzz": fuzz.part,
        "disk": disk.disk,
        "rename": disk.rename,
        "clock": clock.part,
        "lock": lock.part,
    }


def about(name: str, rows: list[dict[str, Any]], quick: bool) -> dict[str, Any]:
    """What a part found, and what it was found with."""
    from ..speed.results import machine, versions

    command = f"python -m benchmarks.reliability --part {name}" + " --quick" * quick
    return {"command": command, "quick": quick, "rows": rows, "machine": machine(), "versions": versions()}


if __name__ == "__main__":
    sys.exit(main())
