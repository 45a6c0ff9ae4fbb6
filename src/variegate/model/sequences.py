"""How much a sequence of images flickers, compared with what would be expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from ..core.images import uint8_to_unit

if TYPE_CHECKING:
    from .model import Model


def adjacent_difference(images: Tensor) -> Tensor:
    """Mean absolute difference of each image from the previous one: (T, C, H, W) to (T - 1,), in the images' units."""
    return (images[1:].float() - images[:-1].float()).abs().flatten(1).mean(dim=1)


def changed_share(layouts: Tensor) -> Tensor:
    """Fraction of pixels that change class from the previous layout: (T, c, H, W), ids first, to (T - 1,) in [0, 1]."""
    return (layouts[1:, 0] != layouts[:-1, 0]).float().flatten(1).mean(dim=1)


class Flicker(NamedTuple):
    """Differences between adjacent frames of a sequence of T, (T - 1,) each, in units of [0, 1]."""

    frames: Tensor  # between the images
    fresh: Tensor  # between images with a different code for every frame
    layouts: Tensor  # fraction of pixels that change class; for image conditions, their mean absolute difference
    labels: bool  # whether the conditions are label maps

    def text(self) -> str:
        if not len(self.frames):
            return "only one frame, so there is nothing to compare"
        what = "pixels that change class" if self.labels else "difference of the conditions"
        rows = [
            ("adjacent frames differ by", self.frames),
            ("with a fresh code per frame", self.fresh),
            (what, self.layouts),
        ]
        lines = [f"{name:28} {float(one.mean()):.4f}  (largest {float(one.max()):.4f})" for name, one in rows]
        return "\n".join(["mean |frame t+1 - frame t|, range 0 to 1", *lines])


def flicker(model: Model, layouts: Sequence[Tensor], images: Tensor, seed: int = 0) -> Flicker:
    """Measure images (T, C, H, W) of raw layouts (c, H, W); `fresh` samples frame t with code t of `seed`."""
    fresh = torch.cat([model.decode(raw, code[None]) for raw, code in zip(layouts, model.codes(len(layouts), seed))])
    labels = model.condition.discrete
    shown = torch.stack([raw if labels else model.condition.to_image(raw) for raw in layouts])
    changes = changed_share(shown) if labels else uint8_to_unit(adjacent_difference(shown))
    return Flicker(adjacent_difference(images), adjacent_difference(fresh), changes, labels)
