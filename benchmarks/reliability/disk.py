"""A disk that fills up at the k-th write of a run, and a kill around the k-th one, for every k of a short run.

Afterwards the last checkpoint and the model open, and a resumed run is the run without the fault. `disk` also trains in
a file system of limited size where root may mount one, so that the writes themselves fail, somewhere in a file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .faults import Operations, die_after_rename, die_at_write, fill_disk
from .processes import Ended, in_child
from .trials import differing, good_state, training

STEPS, EVERY = 4, 2
METHODS = ("pix2pix", "cimle")
SIZES = 40  # file systems, from too small for anything to large enough
Fault = Callable[[Path, int], object]


def disk(work: Path, quick: bool) -> list[dict[str, Any]]:
    rows = [every_write(name, "disk full from write", fill_disk, work, quick) for name in METHODS[: 1 if quick else 2]]
    mounted = small_disks(work, 1 if quick else SIZES)
    return rows + ([mounted] if mounted else [])


def rename(work: Path, quick: bool) -> list[dict[str, Any]]:
    names = METHODS[: 1 if quick else 2]
    rows = [every_write(name, "killed before write", die_at_write, work, quick) for name in names]
    after: Fault = lambda folder, number: die_after_rename(number)  # noqa: E731
    return rows + [every_write(name, "killed after rename", after, work, quick) for name in names]


def every_write(name: str, what: str, fault: Fault, work: Path, quick: bool) -> dict[str, Any]:
    """The fault at each write of a run, one after the other; in quick mode at one or two of them."""
    reference, log = work / f"{name}-reference", work / "logs" / f"{name}.log"
    count = writes(name, reference, log)
    renames = count.pop("renames")
    total = renames if "rename" in what else sum(count.values())
    few = (total // 2,) if "rename" in what else (total // 3, 2 * total // 3)
    numbers = few if quick else range(1, total + 1)
    ends: dict[str, int] = {}
    failures = []
    for number in numbers:
        folder = work / "run"
        shutil.rmtree(folder, ignore_errors=True)
        ended = in_child(with_fault(fault, name, folder, number), log)
        ends[ended.how] = ends.get(ended.how, 0) + 1
        failures += [f"{what} {number}: {problem}" for problem in problems(name, folder, reference, ended, log)]
    return {
        "case": f"{name}, {what} 1 to {total}" + (", a few of them" if quick else ""),
        "method": name,
        "faults": len(numbers),
        "ends": ends,
        "writes": count,
        "failures": failures,
    }


def with_fault(fault: Fault, name: str, folder: Path, number: int) -> Callable[[], None]:
    def act() -> None:
        fault(folder, number)
        training(name, folder, STEPS, EVERY)()

    return act


def problems(name: str, folder: Path, reference: Path, ended: Ended, log: Path) -> list[str]:
    """What is wrong with how a faulty run ended, with what it left, or with the run after it was resumed."""
    if ended.how in ("traceback", "hung"):
        return [ended.words]
    if folder.is_dir():
        opened = in_child(lambda: good_state(folder), log)
        if opened.how != "done":
            return [f"what was saved does not open: {opened.words}"]
    resumed = in_child(training(name, folder, STEPS, EVERY), log)
    return [resumed.words] if resumed.how != "done" else differing(folder, reference)


def writes(name: str, reference: Path, log: Path) -> dict[str, int]:
    """How many writes of each kind a run has; it becomes the reference."""
    shutil.rmtree(reference, ignore_errors=True)

    def counted() -> list[str]:
        operations = Operations(reference, lambda number, kind: None)
        training(name, reference, STEPS, EVERY)()
        return operations.seen

    ended = in_child(counted, log)
    if ended.how != "done":
        raise RuntimeError(f"{name}: {ended.words}")
    seen: list[str] = ended.result
    return {kind: seen.count(kind) for kind in sorted(set(seen))} | {"renames": seen.count("os.rename")}


def small_disks(work: Path, count: int) -> dict[str, Any] | None:
    """Runs in file systems from a few kilobytes to all that a run needs; None where they cannot be mounted."""
    name, log = METHODS[0], work / "logs" / "disks.log"
    reference = work / f"{name}-reference"
    needed = sum(path.stat().st_size for path in reference.rglob("*") if path.is_file()) * 3 // 2
    ends: dict[str, int] = {}
    failures = []
    for i in range(count):
        size = max(4096, needed * (2 * i + 1) // (2 * count))
        with mounted(work / "disk", size) as place:
            if place is None:
                return None
            ended = in_child(training(name, place / "run", STEPS, EVERY), log)
            ends[ended.how] = ends.get(ended.how, 0) + 1
            remount(place, 4 * needed)
            failures += [f"{size} bytes: {one}" for one in problems(name, place / "run", reference, ended, log)]
    return {
        "case": f"{name}, in {count} file systems of 4 kB to {needed >> 10} kB",
        "method": name,
        "faults": count,
        "ends": ends,
        "failures": failures,
    }


@contextmanager
def mounted(place: Path, size: int) -> Iterator[Path | None]:
    """A file system of that many bytes; None if this user may not mount one."""
    place.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=False, capture_output=True)


def remount(place: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True, capture_output=True)
