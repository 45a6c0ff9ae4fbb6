"""Who may use a run directory at once: two trainings, readers beside a training, all in a directory without rights."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from variegate.cli import main
from variegate.runs.lock import NAME

from .processes import Child, Ended, in_child
from .trials import differing, training

DENIED = ("annot be written", "ermission denied", "ead-only file system")
METHOD = "pix2pix"


def part(work: Path, quick: bool) -> list[dict[str, Any]]:
    for place in (work / "reference", work / "run"):
        shutil.rmtree(place, ignore_errors=True)
    log = work / "lock.log"
    ended = in_child(training(METHOD, work / "reference"), log)
    if ended.how != "done":
        raise RuntimeError(ended.words)
    seeds = range(1 if quick else 10)
    return [
        row("two trainings at once", [one for seed in seeds for one in two_at_once(work, seed, log)]),
        row("read while it trains", read_while_training(work, log, quick)),
        row("a directory that cannot be written to", without_rights(work, log, quick)),
    ]


def row(case: str, failures: list[str]) -> dict[str, Any]:
    return {"case": case, "method": METHOD, "failures": failures}


def two_at_once(work: Path, seed: int, log: Path) -> list[str]:
    """One trains and the other is refused; the first is as if it had been alone. Then one after a killed one."""
    folder = work / "run"
    shutil.rmtree(folder, ignore_errors=True)
    first = Child(training(METHOD, folder), log)
    while not first.ended() and not written(folder / NAME):
        time.sleep(0.001)
    second = in_child(training(METHOD, folder), log)
    failures = [] if f"process {first.pid} on " in second.words else [f"second: {second.how} {second.words}"]
    if seed % 2:
        first.kill()
        first.wait()
        third = in_child(training(METHOD, folder), log)
        return failures + ([] if third.how == "done" else [third.words]) + differing(folder, work / "reference")
    ended = first.wait()
    return failures + ([] if ended.how == "done" else [ended.words]) + differing(folder, work / "reference")


def written(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.stat().st_size > 0
    return False


def read_while_training(work: Path, log: Path, quick: bool) -> list[str]:
    """The reference is held, as if it trained on."""
    from variegate.runs.lock import holding

    failures = []
    with holding(work / "reference"):
        for words in readers(work / "reference", work / "images", quick):
            ended = in_child(command(words), log)
            failures += [] if ended.how in ("done", "refused") else [f"{words[0]}: {ended.words}"]
            failures += [f"{words[0]}: {ended.words}"] if "trains in it" in ended.words else []
    return failures


def readers(run: Path, out: Path, quick: bool) -> list[list[str]]:
    """Commands that read a run; the last two also write into it."""
    inside = ["sample", str(run), "test:0", "-n", "2", "--out", str(run / "mine")]
    outside = [*inside[:-1], str(out)]
    slow = [["doctor", str(run)], ["evaluate", str(run), "--protocol", "quick"]]
    return [outside, *([] if quick else slow), inside]


def command(words: list[str]) -> Callable[[], int]:
    """A command; its exit status. Anything but 0, 2 and 1, with which doctor tells that something is wrong, fails."""

    def act() -> int:
        try:
            main(words)
        except SystemExit as end:
            if end.code not in (0, 2, None, *([1] if words[0] == "doctor" else [])):
                raise
            return int(end.code or 0)
        return 0

    return act


def without_rights(work: Path, log: Path, quick: bool) -> list[str]:
    """Every command works there, or says in one sentence what it cannot do; nothing changes."""
    out, failures = work / "images", []
    shutil.rmtree(out, ignore_errors=True)
    before = contents(work / "reference")
    with read_only(work / "reference", work / "mounted") as run:
        for words in readers(run, out, quick):
            said = work / f"{words[0]}.txt"
            said.unlink(missing_ok=True)
            ended: Ended = in_child(command(words), said)
            told = said.read_text(errors="replace").strip()
            if ended.how != "done" or "Traceback" in told:
                failures.append(f"{words[0]}: {ended.words or told.splitlines()[-1]}")
            elif ended.result == 2 and not any(word in told for word in DENIED):
                failures.append(f"{words[0]}: {told.splitlines()[-1]}")
        trained = in_child(training(METHOD, run, 20), log)
        if trained.how != "refused" or "cannot be written to" not in trained.words:
            failures.append(f"training: {trained.how} {trained.words}")
    return failures + ([] if contents(work / "reference") == before else ["something was written"])


@contextlib.contextmanager
def read_only(folder: Path, place: Path) -> Iterator[Path]:
    """Where the folder can be read, and not written: for root, who may write everywhere, a mount without writing."""
    if os.geteuid():
        inside = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
        for one in inside:
            one.chmod(0o555)
        try:
            yield folder
        finally:
            for one in inside:
                one.chmod(0o755)
        return
    place.mkdir(exist_ok=True)
    mount = ["mount", "--bind", str(folder), str(place)]
    for words in (mount, ["mount", "-o", "remount,bind,ro", str(place)]):
        subprocess.run(words, check=True, capture_output=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True, capture_output=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
