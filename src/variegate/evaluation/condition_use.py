"""Is the condition used? What held-out images cost with their own condition, and with another image's.

A strong decoder may learn images without looking at the vector of an auto-encoder, or at any other condition.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..core.capabilities import HasLikelihood
from ..core.images import to_float
from ..data.conditions import ImageCondition
from ..data.dataset.pairs import Pairs
from ..model.model import Model
from ..runs.health import IGNORED

IMAGES, PIXELS = 64, 2**18  # held-out images at most, and of large ones so many pixels
LEAST_IMAGES = 8
CHUNK = 16


def condition_use(model: Model, held: Pairs) -> tuple[bool, str] | None:
    """(used, sentence); None where there is no condition, or nothing to tell it by."""
    encodes = isinstance(model.condition, ImageCondition) and model.condition.is_self
    likelihood = isinstance(model.generator, HasLikelihood)
    if model.condition.channels == 0 or not (likelihood or (encodes and model.generator.code_size == 0)):
        return None
    places = swap_conditions(held)
    if len(places) < 2:
        return None
    own, others = (costs(model, held, [(i, at[k]) for i, *at in places]) for k in (0, 1))
    gain = others - own
    clear = float(gain.mean()) > 2 * float(gain.std()) / len(gain) ** 0.5
    what, word = ("bottleneck", "vector") if encodes else ("condition", "condition")
    if likelihood:
        values = math.prod(held.raw(0)[1].shape)
        used = clear and float(gain.mean()) >= 1  # bit: with its own an image is twice as likely
        said = (
            f"held-out images take {float(own.mean()) / values:.3f} bits per value with their own {word} and "
            f"{round(float(gain.mean()), 1) + 0.0:.1f} bits an image more with another's"
        )
    else:
        used = clear and float(gain.mean()) > IGNORED * float(own.mean())
        said = (
            f"held-out images are drawn with a squared error of {float(own.mean()):.4f} from their own {word}, "
            f"{float(others.mean()):.4f} from another's"
        )
    if used:
        return True, f"The {what} is used: {said}."
    remedy = (
        "a longer --bottleneck or a smaller decoder"
        if encodes
        else "one that says more of the images, or check that each belongs to its image"
    )
    return False, f"The {what} is hardly used: {said}. Train longer; if that does not help, give {remedy}."


def swap_conditions(held: Pairs) -> list[tuple[int, int, int]]:
    """Held-out images from all over: each one's number, that of its condition, and that of the next which has
    another."""
    height, width = held.size
    count = min(len(held), IMAGES, max(LEAST_IMAGES, PIXELS // (height * width)))
    chosen = [i * len(held) // count for i in range(count)]
    found = []
    for place, i in enumerate(chosen):
        later = chosen[place + 1 :] + chosen[:place]
        other = next((j for j in later if not torch.equal(held.raw(i)[0], held.raw(j)[0])), None)
        if other is not None:
            found.append((i, i, other))
    return found


@torch.no_grad()
def costs(model: Model, held: Pairs, places: list[tuple[int, int]]) -> Tensor:
    """Of images, each with the condition of the pair beside it: in bits, or as a mean squared error in [0, 1]: (n,)."""
    found = []
    for start in range(0, len(places), CHUNK):
        part = places[start : start + CHUNK]
        images = to_float(torch.stack([held.raw(i)[1] for i, _ in part]))
        raws = torch.stack([held.raw(j)[0] for _, j in part])
        conditions, generator = held.condition.encode(raws), model.generator
        if isinstance(generator, HasLikelihood):
            found.append(-generator.log_prob(conditions, images) / math.log(2))
        else:
            drawn = generator(conditions, images.new_zeros(len(part), 1, 0))[:, 0].clamp(-1, 1)
            found.append((drawn - images).square().flatten(1).mean(dim=1) / 4)
    return torch.cat(found)
