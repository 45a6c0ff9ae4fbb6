"""Cascaded refinement: perceptual regression, in which every class picks its best head (Chen & Koltun, ICCV 2017).

With one head this is plain regression, whatever the generator's randomness: its noise is drawn but matched to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..core.errors import ConfigError
from ..core.interfaces import Batch, Generator, Losses, Objective, Opposite, Part, Size
from ..losses.class_wise import class_distances, class_wise_best
from ..losses.perceptual import feature_l1
from ..networks.perceptual import CITYSCAPES, CITYSCAPES_LARGER, GTA, LayerWeights, PerceptualKind, perceptual


class ClassWise(Objective):
    """
    Args:
        features: image -> list of feature maps.
        weights: one per feature map; None for equal weights.
        heads: k, images that compete for every class.
        others: share of the mean over all heads beside the best one.
    """

    def __init__(self, features: nn.Module, weights: Sequence[float] | None, heads: int, others: float) -> None:
        super().__init__()
        self.features, self.weights = features, weights
        self.heads, self.others = heads, others

    def updates(self, generator: Generator, batch: Batch, step: int) -> Iterator[Losses]:
        if self.heads == 1:
            codes = generator.draw_for(batch.key, 1)
        else:
            codes = every_head(self.heads).to(batch.image.device).expand(len(batch.image), -1, -1)
        images = generator(batch.condition, codes)
        yield {"generator": {"perceptual": self.loss(images, batch).mean()}}

    def loss(self, images: Tensor, batch: Batch) -> Tensor:
        """(B,) of images (B, k, C, H, W)."""
        maps = self.features(images.flatten(0, 1))
        with torch.no_grad():
            target = self.features(batch.image)
        weights = self.weights or [1.0] * len(target)
        if self.heads == 1:
            return feature_l1(maps, target, weights, batch.weight)
        layers = [layer.unflatten(0, (-1, self.heads)) for layer in maps]
        distances = class_distances(layers, target, weights, classes(batch.condition), batch.weight)
        return class_wise_best(distances, self.others)


def every_head(heads: int) -> Tensor:
    """Codes (k, 1) in the middle of each head's share of [0, 1]."""
    return ((torch.arange(heads) + 0.5) / heads).unsqueeze(1)


def classes(condition: Tensor) -> Tensor:
    """One-hot planes (B, P, H, W) of a condition (B, K, H, W), without a last plane of boundaries.

    Raises:
        ConfigError: conditions are no label maps.
    """
    first = condition[:, :-1]
    for planes in (first, condition):  # a class that is absent everywhere may be left out too
        if bool((planes.sum(dim=1) == 1).all()):
            return planes
    raise ConfigError(
        "objective.heads: every class picks its best image, and these conditions are no label maps; "
        "train on label maps, or with --heads 1"
    )


Dataset = Literal["cityscapes", "gta"]


class ClassWiseConfig(Part):
    kind: Literal["class_wise"] = "class_wise"
    perceptual: PerceptualKind = "vgg19"
    dataset: Dataset = Field("cityscapes", description="whose published weights vgg19 has")
    weights: LayerWeights = Field(
        None, description="one per feature map, or calibrated on the data; published for vgg19, else equal"
    )
    heads: int = Field(9, ge=1, description="k: images that compete for every class; 1: plain regression")
    others: float = Field(0.001, ge=0, le=1, description="share of the mean over all heads beside the best")

    def build(
        self, condition_channels: int, image_channels: int, size: Size, opposite: Opposite | None = None
    ) -> ClassWise:
        published = GTA if self.dataset == "gta" else CITYSCAPES if size[0] <= 256 else CITYSCAPES_LARGER
        features, weights = perceptual(self.perceptual, self.weights, published)
        return ClassWise(features, weights, self.heads, self.others)
