"""MR-GAN's generator step against the public formulation, and how its cost grows with K samples per condition.

Public formulation: the encoder runs once, its features are repeated K times, the decoder runs on every sample; one
`backward` computes the gradients of both the generator and the discriminator. Both sides have the same networks, codes
and losses (two moments, with a predictor), clip by value and use AMSGrad. `ratio` is ours over theirs, for time and for
peak memory; the rows for a single K give our time relative to K = 2.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import torch
from torch import nn

from variegate.core.config import Training
from variegate.core.interfaces import Batch, Generator, Shapes
from variegate.losses.adversarial import generator_loss
from variegate.losses.moments import proxy_reconstruction
from variegate.methods import method
from variegate.objectives.moment_reconstruction import MomentReconstruction

from .family import CHANNELS, batch_of, ours
from .measure import LAYOUTS, peak_bytes, timed
from .results import Row, Settings, row

LIMIT = 1.0
SIDE, CONDITIONS = 64, 4
CASES = {"mrgan": (32, 10), "mrgan-superres": (32, 24)}  # width and K
GROWTH = (2, 5, 10, 20, 40)
Step = Callable[[], None]
Side = tuple[Generator, MomentReconstruction, Batch, Training]


def rows(settings: Settings) -> list[Row]:
    compared = [one for name in CASES for one in against_public(name, settings)]
    return compared + growth(settings)


def built(name: str, samples: int, settings: Settings) -> Side:
    """Build networks, batch and settings for a generator step in which the discriminator is not updated."""
    options = {"objective.samples": samples, "objective.share": 1.0, "objective.generator_steps": 2}
    chosen = method(name, {**options, "width": 4 if settings.quick else CASES[name][0]})
    torch.manual_seed(settings.seed)
    size = (SIDE, SIDE)
    generator, objective = (
        chosen.build_generator(Shapes(CHANNELS, CHANNELS, size)),
        chosen.build_objective(Shapes(CHANNELS, 3, size)),
    )
    assert isinstance(objective, MomentReconstruction)
    for network in (generator, objective):
        network.to(memory_format=LAYOUTS["channels_last"])  # type: ignore[call-overload]
    return generator.train(), objective.train(), batch_of(CONDITIONS, SIDE, settings.seed), chosen.training


def our_step(name: str, samples: int, settings: Settings) -> Step:
    return ours(*built(name, samples, settings), at=1)


def public_step(name: str, samples: int, settings: Settings) -> Step:
    generator, objective, batch, training = built(name, samples, settings)
    config, predictor = objective.config, objective.predictor
    optimizer = torch.optim.Adam(
        generator.parameters(), lr=1e-4, betas=training.betas, weight_decay=training.weight_decay, amsgrad=True
    )

    def step() -> None:
        codes = generator.draw_for(batch.key, samples).flatten(0, 1)
        features = generator.encode(batch.condition).repeat(samples)
        drawn = generator.decode(features, codes)
        optimizer.zero_grad()
        with torch.no_grad():
            predicted = objective.predict(batch.condition)
        each = batch.condition.repeat_interleave(samples, dim=0)
        fooled = generator_loss(objective.judge(each, drawn), config.mode)
        first, second = proxy_reconstruction(config.family, predicted, drawn.unflatten(0, (-1, samples)))
        assert second is not None
        (fooled + config.first * first.mean() + config.second * second.mean()).backward()
        nn.utils.clip_grad_value_(generator.parameters(), 0.5)
        optimizer.step()

    assert predictor is not None
    return step


def against_public(name: str, settings: Settings) -> list[Row]:
    samples = 2 if settings.quick else CASES[name][1]
    taken = settings.compare(our_step(name, samples, settings), public_step(name, samples, settings), seconds=20.0)
    case, size = f"{name}, K = {samples}", [SIDE, SIDE]
    memory = [peak_bytes(lambda make=make: twice(make(name, samples, settings))) for make in (our_step, public_step)]
    return [
        row(f"{case}, generator step", taken.ratio, LIMIT, size=size, **taken.details("ours", "public")),
        row(
            f"{case}, memory of a step",
            memory[0] / memory[1],
            LIMIT,
            size=size,
            megabytes_ours=memory[0] / 1e6,
            megabytes_public=memory[1] / 1e6,
        ),
    ]


def twice(step: Step) -> None:
    """Run two steps; only the second starts with the optimiser's state."""
    step()
    step()


def growth(settings: Settings) -> list[Row]:
    """Measure the median seconds of a step for each K, alternately."""
    many = (2, 5) if settings.quick else GROWTH
    steps = {samples: our_step("mrgan", samples, settings) for samples in many}
    times: dict[int, list[float]] = {samples: [] for samples in many}
    for _ in range(2 if settings.quick else 8):
        for samples, step in steps.items():
            times[samples].append(timed(step))
    seconds = {samples: median(taken[1:] or taken) for samples, taken in times.items()}
    return [
        row(
            f"mrgan, K = {samples}, against K = {many[0]}",
            taken / seconds[many[0]],
            None,
            size=[SIDE, SIDE],
            seconds_ours=taken,
            images_per_second=CONDITIONS * samples / taken,
        )
        for samples, taken in seconds.items()
    ]
