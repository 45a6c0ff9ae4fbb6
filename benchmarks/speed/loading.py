"""Whether reading images delays training: at 128 px with 2 workers, from a folder and from shards; and the start.

The first rows give the share of an epoch in which the loop of training waits for the loader, after its first batch
(`seconds_first`), of `seconds` in all; `images` is how many pairs the two workers alone read in a second. The others
give seconds from a bare interpreter to the first pair of 100,000, which are hard links to a few files: without a cached
scan, with what the first start left in the cache (if only packing has read the folder, names and sizes are still to be
looked at), and from shards; `--clock processor` counts those of the processor. A row's `ratio` is what was measured
over what is allowed.

Predicted before the cache was written: 0.01 of an epoch is waited for on a processor, where compute is slow; the start
takes 90 s without a scan, of which 80 s are a look at every label map, and 8 s with one, of which 3 s are imports.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest.mock import patch

from PIL import Image
from torch.utils.data import DataLoader

from variegate import train
from variegate.data.dataset.opening import DataConfig, open_data
from variegate.data.dataset.packing import pack
from variegate.data.dataset.visits import Visits, collate
from variegate.data.streets.streets import Streets
from variegate.runs.settings import ExecutionSettings
from variegate.training import loop

from .measure import Clock, processor_seconds, timed
from .results import Row, Settings, row

SHARE, START = 0.05, 10.0  # of an epoch, and seconds, that are allowed
PREDICTED = {"share": 0.01, "first start": 90.0, "start": 8.0}
SIDE, WORKERS, BATCH, WIDTH, FILES = 128, 2, 4, 16, 16
START_CODE = """
import sys
from variegate.data.dataset.opening import DataConfig
pairs = DataConfig(path=sys.argv[1]).open()
assert pairs.source.fingerprint
pairs.raw(0)
"""


def rows(settings: Settings) -> list[Row]:
    many, few, steps = (300, 64, 4) if settings.quick else (100_000, 400, 60)
    with tempfile.TemporaryDirectory() as place, patch.dict(os.environ, VARIEGATE_CACHE=f"{place}/cache"):
        folder, large = linked(Path(place, "few"), few), linked(Path(place, "many"), many)
        for data in (folder, large):
            pack(DataConfig(path=str(data)), data.with_name("shards"))
        now = perf_counter if settings.clock == "wall" else processor_seconds
        return [*shares(folder, steps), *starts(large, many, now)]


def shares(folder: Path, steps: int) -> list[Row]:
    found = []
    for case, data in (("folder", folder), ("shards", folder.with_name("shards"))):
        waits, whole = waited(data, data.with_name(f"run-{case}"), steps)
        share = sum(waits[1:]) / (whole - waits[0])
        details = {"images": read_per_second(data), "seconds_first": waits[0], "seconds": whole, "steps": steps}
        found.append(
            row(
                f"share, {case}",
                share / SHARE,
                1.0,
                share=share,
                allowed=SHARE,
                predicted=PREDICTED["share"],
                **details,
            )
        )
    return found


def starts(folder: Path, count: int, now: Clock) -> list[Row]:
    """The first start has a cache of its own, which the next one finds; that of the shards is as packing left it."""
    found = []
    shards, alone = folder.with_name("shards"), {"VARIEGATE_CACHE": f"{folder.parent}/empty"}
    cases: tuple[tuple[str, Path, dict[str, str]], ...] = (
        ("first start", folder, alone),
        ("start, cached scan", folder, alone),
        ("start, shards", shards, {}),
    )
    for case, data, environment in cases:
        words = [sys.executable, "-c", START_CODE, str(data)]
        seconds = timed(lambda: subprocess.run(words, check=True, env=os.environ | environment), now)  # noqa: B023
        first = case == "first start"
        predicted = PREDICTED["first start" if first else "start"]
        ratio, limit = (None, None) if first else (seconds / START, 1.0)
        found.append(row(f"{case}, {count} pairs", ratio, limit, seconds=seconds, allowed=START, predicted=predicted))
    return found


def linked(root: Path, count: int) -> Path:
    """A folder of `count` pairs of label map and image, hard links to `FILES` streets."""
    streets = Streets((SIDE, SIDE), FILES)
    root.mkdir(parents=True)
    for i in range(FILES):
        Image.fromarray(streets.layout(i)[0].numpy()).save(root / f"{i}.png")
        Image.fromarray(streets.image(i).permute(1, 2, 0).numpy()).save(root / f"{i}.jpg", quality=90)
    for side, suffix in (("train_label", "png"), ("train_img", "jpg")):
        (root / "data" / side).mkdir(parents=True)
        for i in range(count):
            os.link(root / f"{i % FILES}.{suffix}", root / "data" / side / f"{i:06d}.{suffix}")
    return root / "data"


def waited(data: Path, out: Path, steps: int) -> tuple[list[float], float]:
    """Seconds that training waits for each batch, and from the first wait to its end."""
    waits: list[float] = []
    began: list[float] = []

    class Timed(DataLoader[Any]):
        def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
            began.append(perf_counter())
            batches = super().__iter__()
            while True:
                start = perf_counter()
                batch = next(batches)
                waits.append(perf_counter() - start)
                yield batch

    run = ExecutionSettings(quiet=True, device="cpu", workers=WORKERS)
    with patch.object(loop, "DataLoader", Timed):
        train("pix2pix", data, out, steps=steps, batch_size=BATCH, width=WIDTH, run=run)
    return waits, perf_counter() - began[0]


def read_per_second(data: Path) -> float:
    """Pairs that the workers read in a second, if nothing else runs; none is read twice by one worker."""
    visits = Visits(open_data(data))
    order = [(index, index) for index in range(len(visits))]
    loader = DataLoader(visits, BATCH, sampler=order, num_workers=WORKERS, collate_fn=collate)
    batches = iter(loader)
    next(batches)
    start = perf_counter()
    count = sum(1 for _ in batches)
    return count * BATCH / (perf_counter() - start)
