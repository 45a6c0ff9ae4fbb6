"""Bulk sampling of the bundled model into shards, one thread a process: images per second once all processes draw.

Every case is the whole command. What counts is the time between shards, from when every
process has finished its first; `seconds_first` is that until the first shard is there, which starting takes. Ratios are
to the time of one process.
"""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from variegate.data import open_data
from variegate.data.scenes.layouts import palette_image
from variegate.data.streets.streets import PALETTE

from .results import Row, Settings, row

CONDITIONS, IMAGES = 24, 32  # as many shards, and images of each
LIMIT = 0.7  # two processes on two processors that nobody else uses would take half the time
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
CASES = {
    "one process": ((), (), 1),
    "two processes": (TORCHRUN, (), 2),
    "Ray, two actors": ((), ("--ray", "local", "--ray-actors", "2"), 2),
}


def rows(settings: Settings) -> list[Row]:
    conditions = 6 if settings.quick else CONDITIONS
    cases = {name: case for name, case in CASES.items() if "Ray" not in name or find_spec("ray") is not None}
    with TemporaryDirectory() as folder:
        pairs, place = open_data(f"streets:{2 * conditions}", 64), Path(folder) / "layouts"
        place.mkdir()
        for i in range(conditions):
            palette_image(pairs.raw(i)[0][0], PALETTE).save(place / f"{i}.png")
        measured = {name: draw(Path(folder), name, *case) for name, case in cases.items()}
    alone = measured["one process"][0]
    found = []
    for name, (rate, first) in measured.items():
        ratio, limit = (None, None) if name == "one process" else (alone / rate, LIMIT)
        found.append(row(name, ratio, limit, images_per_second=rate, seconds_first=first, images=conditions * IMAGES))
    return found


def draw(
    folder: Path, name: str, launcher: tuple[str, ...], options: tuple[str, ...], processes: int
) -> tuple[float, float]:
    """Images per second when all processes draw, and seconds until the first shard is there."""
    out, started = folder / name, time.time()
    words = ["sample", "street", str(folder / "layouts"), "-n", str(IMAGES), "--shard", "--shard-images", str(IMAGES)]
    command = [sys.executable, *launcher, "-m", "variegate", *words, "--out", str(out), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    finished = sorted(path.stat().st_mtime for path in out.glob("*.tar"))
    return (len(finished) - processes) * IMAGES / (finished[-1] - finished[processes - 1]), finished[0] - started
