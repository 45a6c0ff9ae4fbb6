"""`python -m benchmarks.gpu [--device cuda] [--minutes 20] [--row-seconds 90] [--switches plain bf16 ...] [--retry]`

Measures what is not yet in results/gpu.json, and writes after every row, so a stopped run continues. `--device cpu
--quick` runs the same code at tiny sizes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import torch

from variegate.core.device import require_device
from variegate.core.errors import ConfigError
from variegate.core.files import write_text

from ..speed.results import machine, versions
from .cases import FAMILIES, QUICK, SWITCHES, Case, cases
from .worker import Worker

RESULTS = Path(__file__).parents[1] / "results" / "gpu.json"
NO_CARD = 3  # exit status
OTHER = 4


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--quick", action="store_true", help="tiny sizes; the numbers mean nothing")
    parser.add_argument("--minutes", type=float, default=20, help="no row begins later")
    parser.add_argument("--row-seconds", type=float, default=90, help="a row that takes longer is given up")
    parser.add_argument("--switches", nargs="+", choices=SWITCHES, default=list(SWITCHES))
    parser.add_argument("--methods", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--retry", action="store_true", help="measure rows with a problem again")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    try:
        require_device(chosen.device)
        if chosen.device == "cpu" and not chosen.quick:
            raise ConfigError("--device cpu is for trying this out and needs --quick; nothing was measured")
    except ConfigError as error:
        print(f"{error}; nothing was written", file=sys.stderr)
        return NO_CARD
    typed = list(sys.argv[1:] if arguments is None else arguments)
    content = about(chosen, typed)
    if chosen.out.is_file():
        before = json.loads(chosen.out.read_text())
        if differ := [name for name in ("card", "versions", "quick", "seed") if before[name] != content[name]]:
            print(
                f"{chosen.out} was measured with another {' and '.join(differ)}; move it away, or give another --out",
                file=sys.stderr,
            )
            return OTHER
        content["rows"] = before["rows"]
    wanted = [case for case in cases(chosen.switches, chosen.quick) if case.method in chosen.methods]
    left = fill(content, wanted, chosen)
    done = [row for row in content["rows"].values() if "seconds" in row]
    print(f"{len(done)} rows, {len(content['rows']) - len(done)} with a problem, {left} left; written to {chosen.out}")
    return 0


def about(chosen: argparse.Namespace, typed: Sequence[str]) -> dict[str, Any]:
    """What the rows are measured with."""
    return {
        "command": " ".join(["python -m benchmarks.gpu", *typed]),
        "quick": chosen.quick,
        "seed": chosen.seed,
        "card": card(chosen.device),
        "versions": versions(),
        "machine": machine(),
        "switches": dict(SWITCHES),
        "rows": {},
    }


def card(device: str) -> dict[str, Any]:
    """Name, memory, driver, CUDA and cuDNN."""
    if device == "cpu":
        return {"name": "none", "memory_gigabytes": 0, "driver": None, "cuda": None, "cudnn": None}
    properties = torch.cuda.get_device_properties(0)
    return {
        "name": properties.name,
        "memory_gigabytes": round(properties.total_memory / 1e9, 1),
        "driver": driver(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def driver() -> str | None:
    """The version of the kernel's driver, where the system tells it."""
    told = Path("/proc/driver/nvidia/version")
    words = told.read_text().split() if told.is_file() else []
    return next((word for word in words if word[0].isdigit() and word.count(".") >= 1), None)


def fill(content: dict[str, Any], wanted: Sequence[Case], chosen: argparse.Namespace) -> int:
    """Measure what is missing, as long as the time lasts; returns how many rows are left."""
    rows, began = content["rows"], monotonic()
    missing = [case for case in wanted if case.id not in rows or (chosen.retry and "problem" in rows[case.id])]
    worker = Worker(chosen.device, chosen.seed)
    try:
        for done, case in enumerate(missing):
            if monotonic() - began > 60 * chosen.minutes:
                return len(missing) - done
            found = worker.row(case, chosen.row_seconds)
            rows[case.id] = {**facts(case), **found}
            write_text(chosen.out, json.dumps(content, indent=1) + "\n")
            told = found.get("problem") or f"{found['images_per_second']:.4g} images/s"
            print(f"{case.id}: {told}", flush=True)
    finally:
        worker.stop()
    return 0


def facts(case: Case) -> dict[str, Any]:
    options = QUICK[case.method][1] if case.quick else FAMILIES[case.method].published if case.published else {}
    return {**case._asdict(), "size": list(case.size), "options": options}


if __name__ == "__main__":
    sys.exit(main())
