"""Is the condition used? Compares the cost of held-out images given their own condition and given another image's.

A strong decoder may learn to ignore the vector of an auto-encoder, or any other condition.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...core.capabilities import HasLikelihood, HasMoments
from ...core.images import to_float
from ...data.conditions import ImageCondition
from ...data.dataset.pairs import Pairs
from ...model.model import Model
from ...runs.health import IGNORED

IMAGES, PIXELS = 64, 2**18  # at most this many held-out images, and pixels in total if images are large
LEAST_IMAGES = 8
CHUNK = 16


def condition_use(model: Model, held: Pairs) -> tuple[bool, str] | None:
    """(used, sentence); None if there is no condition, or no way to tell."""
    encodes = isinstance(model.condition, ImageCondition) and model.condition.is_self
    if model.condition.channels == 0 or not (
        isinstance(model.generator, HasLikelihood) or (encodes and model.generator.code_size == 0)
    ):
        return None
    places = swap_conditions(held)
    if len(places) < 2:
        return None
    own, others = (costs(model, held, [(i, at[k]) for i, *at in places]) for k in (0, 1))
    gain = others - own
    clear = float(gain.mean()) > 2 * float(gain.std()) / len(gain) ** 0.5
    what, word = ("bottleneck", "vector") if encodes else ("condition", "condition")
    if isinstance(model.generator, HasLikelihood):
        values = hidden_values(model.generator, held, [i for i, *_ in places])
        used = clear and float(gain.mean()) >= 1  # bit: with its own condition, an image is twice as likely
        said = (
            f"held-out images take {float(own.mean()) / values:.3f} bits per value with their own {word}, and "
            f"{round(float(gain.mean()), 1) + 0.0:.1f} more bits per image with another's"
        )
    else:
        used = clear and float(gain.mean()) > IGNORED * float(own.mean())
        said = (
            f"held-out images have a squared error of {float(own.mean()):.4f} given their own {word}, and "
            f"{float(others.mean()):.4f} given another's"
        )
    if used:
        return True, f"The {what} is used: {said}."
    remedy = (
        "use a longer --bottleneck or a smaller decoder"
        if encodes
        else "use a more informative condition, or check that each belongs to its image"
    )
    return False, f"The {what} is hardly used: {said}. Train longer; if that does not help, {remedy}."


def swap_conditions(held: Pairs) -> list[tuple[int, int, int]]:
    """Evenly spaced held-out items: the index of each image, of its own condition, and of the next different one."""
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


def conditions_for(model: Model, held: Pairs, places: list[tuple[int, int]]) -> Tensor:
    """Raw conditions (n, c, H, W), for (image, condition) indices.

    Where only what is inside of holes has a likelihood, each keeps its own hole, and what is around it is the other
    image: only the likelihoods of the same pixels can be compared.
    """
    raws = torch.stack([held.raw(j)[0] for _, j in places])
    if not isinstance(model.generator, HasMoments):
        return raws
    own = torch.stack([held.raw(i)[0] for i, _ in places])
    hole = model.generator.hole(held.condition.encode(own))
    if hole is None:
        return raws
    others = torch.stack([held.raw(j)[1] for _, j in places])
    channels = others.shape[1]
    return torch.cat([torch.where(hole, own[:, :channels], others), own[:, channels:]], dim=1)


def hidden_values(generator: HasLikelihood, held: Pairs, items: list[int]) -> float:
    """The mean number of values of an image that its condition does not give."""
    conditions, images = (torch.stack(parts) for parts in zip(*map(held.raw, items)))
    return max(1.0, float(generator.values(held.condition.encode(conditions), to_float(images)).double().mean()))


@torch.no_grad()
def costs(model: Model, held: Pairs, places: list[tuple[int, int]]) -> Tensor:
    """Cost (n,) of images given conditions, for (image, condition) indices: bits, or mean squared error in [0, 1]."""
    found = []
    for start in range(0, len(places), CHUNK):
        part = places[start : start + CHUNK]
        images = to_float(torch.stack([held.raw(i)[1] for i, _ in part]))
        conditions, generator = held.condition.encode(conditions_for(model, held, part)), model.generator
        if isinstance(generator, HasLikelihood):
            found.append(-generator.log_prob(conditions, images) / math.log(2))
        else:
            drawn = generator(conditions, images.new_zeros(len(part), 1, 0))[:, 0].clamp(-1, 1)
            found.append((drawn - images).square().flatten(1).mean(dim=1) / 4)
    return torch.cat(found)
