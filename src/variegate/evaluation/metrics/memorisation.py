"""Are samples copies of training images? The nearest training image of each sample, shown and measured."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ...core.images import to_float
from ...data.dataset.pairs import Pairs

SIDE = 32  # images are compared when their shorter side is at most this
IMAGES = 2000  # maximum of training images that are searched
NearestBy = Literal["rmse", "l1"]
POWERS: dict[NearestBy, float] = {"rmse": 2, "l1": 1}


class Nearest(NamedTuple):
    """The nearest training image of each of n images."""

    items: Tensor  # int64 (n,)
    distances: Tensor  # root mean squared or mean absolute difference in [-1, 1], (n,)


class TrainingImages:
    """Training images made small for the search, evenly spaced if there are more than `most`."""

    def __init__(self, training: Pairs, most: int = IMAGES) -> None:
        count = min(most, len(training))
        self.items = torch.arange(count) * len(training) // count
        parts = [reduced(torch.stack([training.raw(i)[1] for i in some.tolist()])) for some in self.items.split(64)]
        self.small = torch.cat(parts).flatten(1)

    @torch.no_grad()
    def nearest(self, images: Tensor, holes: Tensor | None = None, by: NearestBy = "rmse") -> Nearest:
        """Of images uint8 (n, C, H, W), of the size of the training images.

        Args:
            holes: bool (n, 1, H, W), the pixels that are compared, of each image its own; None: all.
            by: root mean squared (rmse) or mean absolute (l1) difference of pixels.
        """
        power = POWERS[by]
        wanted = reduced(images)
        counted = torch.ones_like(wanted) if holes is None else shrink(holes.float()).expand_as(wanted)
        shares = counted.flatten(1) / counted.flatten(1).sum(dim=1, keepdim=True).clamp(min=1e-12)
        roots = shares ** (1 / power)
        each = zip(wanted.flatten(1).split(1), roots.split(1))
        apart = torch.cat([torch.cdist(one * root, self.small * root, p=power) for one, root in each])
        best = apart.min(dim=1)
        return Nearest(self.items[best.indices], best.values)


def reduced(images: Tensor) -> Tensor:
    """uint8 (n, C, H, W) to floats in [-1, 1], averaged down to about SIDE."""
    return shrink(to_float(images))


def shrink(images: Tensor) -> Tensor:
    return F.avg_pool2d(images, max(1, min(images.shape[-2:]) // SIDE))
