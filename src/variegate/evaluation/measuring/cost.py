"""What a model costs here: weights, seconds and memory of an image, seconds of a training step."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from statistics import median

import torch
from torch.profiler import ProfilerActivity, profile

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
    costs = {"parameters": weights, "seconds_per_image": seconds, "megabytes": peak_bytes(draw) / 1e6}
    return {name: measured_cost(name, value, pairs) for name, value in costs.items()}


def measured_cost(name: str, value: float, pairs: Pairs) -> Measured:
    """One of COSTS, with where it was measured."""
    unit, metric = COSTS[name]
    where = f"{device_name()}, {torch.get_num_threads()} threads"
    record = Protocol(
        name=name,
        metric=metric,
        libraries=libraries("variegate", "torch"),
        value_range="[-1, 1]",
        size=pairs.size,
        notes=(f"on {where}: compare only numbers of one machine",),
    )
    return Measured(value=value, n=1, unit=unit, better="lower", protocol=record)


def device_name() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    import platform

    return platform.processor() or platform.machine()


def timed(task: Callable[[], None]) -> float:
    began = time.perf_counter()
    task()
    return time.perf_counter() - began


def peak_bytes(task: Callable[[], None]) -> int:
    """The most bytes of tensors that are alive while a task runs, of those it allocates itself.

    On a processor these are the allocator's own records, which are exactly repeatable; the scratch space inside the
    convolution library is not among them.
    """
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        task()
        return int(torch.cuda.max_memory_allocated()) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or the profiler talks on standard error
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        task()
    assert record.profiler is not None
    kineto = record.profiler.kineto_results
    assert kineto is not None
    alive = peak = 0
    for _, change in sorted((e.start_ns(), e.nbytes()) for e in kineto.events() if e.name() == "[memory]"):
        alive += change
        peak = max(peak, alive)
    return peak
