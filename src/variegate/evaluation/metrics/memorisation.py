"""Are samples copies of training images? The nearest training image of each sample, shown and measured."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ...core.images import to_float
from ...data.dataset.pairs import Pairs

SIDE = 32  # images are compared when their shorter side is at most this
IMAGES = 2000  # maximum of training images that are searched


class Nearest(NamedTuple):
    """The nearest training image of each of n images."""

    items: Tensor  # int64 (n,)
    distances: Tensor  # root mean squared difference in [-1, 1], (n,)


@torch.no_grad()
def nearest_training(images: Tensor, training: Pairs) -> Nearest:
    """Search the training images, evenly spaced if there are very many.

    Args:
        images: uint8 (n, C, H, W), of the size of the training images.
    """
    count = min(IMAGES, len(training))
    items = torch.arange(count) * len(training) // count
    wanted = reduced(images).flatten(1)
    rows = []
    for some in items.split(64):
        real = reduced(torch.stack([training.raw(item)[1] for item in some.tolist()])).flatten(1)
        rows.append(torch.cdist(wanted, real) / wanted.shape[1] ** 0.5)
    best = torch.cat(rows, dim=1).min(dim=1)
    return Nearest(items[best.indices], best.values)


def reduced(images: Tensor) -> Tensor:
    """uint8 (n, C, H, W) to floats in [-1, 1], averaged down to about SIDE."""
    factor = max(1, min(images.shape[-2:]) // SIDE)
    return F.avg_pool2d(to_float(images), factor)
