"""Measurement of time, multiply-adds and memory."""

from __future__ import annotations

from collections.abc import Callable
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from statistics import median
from time import perf_counter
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from variegate.evaluation.measuring import cost

Task = Callable[[], object]
Clock = Callable[[], float]

MOST_PAIRS = 101
LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}


class Comparison(NamedTuple):
    """A comparison of two tasks: medians of seconds, the median of the pairs' ratios and their minimum and maximum."""

    ratio: float
    spread: list[float]
    seconds: list[float]  # of the first and the second task
    pairs: int

    def details(self, first: str, second: str) -> dict[str, object]:
        """Return the entries for a row."""
        a, b = self.seconds
        return {"spread": self.spread, f"seconds_{first}": a, f"seconds_{second}": b, "pairs": self.pairs}


def compare(first: Task, second: Task, pairs: int, seconds: float = 0.0, now: Clock = perf_counter) -> Comparison:
    """Compare the time of `first` with that of `second`, run alternately so that both see the same machine load.

    Every other pair runs in the opposite order. After one warm-up of each, runs at least `pairs` pairs, and more until
    `seconds` have passed.
    """
    first(), second()
    times: list[tuple[float, float]] = []
    start = perf_counter()
    while len(times) < pairs or (perf_counter() - start < seconds and len(times) < MOST_PAIRS):
        if len(times) % 2:
            b, a = timed(second, now), timed(first, now)
        else:
            a, b = timed(first, now), timed(second, now)
        times.append((a, b))
    ratios = [a / b for a, b in times]
    middle = [median(a for a, _ in times), median(b for _, b in times)]
    return Comparison(median(ratios), [min(ratios), max(ratios)], middle, len(times))


def timed(task: Task, now: Clock = perf_counter) -> float:
    start = now()
    task()
    return now() - start


def processor_seconds() -> float:
    """Return the CPU time of this process and its finished children; other load hardly shows, nor do idle threads."""
    return sum(use.ru_utime + use.ru_stime for use in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN)))


@torch.no_grad()
def multiply_adds(task: Task) -> int:
    """Count the multiply-adds of convolutions and matrix products, which is all that FlopCounterMode counts."""
    with FlopCounterMode(display=False) as counter:
        task()
    return int(counter.get_total_flops()) // 2


def bound(prefix: int, whole: int, images: int) -> float:
    """Return the largest speed-up for `images` images of one condition if the prefix runs once: a cost ratio, at most
    whole / (whole - prefix)."""
    return images * whole / (prefix + images * (whole - prefix))


def peak_bytes(task: Task) -> int:
    """Return the peak bytes of tensors alive while `task` runs, counting only what it allocates itself.

    Based on the allocator's own records, so it is exactly repeatable; the resident set size of a process would include
    libraries, fragmentation and whatever ran before. Scratch space inside the convolution library is not counted.
    `task` must build its network itself: earlier allocations are unknown to the profiler, even when they are freed.
    """
    return cost.peak_bytes(task, torch.device("cpu"))


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
