"""72 images of one condition from latent dropout codes, the memory of 72 branches, and the matching of a step.

"drawn": `ratio` is the library's time over the time allowed, which is that of 72 passes of the whole network divided by
the bound from multiply-adds; `speed_up` is the plain factor. "memory": peak bytes while 72 images are generated,
including parameters, and parameters alone, of the shared early split over the separate one. "matching": the assignment
of 8 targets to 72 branches over a training step of 16 conditions, at 32x32; larger images make its share smaller.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from variegate.core.interfaces import Batch, Shapes, Size
from variegate.core.sampling import decode_in_chunks
from variegate.generators.split_crn import SplitCRNConfig
from variegate.generators.staged import Staged
from variegate.losses.assignment import assign
from variegate.objectives.multiple_choice import MultipleChoiceConfig
from variegate.randomness.channel_dropout import ChannelDropoutConfig
from variegate.randomness.heads import HeadsConfig

from .encode_once import one_by_one
from .measure import bound, multiply_adds, parameters, peak_bytes
from .results import Row, Settings, row

BRANCHES, TARGETS, BATCH = 72, 8, 16
LIMITS = {"drawn": 1.1, "memory": 1.0, "parameters": 0.5, "matching": 0.02}
CHANNELS = 3  # surface normals


def network(architecture: str, size: Size, scale: float) -> Staged:
    torch.manual_seed(0)
    rng = {
        "shared": ChannelDropoutConfig(),
        "separate": HeadsConfig(heads=BRANCHES, sites=("own*", "fine*", "output")),
    }[architecture]
    return SplitCRNConfig(scale=scale).build(rng.build(Shapes(CHANNELS, 3, size)), Shapes(CHANNELS, 3, size))


@torch.no_grad()
def rows(settings: Settings) -> list[Row]:
    side, scale = (16, 1 / 64) if settings.quick else (96, 0.25)
    return [drawn((side, side), scale, settings), *memory((side, side), scale), matching(settings)]


def drawn(size: Size, scale: float, settings: Settings) -> Row:
    shared = network("shared", size, scale).eval()
    condition = picture(1, size, settings.seed)
    codes = shared.draw([(settings.seed, index) for index in range(BRANCHES)])
    prefix, whole = (
        multiply_adds(lambda: shared.encode(condition)),
        multiply_adds(lambda: shared(condition, codes[None, :1])),
    )
    most = bound(prefix, whole, BRANCHES)
    taken = settings.compare(
        lambda: decode_in_chunks(shared, condition, codes), lambda: one_by_one(shared, condition, codes), pairs=5
    )
    facts = {"size": list(size), "bound": most, "multiply_adds": whole, "multiply_adds_prefix": prefix}
    details = {**taken.details("once", "whole"), "spread": [most * value for value in taken.spread]}
    case = f"drawn: {BRANCHES} images of one condition"
    return row(case, taken.ratio * most, LIMITS["drawn"], speed_up=1 / taken.ratio, **facts, **details)


def memory(size: Size, scale: float) -> list[Row]:
    condition = picture(1, size, 0)

    def draw(architecture: str) -> Tensor:
        built = network(architecture, size, scale).eval()
        return decode_in_chunks(built, condition, built.draw([(0, index) for index in range(BRANCHES)]))

    peaks = {name: peak_bytes(lambda name=name: draw(name)) for name in ("shared", "separate")}  # type: ignore[misc]
    counts = {name: parameters(network(name, size, scale)) for name in peaks}
    found = []
    for what, each, limit in (("memory", peaks, "memory"), ("parameters", counts, "parameters")):
        numbers = {f"millions_{name}": value / 1e6 for name, value in each.items()}
        case = f"{what} of {BRANCHES} branches, shared over separate"
        found.append(row(case, each["shared"] / each["separate"], LIMITS[limit], size=list(size), **numbers))
    return found


def matching(settings: Settings) -> Row:
    size, batch = ((16, 16), 2) if settings.quick else ((32, 32), BATCH)
    shared = network("shared", size, 1 / 8)
    shared.register_buffer("training_codes", torch.rand(BRANCHES, shared.code_size))
    objective = MultipleChoiceConfig(perceptual="laplacian", reduction="mean", count=BRANCHES, warm_up=0).build(
        Shapes(CHANNELS, 3, size), None
    )
    others = picture(batch * (TARGETS - 1), size, 1).unflatten(0, (batch, TARGETS - 1))
    numbers = torch.arange(batch)
    data = Batch(picture(batch, size, 2), picture(batch, size, 3), numbers, numbers, neighbours=others)
    distances = torch.rand(batch, BRANCHES, TARGETS, generator=torch.Generator().manual_seed(settings.seed))

    def step() -> None:
        with torch.enable_grad():
            for losses in objective.updates(shared, data, 1):
                total(losses).backward()  # type: ignore[no-untyped-call]

    taken = settings.compare(lambda: assign(distances), step, pairs=5)
    case = f"matching: {TARGETS} targets, {BRANCHES} branches, batch {batch}, over a step"
    return row(case, taken.ratio, LIMITS["matching"], size=list(size), **taken.details("matching", "step"))


def total(losses: Mapping[str, Mapping[str, Tensor]]) -> Tensor:
    return torch.stack([term for terms in losses.values() for term in terms.values()]).sum()


def picture(count: int, size: Size, seed: int) -> Tensor:
    return torch.rand(count, CHANNELS, *size, generator=torch.Generator().manual_seed(seed)) * 2 - 1
