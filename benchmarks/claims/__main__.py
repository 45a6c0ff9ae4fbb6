"""`python -m benchmarks.claims NAME [--quick] [--only PART ...]`

Runs are cached by their configuration (in `runs/claims` unless --cache is given): a second start continues where the
first one stopped, and a changed setting retrains only what it affects.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from variegate.core.memory import keep_freed_memory

from ..speed.results import machine, versions
from . import CLAIMS
from .runs import Settings

FOLDER = Path(__file__).parents[1] / "results" / "claims"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.claims", description=__doc__)
    parser.add_argument("name", choices=CLAIMS)
    parser.add_argument(
        "--quick", action="store_true", help="two steps, one seed, to check that it runs; proves nothing"
    )
    parser.add_argument("--only", nargs="+", metavar="PART", help="measure some parts; keep the results of the others")
    parser.add_argument("--cache", type=Path, default=Path("runs/claims"))
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="number of parallel training runs, one thread each"
    )
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the JSON files")
    chosen = parser.parse_args(arguments)
    parts = CLAIMS[chosen.name]
    for part in chosen.only or ():
        if part not in parts:
            parser.error(f"--only {part}: the parts of {chosen.name} are {', '.join(parts)}")
    keep_freed_memory()
    settings = Settings(chosen.cache, chosen.quick, chosen.workers)
    shared = {"versions": versions(), "machine": machine()}
    found = []
    for part in chosen.only or parts:
        command = f"python -m benchmarks.claims {chosen.name} --only {part}" + (" --quick" if chosen.quick else "")
        about = {"part": part, "command": command} | shared
        found += [claim.to_dict() | about for claim in parts[part](settings)]
    chosen.out.mkdir(parents=True, exist_ok=True)
    path = chosen.out / f"{chosen.name}.json"
    known = json.loads(path.read_text()) if chosen.only and path.is_file() else []
    path.write_text(json.dumps(updated(known, found), indent=1) + "\n")
    for claim in found:
        verdict = {True: "holds", False: "does not hold", None: "not judged"}[claim["holds"]]
        print(f"{claim['id']:12} {verdict:14} {claim['claim']}\n{'':27} {claim['note']}")
    print(f"written to {path}")
    return 0


def updated(known: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Replace what is known of the same parts: a claim of the same id in its place; new ones follow."""
    new, parts = {claim["id"]: claim for claim in found}, {claim["part"] for claim in found}
    kept = [new.pop(claim["id"], claim) for claim in known if claim["id"] in new or claim["part"] not in parts]
    return [*kept, *new.values()]


if __name__ == "__main__":
    sys.exit(main())
