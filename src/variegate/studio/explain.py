"""What is uncertain in the images of a condition, as pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.capabilities import HasLevels, HasMoments
from ..core.images import heat, to_uint8, unit_to_uint8
from ..core.sampling import image_moments, moments_of
from ..evaluation.metrics.diversity import squared_distances
from ..model.likelihood import ask_of_each
from . import wire
from .conditions import png
from .shelf import Entry

SURPRISAL_IMAGES = 4  # a pass of a PixelCNN for each


def explain(entry: Entry, raw: Tensor, images: Tensor, codes: list[wire.AnyCode]) -> wire.Explanation:
    """Mean and deviation of images (n, C, H, W) in [0, 1], how they differ, and where they may come from."""
    shown = unit_to_uint8(images)
    mean, deviation, predicted = moments(entry, raw, images)
    top = float(deviation.max())
    bits = surprisals(entry, raw, shown)
    most = max((float(one.max()) for one in bits), default=0.0)
    apart = (squared_distances(images.flatten(1)) / images[0].numel()).clamp(min=0).sqrt()
    return wire.Explanation(
        mean=png(to_uint8(mean * 2 - 1)),
        deviation=png(heat(deviation, top)),
        deviation_top=top,
        predicted=predicted,
        pairwise=[[round(value, 4) for value in row] for row in apart.tolist()],
        nearest=nearest(entry, shown),
        surprisal=[png(heat(one, most)) for one in bits],
        surprisal_top=most,
        images=[
            wire.ImageOut(png=png(image), code=code, position=place)
            for place, (image, code) in enumerate(zip(shown, codes))
        ],
    )


def moments(entry: Entry, raw: Tensor, images: Tensor) -> tuple[Tensor, Tensor, bool]:
    """Mean (C, H, W), deviation (H, W), and whether the model predicts them itself."""
    if isinstance(entry.model.generator, HasMoments):
        with torch.no_grad():
            return *image_moments(entry.model.generator, entry.model.encode(raw), entry.model.codes(2)), True
    return *moments_of(images), False


def nearest(entry: Entry, shown: Tensor) -> list[wire.Nearest]:
    found = entry.nearest(shown)
    if found is None:
        return []
    where, real = found
    each = zip(real, where.distances.tolist(), where.items.tolist())
    return [wire.Nearest(png=png(image), distance=apart / 2, index=item) for image, apart, item in each]


def surprisals(entry: Entry, raw: Tensor, shown: Tensor) -> list[Tensor]:
    """Bits of every pixel (H, W) of the first images, of models that have levels."""
    generator = entry.model.generator
    if not isinstance(generator, HasLevels):
        return []
    with torch.no_grad():
        condition = entry.model.encode(raw)
        return [*ask_of_each(generator.surprisal, condition, shown[:SURPRISAL_IMAGES], 1)]
