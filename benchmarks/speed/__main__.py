"""`python -m benchmarks.speed NAME [--quick] [--all]`"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from variegate.core.memory import keep_freed_memory

from . import BENCHMARKS
from .results import FOLDER, Settings, result, show, write


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("name", choices=BENCHMARKS)
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, to check that it runs; the ratios mean nothing"
    )
    parser.add_argument("--all", action="store_true", help="every size and memory layout, not only the main ones")
    parser.add_argument(
        "--clock", choices=("wall", "processor"), default="wall", help="use processor on a busy machine"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the JSON files")
    chosen = parser.parse_args(arguments)
    keep_freed_memory()  # as the command line does
    settings = Settings(quick=chosen.quick, every=chosen.all, clock=chosen.clock, seed=chosen.seed)
    typed = list(sys.argv[1:] if arguments is None else arguments)
    measured = result(chosen.name, BENCHMARKS[chosen.name](settings), settings, typed)
    path = write(measured, chosen.out)
    print(show(measured))
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
