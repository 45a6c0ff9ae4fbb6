"""Settings with which training fits into a few minutes here: the first steps of each candidate are timed.

Candidates are the rungs of `methods.budgets`, narrow ones first, at the sizes that the images have. Width, batch, steps
and size are chosen once and written to `config.yaml`, so that a resumed run repeats them exactly.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from ..core.config import Budget
from ..core.errors import ConfigError
from ..core.interfaces import Size
from ..core.launch import processes
from ..core.method import Method
from ..data.dataset.pairs import Pairs
from ..runs.config import RunConfig, budget_of, differences, run_config
from ..runs.logs import Log
from ..runs.saved_model import model_folder, read_record
from .calibration import calibrate
from .loop import one_step, stream
from .panel import Panel
from .start import earlier
from .state import State

SIDES = (128, 64, 32)  # shorter sides that are tried where no size is given
LARGE = 64  # shorter side above which a narrow network is worse than a smaller size
GRID = 16  # their sides are multiples of it
SPARE = 0.05  # share of the time that is not planned
LOOKING = 0.1  # largest share for checkpoints and the samples drawn at them
SAVES = 10  # checkpoints, unless they would take more than that
TIMED = 1.5  # seconds of steps that are timed
READ = 0.5  # seconds in which pairs are read to time that
WIDER = 1.5  # times enough steps, with which the next wider network is tried
SLOWER = 3  # times the limit, at which a step need not be timed again
LEAST = 20  # steps without which there is no training


class Pace(NamedTuple):
    """How long steps take: those whose pairs are read for the first time, and later ones, which have them in memory."""

    later: float  # seconds
    reading: float = 0.0  # seconds more of each first step
    visits: float = 0.0  # steps until every pair was visited

    def seconds(self, steps: float) -> float:
        return steps * self.later + min(steps, self.visits) * self.reading

    def steps(self, seconds: float) -> int:
        first = min(self.visits, seconds / (self.later + self.reading))
        return max(1, int(first + (seconds - self.seconds(first)) / self.later))


class Plan(NamedTuple):
    """A configuration and how long its steps take."""

    config: RunConfig
    pairs: Pairs
    pace: Pace

    @property
    def steps(self) -> int:
        return self.config.method.training.steps

    def __str__(self) -> str:
        training, (height, width) = self.config.method.training, self.pairs.size
        before = self.config.method.previous
        first = f" after {before.training.steps} steps of {before.name}" if before else ""
        return (
            f"{height}x{width} pixels, {self.steps} steps of {training.batch_size}{first}, {self.pace.later:.2g} s each"
        )


def plan(minutes: float, method: str | Method, data: Any, settings: Mapping[str, Any]) -> Plan:
    """The widest network at the largest size that manages enough steps in the time, otherwise the smallest one.

    Args:
        data, settings: as for `run_config`; what the user gives is kept.

    Raises:
        ConfigError: not even the smallest candidate can train, `steps` is given too, or there are several processes.
    """
    began = time.monotonic()
    if not 0 < minutes < math.inf:
        raise ConfigError(f"--minutes must be above 0, got {minutes:g}")
    if settings.get("steps") is not None or "training.steps" in settings:
        raise ConfigError("--minutes chooses the number of steps; leave out one of the two")
    if processes() > 1:
        raise ConfigError("--minutes times a single process; give --steps to several")
    budget = budget_for(method, data, settings)

    def left() -> float:
        return minutes * 60 * (1 - SPARE) - (time.monotonic() - began)

    given = {name: value for name, value in settings.items() if value is not None}
    pairs = run_config(method, data, **given).data.open()
    sizes = sizes_of(pairs, given.get("size"))
    for size in sizes:
        found, tried = None, []
        resized = pairs.resized(size)
        reading = time_reading(resized)
        for rung in budget.rungs[:1] if min(size) > LARGE and "size" not in given else reversed(budget.rungs):
            config = as_initial(run_config(method, data, **{**budget.options, **rung, **given, "size": size}))
            if config in tried:  # what the rungs differ by is given
                continue
            tried.append(config)
            config.method.check_data(pairs.condition)
            last = found is None and size == sizes[-1]
            wider = fit(config, resized, left(), budget, reading, last)
            found = found if wider is None else wider
            if wider is None or wider.steps < WIDER * budget.enough:
                break
        if found is not None and found.steps >= LEAST:
            return with_saves(found, left())
    assert found is not None
    spent = time.monotonic() - began + found.pace.seconds(LEAST)
    raise ConfigError(
        f"--minutes {minutes:g} is too short for {found.config.method.name} here, where a step takes "
        f"{found.pace.later:.2g} s; give at least --minutes {math.ceil(spent / 60 / (1 - SPARE))}, or a smaller --size"
    )


def as_planned(saved: RunConfig, method: str | Method, data: Any, settings: Mapping[str, Any]) -> RunConfig:
    """The configuration of what is asked now, with the size, width, batch and steps that were planned."""
    given = {name: value for name, value in settings.items() if value is not None}
    budget = budget_for(method, data, settings)
    planned = {"size": saved.data.size, "steps": saved.method.training.steps}
    rungs = [
        as_initial(run_config(method, data, **{**budget.options, **rung, **planned, **given})) for rung in budget.rungs
    ]
    before = saved.method.model_dump(mode="json")
    config = min(rungs, key=lambda one: len(differences(before, one.method.model_dump(mode="json"))))
    every = saved.run.save_every if config.run.save_every is None else config.run.save_every
    changes = {
        "method": config.method.model_copy(update={"previous": saved.method.previous}),
        "run": config.run.model_copy(update={"save_every": every}),
    }
    return config.model_copy(update=changes)


def budget_for(method: str | Method, data: Any, settings: Mapping[str, Any]) -> Budget:
    """The budget of a method by name; one that was built in Python stays as it is."""
    return budget_of(run_config(method, data, **settings).method) if isinstance(method, str) else Budget()


def as_initial(config: RunConfig) -> RunConfig:
    """The configuration with the network whose weights training starts from, if it is of the same kind."""
    if config.initial is None:
        return config
    saved, method = read_record(model_folder(Path(config.initial))).method, config.method
    changes = {
        name: type(part).model_validate(saved[name])
        for name, part in (("generator", method.generator), ("randomness", method.randomness))
        if saved[name]["kind"] == part.kind
    }
    return config.model_copy(update={"method": method.model_copy(update=changes)})


def sizes_of(pairs: Pairs, given: Any) -> list[Size]:
    """The sizes to try: the given one, otherwise smaller ones of the images' shape, and at first their own if small."""
    height, width = own = pairs.size
    if given is not None:
        return [own]
    scales = [side / min(own) for side in SIDES if side <= min(own)]
    return [(grid(height * scale), grid(width * scale)) for scale in scales] or [own]


def grid(side: float) -> int:
    return max(GRID, round(side / GRID) * GRID)


def fit(config: RunConfig, pairs: Pairs, seconds: float, budget: Budget, reading: float, last: bool) -> Plan | None:
    """The configuration with as many steps as fit; `previous` gets its share of the time.

    Args:
        reading: seconds by which the first visit of a pair takes longer than later ones.
        last: take it even if there are fewer steps than enough; otherwise the answer is then None.
    """
    method = config.method
    begins = config.initial is not None and method.frozen is None  # with weights that it would train first
    if method.previous is not None and config.predictor is None and not begins:
        before = earlier(config, method.previous, pairs.size)
        needs = budget_of(method.previous)
        taught = fit(
            before, pairs.resized(before.data.size or pairs.size), budget.first * seconds, needs, reading, last
        )
        if taught is None:
            return None
        method, seconds = method.model_copy(update={"previous": taught.config.method}), (1 - budget.first) * seconds
    later = time_steps(config, pairs, None if last else seconds / budget.enough)
    if later is None:
        return None
    batch, share = method.training.batch_size, method.objective.steps_per_batch()
    more = reading * batch / share if stays(config, pairs) else 0.0
    pace = Pace(later, more, len(pairs) / batch * share)
    steps = {"steps": pace.steps(seconds)}
    if not last and steps["steps"] < budget.enough:
        return None
    method = method.model_copy(update={"training": method.training.model_copy(update=steps)})
    return Plan(config.model_copy(update={"method": method}), pairs, pace)


def with_saves(found: Plan, seconds: float) -> Plan:
    """The plan with fewer checkpoints where samples take long, and fewer steps for the time that they take."""
    config, training = found.config, found.config.method.training
    own = found.pace.seconds(found.steps)
    look = time_look(config, found.pairs)
    saves = max(1, min(SAVES, int(LOOKING * own / look)))
    steps = min(found.steps, found.pace.steps(max(0.0, min(own, seconds) - saves * look)))
    method = config.method.model_copy(update={"training": training.model_copy(update={"steps": steps})})
    changed: dict[str, Any] = {"method": method}
    if saves < SAVES and config.run.save_every is None:
        changed["run"] = config.run.model_copy(update={"save_every": math.ceil(steps / saves)})
    return found._replace(config=config.model_copy(update=changed))


def time_reading(pairs: Pairs) -> float:
    """Seconds by which the first visit of a pair takes longer than later ones, when it is in memory."""

    def seconds(index: int) -> float:
        began = time.monotonic()
        pairs.raw(index)
        return time.monotonic() - began

    first = [seconds(0)]
    while len(first) < len(pairs) and sum(first) < READ:
        first.append(seconds(len(first)))
    again = [seconds(index) for index in range(len(first))]
    return max(0.0, median(first) - median(again))


def stays(config: RunConfig, pairs: Pairs) -> bool:
    """Whether pairs are in the memory of the training process from their second visit on."""
    return config.run.workers == 0 and pairs.fits_in_memory


def time_steps(config: RunConfig, pairs: Pairs, limit: float | None) -> float | None:
    """Seconds of a step of a training that is then thrown away; its pairs are in memory already if they stay there.

    Args:
        limit: seconds above which the answer is None, as soon as that is known.
    """
    fabric = config.run.fabric()
    with tempfile.TemporaryDirectory() as folder:
        config = calibrate(config, pairs, Path(folder), fabric)
    settings, run = config.method.training, config.run
    state = State(config.method, pairs.shapes, run, None)
    state.set_up(fabric, settings)
    share = config.method.objective.steps_per_batch()
    state.step = (settings.steps // 2 // share + 1) * share  # past any warm-up, whose steps may be shorter
    batches = stream(pairs, config.method, run, fabric, 0)
    ahead = stream(pairs, config.method, run, fabric, 0) if stays(config, pairs) else None

    def step() -> float:
        if ahead is not None:
            next(ahead)
        began = time.monotonic()
        for values in one_step(fabric, state, next(batches), settings, run.seed).values():
            values[-1].item()  # waits for the device
        return time.monotonic() - began

    times = [step() for _ in range(min(share, 2))]  # the first also prepares
    while sum(times[1:]) < TIMED and sum(times) < 4 * TIMED and not (limit and min(times) > SLOWER * limit):
        times.append(step())
    pace = median(times[1:] or times)
    if share > 1:
        pace += (times[0] - pace) / share  # the first step of a pool also matches its slots
    return None if limit and pace > limit else pace


def time_look(config: RunConfig, pairs: Pairs) -> float:
    """Seconds that samples at a checkpoint take."""
    fabric = config.run.fabric()
    with tempfile.TemporaryDirectory() as folder:
        config = calibrate(config, pairs, Path(folder), fabric)
        state = State(config.method, pairs.shapes, config.run, None)
        state.set_up(fabric, config.method.training)
        panel = Panel(pairs.validation(), state.ema, state.objective)
        began = time.monotonic()
        with closing(Log(Path(folder), 0, 1, config.method.name, quiet=True)) as log:
            panel.look(Path(folder), 0, log)
        return time.monotonic() - began
