"""Which trials a participant sees, in which order: pure functions of the study and the participant's index.

The trials of all participants, one after the other, run through every combination of condition and cell in turn, so
after any number of participants no combination was shown more than once more often than another. A cell is what is
varied besides the condition: a method and an exposure, a pair of methods, or an order of methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from math import lcm
from random import Random

from .schema import Study, Trial

EARLIEST = 0.25  # an attention check is in the later three quarters of its stretch, so the first trial is none


@dataclass(frozen=True)
class Unit:
    """One combination of the design.

    Attributes:
        flipped: whether to swap the sides; alternates between the times that the combination is shown.
    """

    condition: int
    cell: int
    flipped: bool


@dataclass(frozen=True)
class Cell:
    """The images of a trial by their methods, from left to right (None: the real one), and how long they are shown."""

    methods: tuple[str | None, ...]
    exposure: float | None


def block_length(count: int, conditions: int, cells: int) -> int:
    """Participants after which every combination was shown equally often, and on each side equally often."""
    return 2 * lcm(count, conditions * cells) // count


def units(index: int, count: int, conditions: int, cells: int) -> list[Unit]:
    """The combinations that a participant of a block sees, `count` of conditions x cells.

    Neighbours differ in condition and cell, so a participant sees every cell about equally often, no combination
    twice, and no condition twice if there are enough.
    """
    total, period = conditions * cells, lcm(conditions, cells)
    found = []
    for place in range(index * count, (index + 1) * count):
        lap, at = divmod(place, total)
        cell = (at + at // period) % cells
        found.append(Unit(at % conditions, cell, bool((lap + at // cells) % 2)))
    return found


def cells_of(study: Study, rng: Random) -> list[Cell]:
    """What is varied besides the condition, in random order; real images alternate with fake ones."""
    exposures: Sequence[float | None] = study.exposures or (None,)
    methods = rng.sample(study.methods, len(study.methods))
    if study.kind == "real-or-fake":
        fakes = [Cell((method,), exposure) for method, exposure in product(methods, exposures)]
        return [cell for fake in rng.sample(fakes, len(fakes)) for cell in (fake, replace(fake, methods=(None,)))]
    if study.kind == "two-alternative":
        pairs = [Cell(pair, exposure) for pair, exposure in product(combinations(methods, 2), exposures)]
        return rng.sample(pairs, len(pairs))
    return [Cell((*methods[first:], *methods[:first]), None) for first in range(len(methods))]


def most_trials(study: Study) -> int:
    """How many trials a participant can have without seeing the same images twice.

    Real images and fakes of one condition would reveal each other, and so would several rankings of one condition.
    """
    pairs = len(study.methods) * (len(study.methods) - 1) // 2 if study.kind == "two-alternative" else 1
    return len(study.conditions) * pairs


def main_trials(study: Study, index: int) -> list[Trial]:
    """The trials of a participant without repeats and attention checks, in the order of the design."""
    count, cells = study.per_participant, len(cells_of(study, Random(0)))
    block, place = divmod(index, block_length(count, len(study.conditions), cells))
    rng = Random(f"{study.seed} block {block}")
    conditions, varied = rng.sample(study.conditions, len(study.conditions)), cells_of(study, rng)
    found = []
    for unit in units(place, count, len(conditions), cells):
        condition, cell = conditions[unit.condition], varied[unit.cell]
        images = tuple(study.shown[method, condition] for method in cell.methods)
        swapped = study.kind == "two-alternative" and unit.flipped
        shown = images[::-1] if swapped else images
        found.append(Trial(number=0, role="main", images=shown, exposure=cell.exposure))
    return found


def attention_trials(study: Study, rng: Random) -> list[Trial]:
    """A trial for each destroyed image, alone or beside good ones of its condition, on each side equally often."""
    found, exposures = [], study.exposures or (None,)
    count = {"real-or-fake": 1, "two-alternative": 2, "ranking": len(study.methods)}[study.kind]
    offset = rng.randrange(count)
    for at, name in enumerate(rng.sample(sorted(study.destroyed), len(study.destroyed))):
        methods = rng.sample(study.methods, count - 1)
        images = [study.shown[method, study.destroyed[name]] for method in methods]
        images.insert((at + offset) % count, name)
        exposure = exposures[at % len(exposures)]
        found.append(Trial(number=0, role="attention", images=tuple(images), exposure=exposure))
    return found


def plan(study: Study, index: int) -> tuple[Trial, ...]:
    """All trials of a participant in the order in which they are shown.

    A repeat comes half of the trials after what it repeats; attention checks are spread over the session.
    """
    rng = Random(f"{study.seed} participant {index}")
    trials = main_trials(study, index)
    rng.shuffle(trials)
    half = len(trials) / 2
    placed: list[tuple[float, Trial, int | None]] = [(at, trial, None) for at, trial in enumerate(trials)]
    for at in sorted(rng.sample(range((len(trials) + 1) // 2), study.repeats)):
        again = trials[at].model_copy(update={"role": "repeat", "images": trials[at].images[::-1]})
        placed.append((at + half, again, at))
    checks = attention_trials(study, rng)
    for at, check in enumerate(checks):
        placed.append((len(trials) * (at + rng.uniform(EARLIEST, 1)) / len(checks), check, None))
    placed.sort(key=lambda one: one[0])
    number_of = {int(key): number for number, (key, trial, _) in enumerate(placed) if trial.role == "main"}
    return tuple(
        trial.model_copy(update={"number": number, "repeats": None if of is None else number_of[of]})
        for number, (_, trial, of) in enumerate(placed)
    )
