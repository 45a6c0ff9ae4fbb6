"""A clock that jumps, mostly backwards, at every look at it: training and sampling give the same bits."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from .processes import in_child
from .trials import METHODS, differing, training

CLOCKS = ("time", "monotonic", "perf_counter")


def part(work: Path, quick: bool) -> list[dict[str, Any]]:
    rows = []
    for name in list(METHODS)[: 1 if quick else None]:
        log, reference, folder = work / f"{name}.log", work / f"{name}-reference", work / name
        for place in (reference, folder):
            shutil.rmtree(place, ignore_errors=True)
        whole = in_child(training(name, reference), log)
        ended = in_child(late(training(name, folder)), log)
        failures = [one.words for one in (whole, ended) if one.how != "done"]
        if not failures:
            failures = differing(folder, reference)
            images = [in_child(act, log) for act in (sampling(reference), late(sampling(reference)))]
            failures += [one.words for one in images if one.how != "done"]
            if images[0].result != images[1].result:
                failures.append("other samples")
        rows.append({"case": f"{name}, trained and sampled", "method": name, "failures": failures})
    return rows


def sampling(run: Path) -> Callable[[], list[float]]:
    """The first values of samples, their sum and deviation."""

    def act() -> list[float]:
        from variegate.model.model import Model
        from variegate.runs.folder import RunFolder

        images = Model.load(run).sample(RunFolder(run).pairs().raw(0)[0], n=4).images
        return [*images.flatten()[:50].tolist(), float(images.double().sum()), float(torch.std(images))]

    return act


def late(act: Callable[[], Any]) -> Callable[[], Any]:
    """The action, by a clock that jumps."""

    def acted() -> Any:
        turn_back()
        return act()

    return acted


def turn_back() -> None:
    """From here on, each look at a clock shows up to an hour before, or a minute after, the true time."""
    rng = random.Random(0)

    def jumping(look: Any) -> Any:
        return lambda: look() + rng.uniform(-3600, 60)

    for name in CLOCKS:
        setattr(time, name, jumping(getattr(time, name)))
    time.time_ns = lambda: int(time.time() * 1e9)
