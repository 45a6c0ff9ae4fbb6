"""`kill -9` at random times of training, again and again, until the run is done: it is the run without a kill.

Half of the kills come at a time drawn uniformly from the duration of a run; the other half wait for a checkpoint or
model that is being written, and come within MOMENT of that.
"""

from __future__ import annotations

import json
import random
import shutil
import time
from pathlib import Path
from typing import Any

from .processes import Child, in_child
from .trials import METHODS, differing, remains, training

MOMENT = 0.03  # seconds
MOST = 4  # kills of one run


def part(work: Path, quick: bool) -> list[dict[str, Any]]:
    """One row for each killed run; together they have 100 kills, or 2 in quick mode."""
    rows: list[dict[str, Any]] = []
    names = ["pix2pix"] if quick else [*METHODS]
    references = {}
    wanted, kept = 2 if quick else 100, work / "rows.jsonl"
    if kept.is_file():  # of an earlier call that was interrupted
        rows = [json.loads(line) for line in kept.read_text().splitlines()]
    seed, kills = len(rows), sum(row["kills"] for row in rows)
    while kills < wanted:
        name = names[seed % len(names)]
        if name not in references:
            references[name] = reference(name, work)
        row = chain(name, seed, work / f"{name}-{seed}", references[name], min(MOST, wanted - kills))
        rows.append(row)
        with kept.open("a") as file:
            file.write(json.dumps(row) + "\n")
        kills, seed = kills + row["kills"], seed + 1
    return rows


def reference(name: str, work: Path) -> tuple[Path, float]:
    """A run that is never killed, and its seconds; in the middle of three, so that a busy moment counts little."""
    folder = work / f"{name}-reference"
    shutil.rmtree(folder, ignore_errors=True)
    ended = in_child(training(name, folder), work / "logs" / f"{name}.log")
    if ended.how != "done":
        raise RuntimeError(f"{name}: {ended.words}")
    return folder, ended.seconds


def chain(name: str, seed: int, folder: Path, whole: tuple[Path, float], most: int) -> dict[str, Any]:
    """A run that is killed at most so many times, then left to end."""
    shutil.rmtree(folder, ignore_errors=True)
    rng, began, kills, halves = random.Random(seed), time.monotonic(), 0, 0
    log = folder.with_suffix(".log")
    failures: list[str] = []
    while kills < most and not failures:
        child = Child(training(name, folder), log)
        if rng.random() < 0.5:
            time.sleep(rng.uniform(0, whole[1]))
        else:
            await_writing(child, folder, rng)
        early = not child.ended()
        child.kill()
        ended = child.wait()
        if not early:  # it was done before
            if ended.how != "done":
                failures.append(ended.words)
            break
        kills += 1
        halves += bool(remains(folder)) if folder.is_dir() else 0
    if not failures:
        ended = in_child(training(name, folder), log)
        failures = [ended.words] if ended.how != "done" else differing(folder, whole[0])
    if not failures:
        shutil.rmtree(folder)
        log.unlink(missing_ok=True)
    return {
        "case": f"{name}, seed {seed}",
        "method": name,
        "kills": kills,
        "while_writing": halves,
        "seconds": round(time.monotonic() - began, 1),
        "failures": failures,
    }


def await_writing(child: Child, folder: Path, rng: random.Random) -> None:
    """Until something is being written for the n-th time, and a moment longer."""
    left, before = rng.randint(1, 6), False
    while not child.ended():
        now = any(
            place.is_dir() and any(path.name.startswith(".") and "writing" in path.name for path in place.iterdir())
            for place in (folder, folder / "checkpoints")
        )
        left -= now and not before
        if left == 0:
            time.sleep(rng.uniform(0, MOMENT))
            return
        before = now
        time.sleep(0.0005)
