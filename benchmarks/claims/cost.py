"""The cost of a training step of a configuration: seconds and memory, on random images, without reading data."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import torch

from variegate.core.interfaces import Batch, Shapes
from variegate.methods import method

from ..speed.family import ours
from ..speed.measure import peak_bytes, timed
from .runs import Trial

CLASSES = 8  # of a street layout


def step_of(trial: Trial) -> Callable[[], None]:
    """Return a training step of freshly built networks."""
    chosen = method(trial.method, trial.options)
    size = (trial.size, trial.size)
    torch.manual_seed(0)
    generator, objective = (
        chosen.build_generator(Shapes(CLASSES, 3, size)),
        chosen.build_objective(Shapes(CLASSES, 3, size)),
    )
    for network in (generator, objective):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    count = chosen.training.batch_size
    condition, image = torch.rand(count, CLASSES, *size), torch.rand(count, 3, *size) * 2 - 1
    index = torch.arange(count)
    batch = Batch(condition.contiguous(memory_format=torch.channels_last), image, index, index + 1)
    return ours(generator.train(), objective.train(), batch, chosen.training)


def cost(trial: Trial) -> dict[str, float]:
    """Measure the median seconds of a step and the peak megabytes of tensors over two steps from scratch."""

    def two_steps() -> None:
        step = step_of(trial)
        step()
        step()

    step = step_of(trial)
    step()
    return {"step_seconds": median(timed(step) for _ in range(9)), "megabytes": peak_bytes(two_steps) / 1e6}
