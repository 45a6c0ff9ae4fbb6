"""What samples, the log and the predictor of a run may suffer from, each as (healthy, sentence), else None."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...core.capabilities import HasMoments
from ...core.images import to_float, to_uint8
from ...data.dataset.pairs import Pairs
from ...data.dataset.sampling import sample_pair, sample_raw
from ...model.model import Model
from ..metrics.calibration import ALIKE, Calibration
from ..metrics.fidelity import pixels_of
from ..metrics.memorisation import TrainingImages

Finding = tuple[bool, str]
MODES, FEWEST = 24, 6  # samples that are drawn, and as many groups of them as are few
GROUPED = 0.1  # of the distance of their most different ones, below which samples are one
WIDEST = 0.95  # quantile of distances that stands for the most different ones
COPIED = 0.5  # of the distance of held-out images to their nearest training image, below which samples are copies
WON = 0.05  # of a discriminator's loss at first, below which it has won
EARLY, LATE = 0.1, 0.2  # shares of the log that count as its beginning and its end
GAP = 0.5  # of the distance between images of two conditions, above which statistics of batches are not those saved
SEARCHED = 64  # held-out pairs that are searched for different conditions
FITTED = 2.0  # times its error on training images, above which a predictor is over-fitted


def few_modes(model: Model, held: Pairs) -> Finding | None:
    """Are the samples of one condition only a few different images (in its hole, if it has one)?"""
    if (
        not model.generator.code_size
        or model.generator.alternatives is not None
        or isinstance(model.generator, HasMoments)
    ):
        return None
    images = sample_pair(model.generator, held, 0, model.generator.draw([(0, i) for i in range(MODES)]))
    pixels = pixels_of(images, held.hole(0)).flatten(1)
    apart = torch.cdist(pixels, pixels)
    widest = float(apart[~torch.eye(MODES, dtype=torch.bool)].quantile(WIDEST))
    if widest == 0 or (groups := connected(apart < GROUPED * widest)) > FEWEST:
        return None
    return False, (
        f"Few modes: {MODES} samples of a condition are only {groups} different images. Train longer, or a method that "
        "covers its data (flow, cimle)."
    )


def connected(near: Tensor) -> int:
    """The number of groups of a relation, bool (n, n)."""
    reach = near | torch.eye(len(near), dtype=torch.bool)
    for _ in range(max(1, math.ceil(math.log2(len(near))))):
        reach = (reach.float() @ reach.float()) > 0
    return len({tuple(row.tolist()) for row in reach})


def copies(model: Model, held: Pairs, training: Pairs, images: int = 8) -> Finding | None:
    """Are samples much nearer to a training image than held-out images are (in the hole, if there is one)?"""
    if held.split == "train" or isinstance(model.generator, HasMoments):
        return None
    some = range(min(images, len(held)))
    codes = model.generator.draw([(0, 0)])
    drawn = torch.stack([to_uint8(sample_pair(model.generator, held, i, codes))[0] for i in some])
    raws, real = map(torch.stack, zip(*(held.raw(i) for i in some)))
    kept, holes = TrainingImages(training), held.condition.hole(raws)
    own, usual = (float(kept.nearest(each, holes).distances.median()) for each in (drawn, real))
    if own >= COPIED * usual:
        return None
    return False, (
        f"Copies: samples are {own / max(usual, 1e-12):.0%} as far from their nearest training image as held-out "
        "images are. The report shows both; more pairs, --flip true or fewer steps help."
    )


def discriminator_won(log: Sequence[Mapping[str, Any]]) -> Finding | None:
    """Has the discriminator's loss come to nothing, so that the generator learns little from it?

    At first it guesses, whatever the form and the weight of its loss.
    """
    losses = [float(line["discriminator/adversarial"]) for line in log if "discriminator/adversarial" in line]
    early, late = losses[: max(1, round(EARLY * len(losses)))], losses[-max(1, round(LATE * len(losses))) :]
    if len(losses) < 10 or not all(map(math.isfinite, [*early, *late])):
        return None
    guessing, last = max(early), sum(late) / len(late)
    if last > WON * guessing:
        return None
    return False, (
        f"The discriminator has won: its loss fell from {guessing:.2g} at first to {last:.2g} at the end of "
        "training, so that it teaches little. Lower --learning-rate.discriminator, or give more pairs."
    )


@torch.no_grad()
def batch_statistics(model: Model, held: Pairs, batch: int = 8) -> Finding | None:
    """With batch norm: do saved statistics draw other images than those of a batch, with which it was trained?

    Args:
        batch: images of a training batch.
    """
    norms = [
        part for part in model.generator.modules() if isinstance(part, nn.BatchNorm2d) and part.track_running_stats
    ]
    raws = different(held, max(2, batch))
    if not norms or len(raws) < max(2, batch):
        return None
    codes = model.generator.draw([(0, 0)])
    saved = sample_raw(model.generator, held.condition, raws, codes)[:, 0]
    kept = [{name: value.clone() for name, value in part.state_dict().items()} for part in norms]
    condition = held.condition.encode(raws.to(next(model.generator.parameters()).device))
    try:
        for part in norms:
            part.train()
        drawn = [
            model.generator(some, codes.expand(len(some), 1, -1).to(some.device))[:, 0]
            for some in condition.split(batch)
        ]
    finally:
        for part, state in zip(norms, kept):
            part.load_state_dict(state)
            part.eval()
    trained = torch.cat(drawn).clamp(-1, 1).cpu()
    holes = held.condition.hole(raws)
    apart, usual = (inside((saved - one).abs(), holes) for one in (trained, saved.roll(1, dims=0)))
    share = apart / max(usual, 1e-6)
    if share < GAP:
        return None
    return False, (
        f"Batch norm: with its saved statistics it draws other images than with those of a batch of {batch}: "
        f"{share:.0%} as different as images of two conditions. Train longer; if the network has the choice, give "
        "--generator.norm instance."
    )


def inside(errors: Tensor, holes: Tensor | None) -> float:
    """The mean of errors (n, C, H, W), of which only those in holes (n, 1, H, W) count; None: all."""
    return float(errors.mean() if holes is None else errors[holes.expand_as(errors)].mean())


def different(held: Pairs, count: int) -> Tensor:
    """The first conditions that differ, at most `count` of them (n, c, H, W)."""
    found: dict[bytes, Tensor] = {}
    for i in range(min(len(held), SEARCHED)):
        raw = held.raw(i)[0]
        found.setdefault(raw.contiguous().numpy().tobytes(), raw)
        if len(found) == count:
            break
    return torch.stack([*found.values()])


def predictor_fitted(predictor: Model, training: Pairs, held: Pairs, images: int = 32) -> Finding | None:
    """Is a predictor of moments much better on the images it was trained on, so that its variance is too small?"""
    generator = predictor.generator
    if held.split == "train" or not isinstance(generator, HasMoments):
        return None

    @torch.no_grad()
    def error(pairs: Pairs) -> float:
        some = range(min(images, len(pairs)))
        raws, truths = (torch.stack(each) for each in zip(*(pairs.raw(i) for i in some)))
        mean = generator.moments(pairs.condition.encode(raws))[0]
        return inside((mean.cpu() - to_float(truths)).square(), pairs.condition.hole(raws))

    own, others = error(training), error(held)
    if others < FITTED * own:
        return None
    return False, (
        f"The predictor is over-fitted: its squared error is {own:.4f} on training images and {others:.4f} on held-out "
        "ones, so that the variance it asks for is too small. Give it more pairs, or --previous.training.patience 5."
    )


def spread(found: Calibration) -> Finding:
    """Whether samples are about as uncertain as they should be, and what helps if not."""
    ratio = found.spread_over_error()
    if ratio < ALIKE:
        return True, (
            f"{found.words()} Samples are too much alike, or of wrong colours: train longer, or lower the weight of a "
            "reconstruction term."
        )
    if ratio > 1 / ALIKE:
        return True, f"{found.words()} Samples differ more than images of a condition do: train longer."
    return True, found.words()
