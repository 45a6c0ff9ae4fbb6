"""Sampling from a PixelCNN, with every activation computed once, against one parallel pass over known images.

A row's `ratio` is the time, or the peak memory, of sampling over that of one pass, for the same number of images.
`speed_up` is relative to one pass for every value, as in public code; those passes are counted, not run. The last rows
show how the time per pixel grows with the image.
"""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import patch

import torch

from variegate.core.interfaces import Shapes
from variegate.generators import pixelcnn
from variegate.generators.pixelcnn import PixelCNN, PixelCNNConfig
from variegate.networks.pixelcnn.compiled_steps import compiled
from variegate.randomness.none import NoRandomness

from .measure import peak_bytes, processor_seconds, timed
from .results import Row, Settings, row

LIMIT, MEMORY_LIMIT, GROWTH_LIMIT = 6.0, 3.0, 1.3
COMPILED = "gated, 1 image, compiled"  # by Numba, if it is installed; others of one image go through NumPy
COLOURS, SIDE, LIMITED = 3, 32, 16  # no limit for smaller batches: call overhead dominates
Task = Callable[[], object]


def rows(settings: Settings) -> list[Row]:
    batches, side = ((1, 2), 8) if settings.quick else ((1, 16, 64), SIDE)
    with patch.object(pixelcnn, "compiled", lambda: None):
        found = [measure(stacks, batch, side, settings) for stacks in ("gated", "plain") for batch in batches]
    found.insert(1, measure("gated", 1, side, settings, COMPILED) if compiled() else row(COMPILED, None, LIMIT))
    return [*found, memory(batches[1], side, settings), *growth(batches[1], settings)]


def built(stacks: str, side: int, settings: Settings) -> PixelCNN:
    torch.manual_seed(settings.seed)
    size = {"layers": 2, "width": 6, "head": 6} if settings.quick else {"layers": 10, "width": 66, "head": 66}
    config = PixelCNNConfig.model_validate({"stacks": stacks, **size})
    return config.build(NoRandomness(), Shapes(0, COLOURS, (side, side))).eval()


def tasks(generator: PixelCNN, batch: int, side: int, settings: Settings) -> tuple[Task, Task]:
    """Return two tasks: sampling, and one pass."""
    condition, codes = torch.zeros(1, 0, side, side), generator.draw([(settings.seed, i) for i in range(batch)])
    known = torch.rand(batch, COLOURS, side, side) * 2 - 1

    @torch.no_grad()
    def draw() -> object:
        return generator(condition, codes[None])

    @torch.no_grad()
    def once() -> object:
        return generator.logits(condition.expand(batch, -1, -1, -1), known)

    return draw, once


def measure(stacks: str, batch: int, side: int, settings: Settings, case: str = "") -> Row:
    draw, once_over = tasks(built(stacks, side, settings), batch, side, settings)
    if case:
        draw()  # compile
    taken = settings.compare(draw, once_over, pairs=3)
    drawn, once = taken.seconds
    return row(
        case or f"{stacks}, {batch} images",
        taken.ratio,
        LIMIT if batch >= LIMITED or case or settings.quick else None,
        size=[side, side],
        speed_up=COLOURS * side * side * once / drawn,
        **taken.details("drawn", "pass"),
    )


def memory(batch: int, side: int, settings: Settings) -> Row:
    def run(which: int) -> object:
        return tasks(built("gated", side, settings), batch, side, settings)[which]()

    drawn, once = (peak_bytes(lambda which=which: run(which)) / 1e6 for which in (0, 1))
    details = {"size": [side, side], "megabytes_drawn": drawn, "megabytes_pass": once}
    return row(f"gated, {batch} images, memory", drawn / once, MEMORY_LIMIT, **details)


def growth(batch: int, settings: Settings) -> list[Row]:
    """Measure the minimum time per pixel at every size, relative to the first."""
    sides = (4, 8) if settings.quick else (16, 32, 64)
    clock = {"now": processor_seconds} if settings.clock == "processor" else {}
    seconds = {}
    for side in sides:
        draw, _ = tasks(built("gated", side, settings), batch, side, settings)
        seconds[side] = min(timed(draw, **clock) for _ in range(2))
    first = seconds[sides[0]] / sides[0] ** 2
    return [
        row(
            f"gated, {batch} images, a pixel against {sides[0]}x{sides[0]}",
            taken / side**2 / first,
            GROWTH_LIMIT,
            size=[side, side],
            seconds_drawn=taken,
        )
        for side, taken in seconds.items()
    ]
