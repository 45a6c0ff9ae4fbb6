"""10,000 damaged inputs: each gives a result or one sentence, in time, in bounded memory, and overwrites nothing.

Input i is a function of i alone. A worker reads them one after the other; when one kills it or hangs it, the next
worker goes on behind that one.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import struct
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from variegate.core.errors import VariegateError

from .processes import SLEEPING, Child, in_child
from .targets import Target, build, targets

COUNT, QUICK = 10_000, 100
SECONDS, ROOM = 10, 3 << 30  # per input; bytes of address space beyond what the worker has at its start
MOST = 60.0  # seconds, after which a worker that does not even answer the alarm is killed
SEED = 20_261


class Hang(BaseException):
    """An input took longer than SECONDS."""


def part(work: Path, quick: bool) -> list[dict[str, Any]]:
    """One row for each kind of file."""
    root, log = work / "good", work / "fuzz.log"
    if not (work / "built").is_file():
        shutil.rmtree(root, ignore_errors=True)
        ended = in_child(lambda: build(root), log, 600)
        if ended.how != "done":
            raise RuntimeError(ended.words)
        (work / "built").touch()
    every = targets(root)
    outcomes = dict(read_all(every, range(QUICK if quick else COUNT), work))
    rows: dict[str, dict[str, Any]] = {}
    for number, found in outcomes.items():
        kind = chosen(every, number).kind
        row = rows.setdefault(kind, {"case": kind, "inputs": 0, "accepted": 0, "refused": 0, "failures": []})
        row["inputs"] += 1
        row["accepted"] += found["how"] == "accepted"
        row["refused"] += found["how"] == "refused"
        if found["how"] not in ("accepted", "refused"):
            row["failures"].append(f"input {number}: {found['how']}: {found['words']}")
    return list(rows.values())


def chosen(every: list[Target], number: int) -> Target:
    return random.Random(f"kind {SEED} {number}").choices(every, [target.weight for target in every])[0]


def read_all(every: list[Target], numbers: range, work: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Every number with how it ended; results of an earlier, interrupted call are kept in a file."""
    kept = work / f"fuzz-{numbers.stop}.jsonl"
    known = [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []
    yield from ((one["number"], one) for one in known)
    at = len(known)
    with kept.open("a") as file:
        while at < numbers.stop:
            for number, found in worker(every, range(at, numbers.stop), work):
                file.write(json.dumps({"number": number, **found}) + "\n")
                file.flush()
                yield number, found
                at = number + 1


def worker(every: list[Target], numbers: range, work: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """A child that reads inputs until it is done or dies; its death belongs to the input that it was reading."""
    read, write = os.pipe()
    child = Child(lambda: read_some(every, numbers, work, write), work / "fuzz.log")
    os.close(write)
    os.set_blocking(read, False)
    said, last, heard, number = b"", 0.0, time.monotonic(), numbers.start
    while True:
        try:
            more = os.read(read, 1 << 16)
        except BlockingIOError:
            if child.spent() - last > MOST or time.monotonic() - heard > SLEEPING * MOST:
                child.kill()
            time.sleep(0.002)
            continue
        if not more:
            break
        said, last, heard = said + more, child.spent(), time.monotonic()
        while len(said) >= 4 and len(said) >= 4 + (size := struct.unpack("<I", said[:4])[0]):
            content, said = json.loads(said[4 : 4 + size]), said[4 + size :]
            yield number, content
            number += 1
    os.close(read)
    ended = child.wait()
    if number < numbers.stop:
        yield number, {"how": "hung" if ended.words.endswith("9") else "died", "words": ended.words}


def read_some(every: list[Target], numbers: range, work: Path, answer: int) -> None:
    """In the worker."""
    whole = resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (whole + ROOM, resource.RLIM_INFINITY))
    signal.signal(signal.SIGPROF, hang)
    place = work / "worker"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(work / "good", place)
    mine = {target.file: target for target in targets(place)}
    contents = [target.file.read_bytes() for target in every]
    for number in numbers:
        target = chosen(every, number)
        own = place / target.file.relative_to(work / "good")
        rng = random.Random(f"damage {SEED} {number}")
        damaged = target.damage(rng, target.file.read_bytes(), rng.choice(contents))
        own.write_bytes(damaged)
        content = json.dumps(attempt(own, mine[own], place)).encode()
        os.write(answer, struct.pack("<I", len(content)) + content)
        shutil.copy(target.file, own)


def attempt(own: Path, target: Target, place: Path) -> dict[str, str]:
    """Read one input."""
    before = listing(place)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # of processor time: a busy machine is no fault of the reader
    try:
        target.read(own)
        how, words = "accepted", ""
    except VariegateError as error:
        how, words = "refused", str(error)
        if "\n" in words.strip() or not words:
            how = "more than one sentence"
    except Hang:
        how, words = "hung", f"longer than {SECONDS} s"
    except BaseException as error:
        frame = traceback.extract_tb(error.__traceback__)
        own_frames = [one for one in frame if "variegate" in one.filename and "reliability" not in one.filename]
        at = f" ({Path(own_frames[-1].filename).name}:{own_frames[-1].lineno})" if own_frames else ""
        how, words = "traceback", traceback.format_exception_only(error)[-1].strip()[:300] + at
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if how == "refused":
        shutil.rmtree(place / "restored", ignore_errors=True) if (place / "restored").exists() else None
    after = listing(place)
    changed = sorted(str(path) for path in {*before, *after} if before.get(path) != after.get(path))
    changed = [path for path in changed if "restored" not in path]
    shutil.rmtree(place / "restored", ignore_errors=True)
    if changed:
        return {"how": "overwrote", "words": ", ".join(changed[:3])}
    return {"how": how, "words": "" if how in ("accepted", "refused") else words}


def listing(place: Path) -> dict[Path, tuple[int, ...]]:
    """What every file is, without reading it: another content needs another time or number."""
    found = {}
    for path in place.rglob("*"):
        one = path.stat()
        if not path.is_dir():
            found[path] = (one.st_size, one.st_mtime_ns, one.st_ino)
    return found


def hang(*_: Any) -> None:
    raise Hang
