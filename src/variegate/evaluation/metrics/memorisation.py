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


class TrainingImages:
    """Training images made small for the search, evenly spaced if there are more than `most`."""

    def __init__(self, training: Pairs, most: int = IMAGES) -> None:
        count = min(most, len(training))
        self.items = torch.arange(count) * len(training) // count
        parts = [reduced(torch.stack([training.raw(i)[1] for i in some.tolist()])) for some in self.items.split(64)]
        self.small = torch.cat(parts).flatten(1)

    @torch.no_grad()
    def nearest(self, images: Tensor) -> Nearest:
        """Of images uint8 (n, C, H, W), of the size of the training images."""
        wanted = reduced(images).flatten(1)
        best = (torch.cdist(wanted, self.small) / wanted.shape[1] ** 0.5).min(dim=1)
        return Nearest(self.items[best.indices], best.values)


def reduced(images: Tensor) -> Tensor:
    """uint8 (n, C, H, W) to floats in [-1, 1], averaged down to about SIDE."""
    factor = max(1, min(images.shape[-2:]) // SIDE)
    return F.avg_pool2d(to_float(images), factor)
