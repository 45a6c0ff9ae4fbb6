"""Conditional IMLE's matching against the public formulation, its growth, and what a pool keeps until its updates.

Public formulation: one candidate at a time passes through the generator and the perceptual network, and so does its
target, again for each candidate; no gradients. Both sides have the same networks, codes and distances and must select
the same winners, which is asserted. `ratio` is our time over theirs, `speed_up` its inverse, `bound` the speed-up that
multiply-adds allow, since the candidates are convolved in either case: batching can only exceed it by what it saves in
calls and small tensors. The demo matches images of 64x64 at a quarter of the size, and so do both sides here.

A pool keeps the key and the winner's index for every slot, from which its code is drawn again; the other side keeps the
winners' codes, which are noise fields as large as the image. `kilobytes_kept` are alive after matching, `megabytes` is
the peak while it runs, which is determined by the chunk for us and by a single candidate for them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from variegate.core.interfaces import Batch, Generator, Shapes, Size
from variegate.methods import method
from variegate.networks.perceptual import VGG19
from variegate.objectives.matches import smaller, targets_of, weight_of
from variegate.objectives.nearest_sample import NearestSample

from .family import CHANNELS
from .measure import LAYOUTS, multiply_adds, peak_bytes, processor_seconds, timed
from .results import Row, Settings, row

LIMIT = 1 / 3  # three times the candidates per second
SAME_AT_EVERY_SIZE = 1.0
SLOTS, CANDIDATES = 16, 10
DEMO = {
    "generator.widths": [32, 24, 16, 12],
    "randomness.vector": 5,
    "randomness.channels": 12,
    "randomness.encoder": False,
    "objective.chunk": 1024,
}  # as in `variegate demo`
FIELDS = {"scale": 0.0625, "randomness.hidden": 16}  # noise fields, as published; at most 64 channels
MORE_CANDIDATES, MORE_SLOTS = (5, 10, 20, 40), (8, 16, 32, 64)


class Case(NamedTuple):
    """A pool to match; `kind` is a perceptual network ("vgg19" has random filters, which take the same time)."""

    name: str
    options: dict[str, Any]
    kind: str
    size: Size = (64, 64)
    slots: int = SLOTS
    match_scale: int = 1
    limit: float | None = None


class Side(NamedTuple):
    generator: Generator
    objective: NearestSample
    batch: Batch


CASES = [
    *(Case("demo, at 1/4", DEMO, kind, match_scale=4, limit=LIMIT) for kind in ("laplacian", "random")),
    *(Case("demo", DEMO, kind, limit=LIMIT) for kind in ("laplacian", "random")),
    *(Case("demo", DEMO, kind, (128, 256), slots=4) for kind in ("laplacian", "random")),
    *(Case("CRN x 1/16", FIELDS, kind, slots=4) for kind in ("laplacian", "random")),
    Case("CRN x 1/8", {"scale": 0.125}, "random", slots=4),
    Case("CRN", {}, "vgg19", slots=1),
]
QUICK = [Case("demo, at 1/4", DEMO, "laplacian", slots=2, match_scale=4, limit=LIMIT)]


def rows(settings: Settings) -> list[Row]:
    compared = [against_public(case, settings) for case in (QUICK if settings.quick else CASES)]
    return compared + growth(settings) + memory(settings)


def built(case: Case, candidates: int, settings: Settings) -> Side:
    kind = "laplacian" if case.kind == "vgg19" else case.kind
    asked = {"perceptual": kind, "candidates": candidates, "match_scale": case.match_scale}
    chosen = method("cimle", {**case.options, **{f"objective.{key}": value for key, value in asked.items()}})
    torch.manual_seed(settings.seed)
    generator = chosen.build_generator(Shapes(CHANNELS, CHANNELS, case.size))
    objective = chosen.build_objective(Shapes(CHANNELS, CHANNELS, case.size))
    assert isinstance(objective, NearestSample)
    if case.kind == "vgg19":
        objective.features = VGG19(None)
    for network in (generator, objective):
        network.to(memory_format=LAYOUTS["channels_last"])
    index = torch.arange(case.slots)
    condition, image = (pictures(case, settings.seed + add) for add in (0, 1))
    return Side(generator.eval(), objective.eval(), Batch(condition, image, index, index + 1))


def pictures(case: Case, seed: int) -> Tensor:
    stream = torch.Generator().manual_seed(seed)
    noise = torch.rand(case.slots, CHANNELS, *case.size, generator=stream) * 2 - 1
    return noise.contiguous(memory_format=torch.channels_last)


def ours(side: Side) -> Tensor:
    return side.objective.match(side.generator, side.batch, targets_of(side.batch))[0][:, 0, 0]


@torch.no_grad()
def public_match(side: Side) -> tuple[Tensor, Tensor]:
    """Match as in the public formulation; returns winners (B,) and their codes (B, D)."""
    generator, objective, batch = side
    winners, fields = [], []
    for slot in torch.arange(len(batch.image)).split(1):
        best = torch.inf
        for index in range(objective.config.candidates):
            code = generator.draw([(int(batch.key[slot]), index)])
            scale = objective.config.match_scale
            x, y, mask = smaller(batch.condition[slot], batch.image[slot].unsqueeze(1), weight_of(batch, slot), scale)
            image = generator(x, code.unsqueeze(1))[:, 0]
            distance = float(objective.distance(image, objective.embed(y[:, 0]), mask))
            if distance < best:
                best, winner, field = distance, index, code[0]
        winners.append(winner)
        fields.append(field)
    return torch.tensor(winners), torch.stack(fields)


def against_public(case: Case, settings: Settings) -> Row:
    side = built(case, 3 if settings.quick else CANDIDATES, settings)
    won: list[Tensor] = []
    tasks = (lambda: won.append(ours(side)), lambda: won.append(public_match(side)[0]))
    taken = settings.compare(*tasks, pairs=2 if case.slots == 1 else 5, seconds=0.0 if case.limit is None else 10.0)
    assert all(one.equal(won[0]) for one in won), f"{case.name}, {case.kind}: the winners differ"
    tried = case.slots * side.objective.config.candidates
    return row(
        f"{case.name}, {case.kind}",
        taken.ratio,
        case.limit,
        size=list(case.size),
        matched_at=[length // case.match_scale for length in case.size],
        slots=case.slots,
        candidates=side.objective.config.candidates,
        chunk=side.objective.config.chunk,
        speed_up=1 / taken.ratio,
        bound=bound(side),
        candidates_per_second=tried / taken.seconds[0],
        candidates_per_second_public=tried / taken.seconds[1],
        **taken.details("ours", "public"),
    )


@torch.no_grad()
def bound(side: Side) -> float:
    """Bound the speed-up by the multiply-adds of the generator and of the perceptual network."""
    generator, objective, batch = side
    x, y, _ = smaller(batch.condition[:1], batch.image[:1].unsqueeze(1), None, objective.config.match_scale)
    codes = generator.draw_for(batch.key[:1], 1)
    drawing, seeing = multiply_adds(lambda: generator(x, codes)), multiply_adds(lambda: objective.features(y[:, 0]))
    return (drawing + 2 * seeing) / (drawing + seeing + seeing / objective.config.candidates)


def growth(settings: Settings) -> list[Row]:
    """Measure the median seconds of matching for each m and each S, alternately, relative to the smallest of each."""
    case = Case("demo", DEMO, "laplacian", match_scale=4)
    more, most = ((2, 3), (1, 2)) if settings.quick else (MORE_CANDIDATES, MORE_SLOTS)
    found = []
    for letter, pairs in (("m", [(m, SLOTS) for m in more]), ("S", [(CANDIDATES, slots) for slots in most])):
        sides = [built(case._replace(slots=slots), m, settings) for m, slots in pairs]
        seconds = in_turns([partial(ours, side) for side in sides], settings)
        for value, side, taken in zip(more if letter == "m" else most, sides, seconds, strict=True):
            tried = len(side.batch.image) * side.objective.config.candidates
            found.append(
                row(
                    f"demo, at 1/4, laplacian, {letter} = {value}, against {letter} = {pairs[0][letter == 'S']}",
                    taken / seconds[0],
                    None,
                    size=list(case.size),
                    slots=len(side.batch.image),
                    candidates=side.objective.config.candidates,
                    seconds_ours=taken,
                    candidates_per_second=tried / taken,
                )
            )
    return found


def in_turns(tasks: list[Callable[[], Tensor]], settings: Settings) -> list[float]:
    rounds = range(2 if settings.quick else 16)
    clock = {"now": processor_seconds} if settings.clock == "processor" else {}
    times = [[timed(task, **clock) for task in tasks] for _ in rounds]
    return [median(taken) for taken in zip(*times[1:], strict=True)]


def memory(settings: Settings) -> list[Row]:
    slots, candidates = (2, 2) if settings.quick else (SLOTS, CANDIDATES)
    sizes = ((16, 16), (32, 32)) if settings.quick else ((64, 64), (128, 256))
    pools = [pool(Case("CRN x 1/16", FIELDS, "laplacian", size, slots), candidates, settings) for size in sizes]
    small, large = (f"a pool of {slots}, {height}x{width}" for height, width in sizes)
    kept = [details["kilobytes_kept_ours"] for details in pools]
    return [
        *(
            row(f"{name}, kept, against noise fields", own / details["kilobytes_kept_fields"], None, **details)
            for name, own, details in zip((small, large), kept, pools, strict=True)
        ),
        row(f"{large}, kept, against the smaller size", kept[1] / kept[0], SAME_AT_EVERY_SIZE, size=list(sizes[1])),
    ]


def pool(case: Case, candidates: int, settings: Settings) -> Row:
    """Return the entries for a row."""
    side = built(case, candidates, settings)
    found: Row = {"size": list(case.size), "slots": case.slots, "candidates": candidates}
    for name, match in (("ours", keys_and_winners), ("fields", fields)):
        found[f"kilobytes_kept_{name}"] = kept_bytes(partial(match, side)) / 1e3
        found[f"megabytes_{name}"] = peak_bytes(partial(build_and, match, case, candidates, settings)) / 1e6
    return found


def build_and(match: Callable[[Side], list[Tensor]], case: Case, candidates: int, settings: Settings) -> None:
    match(built(case, candidates, settings))


def keys_and_winners(side: Side) -> list[Tensor]:
    return [side.batch.key.clone(), ours(side)]


def fields(side: Side) -> list[Tensor]:
    return [public_match(side)[1]]


def kept_bytes(task: Callable[[], list[Tensor]]) -> int:
    """Return the bytes alive after `task` that were not alive before, including what it returns."""
    task()  # so that anything cached by the first call is not counted
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        result = task()
    assert result
    assert record.profiler is not None
    kineto = record.profiler.kineto_results
    assert kineto is not None
    return sum(event.nbytes() for event in kineto.events() if event.name() == "[memory]")
