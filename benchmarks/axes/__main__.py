"""`python -m benchmarks.axes`: every randomness with every objective, in one network for equally many seconds.

A small cascade (CRN) on streets at 32x32, one seed. Each combination trains for SECONDS of one processor thread; the
number of steps follows from the time of its first steps. What the library refuses is said in its words. Results are
cached by configuration, so an interrupted run goes on where it was. The truth's own scores stand beside.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from ..claims.runs import one_thread
from ..speed.results import machine, versions
from .page import picture
from .trials import DATA, GENERATOR, OBJECTIVES, RANDOMNESS, SECONDS, SIZE, costs, trial, truth

FILE = Path(__file__).parents[1] / "results" / "axes.json"
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "axes.png"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.axes", description=__doc__)
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    parser.add_argument("--cache", type=Path, default=Path("runs") / "axes")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--quick", action="store_true", help="a few steps of two combinations, to check that it runs")
    chosen = parser.parse_args(arguments)
    places = [(randomness, objective) for randomness in RANDOMNESS for objective in OBJECTIVES]
    places = [("latent", "adversarial, L1"), ("heads", "cvae_gan")] if chosen.quick else places
    seconds = 0.1 if chosen.quick else SECONDS
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(chosen.workers, context, initializer=one_thread) as pool:
        jobs = [pool.submit(trial, *place, chosen.cache, seconds) for place in places]
        rows = [job.result() for job in jobs]
    one_thread()
    for place, row in zip(places, rows):  # one after another, since these are times of a clock
        if "refused" not in row:
            row |= costs(*place, chosen.cache, seconds)
    content = {
        "command": "python -m benchmarks.axes",
        "data": f"{DATA} at {SIZE}x{SIZE}, seed 0, {seconds:g} processor seconds of one thread for each",
        "network": GENERATOR,
        "randomness": RANDOMNESS,
        "objectives": OBJECTIVES,
        "versions": versions(),
        "machine": machine(),
        "truth": truth(),
        "rows": {f"{randomness} x {objective}": row for (randomness, objective), row in zip(places, rows)},
    }
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(content, indent=1) + "\n")
    picture(content).save(chosen.picture)
    print(f"written to {chosen.out} and {chosen.picture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
