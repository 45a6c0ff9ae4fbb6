"""What a model costs here: weights, seconds and memory of an image, seconds of a training step."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import torch
from torch.profiler import ProfilerActivity, profile

from ...core.capabilities import HasLevels
from ...core.interfaces import Generator
from ...data.dataset.pairs import Pairs
from ...data.dataset.sampling import sample_pair
from ...runs.measured import Measured, Protocol, libraries

DRAWN = 16  # images at a time
TIMES = 3
SLOW = 5.0  # seconds that are not repeated
COSTS = {
    "parameters": ("millions", "numbers in the generator's state"),
    "seconds_per_image": ("s", f"median of {TIMES} times {DRAWN} images of one condition, over {DRAWN}"),
    "megabytes": ("MB", f"largest memory of tensors while {DRAWN} images are drawn"),
    "seconds_per_step": ("s", "median time of a training step"),
}


def drawing_costs(generator: Generator, pairs: Pairs, seed: int = 0) -> dict[str, Measured]:
    """Weights, and the seconds and megabytes of one image of the first condition when DRAWN are drawn at a time."""
    codes = generator.draw([(seed, i) for i in range(DRAWN)])

    def draw() -> None:
        sample_pair(generator, pairs, 0, codes)

    first = timed(draw)  # also prepares
    seconds = (first if first > SLOW else median(timed(draw) for _ in range(TIMES))) / DRAWN
    weights = sum(tensor.numel() for tensor in generator.state_dict().values()) / 1e6
    costs, device = {"parameters": weights, "seconds_per_image": seconds}, next(generator.parameters()).device
    if not isinstance(generator, HasLevels):  # which draw value by value, and the record would be as long
        costs["megabytes"] = peak_bytes(draw, device) / 1e6
    return {name: measured_cost(name, value, pairs, device) for name, value in costs.items()}


def measured_cost(name: str, value: float, pairs: Pairs, device: torch.device) -> Measured:
    """One of COSTS, with where it was measured."""
    unit, metric = COSTS[name]
    where = device_name(device)
    record = Protocol(
        name=name,
        metric=metric,
        libraries=libraries("variegate", "torch"),
        value_range="[-1, 1]",
        size=pairs.size,
        notes=(f"on {where}: compare only numbers of one machine",),
    )
    return Measured(value=value, n=1, unit=unit, better="lower", protocol=record)


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    import platform

    processor = platform.processor() or platform.machine()
    return f"{processor}, {torch.get_num_threads()} threads" if device.type == "cpu" else device.type


def timed(task: Callable[[], None]) -> float:
    began = time.perf_counter()
    task()
    return time.perf_counter() - began


@contextmanager
def silent_profiler() -> Iterator[None]:
    """Keep the profiler from talking on standard error."""
    before = os.environ.get("KINETO_LOG_LEVEL")
    os.environ["KINETO_LOG_LEVEL"] = "99"
    try:
        yield
    finally:
        if before is None:
            del os.environ["KINETO_LOG_LEVEL"]
        else:
            os.environ["KINETO_LOG_LEVEL"] = before


def peak_bytes(task: Callable[[], None], device: torch.device) -> int:
    """The most bytes of tensors that are alive while a task runs, of those it allocates itself.

    On a processor these are the allocator's own records, which are exactly repeatable; the scratch space inside the
    convolution library is not among them.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        task()
        return int(torch.cuda.max_memory_allocated(device)) - before
    with silent_profiler(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        task()
    assert record.profiler is not None
    kineto = record.profiler.kineto_results
    assert kineto is not None
    alive = peak = 0
    for _, change in sorted((e.start_ns(), e.nbytes()) for e in kineto.events() if e.name() == "[memory]"):
        alive += change
        peak = max(peak, alive)
    return peak
