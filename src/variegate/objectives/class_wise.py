"""Cascaded refinement: perceptual regression, in which every class picks its best head (Chen & Koltun, ICCV 2017).

With one head this is plain regression, whatever the generator's randomness: its noise is drawn but never matched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..core.codes import every_choice
from ..core.errors import ConfigError
from ..core.interfaces import Batch, Generator, Losses, Objective, Shapes
from ..core.method import Method, ObjectiveConfig, Opposite
from ..losses.class_wise import class_distances, class_wise_best
from ..losses.perceptual import feature_l1
from ..networks.perceptual import CITYSCAPES, CITYSCAPES_LARGER, GTA, LayerWeights, PerceptualKind, perceptual


class ClassWise(Objective):
    """Perceptual regression with k heads.

    Args:
        features: image -> list of feature maps.
        weights: one per feature map; None for equal weights.
        heads: k, the number of images that compete for every class.
        others: weight of the mean over all heads against the best one.
    """

    def __init__(self, features: nn.Module, weights: Sequence[float] | None, heads: int, others: float) -> None:
        super().__init__()
        self.features, self.weights = features, weights
        self.heads, self.others = heads, others

    def updates(self, generator: Generator, batch: Batch, step: int) -> Iterator[Losses]:
        if self.heads == 1:
            codes = generator.draw_for(batch.key, 1)
        else:
            codes = every_choice(self.heads).to(batch.image.device).expand(len(batch.image), -1, -1)
        images = generator(batch.condition, codes)
        yield {"generator": {"perceptual": self.loss(images, batch).mean()}}

    def loss(self, images: Tensor, batch: Batch) -> Tensor:
        """Loss (B,) of images (B, k, C, H, W)."""
        maps = self.features(images.flatten(0, 1))
        with torch.no_grad():
            target = self.features(batch.image)
        weights = self.weights or [1.0] * len(target)
        if self.heads == 1:
            return feature_l1(maps, target, weights, batch.weight)
        layers = [layer.unflatten(0, (-1, self.heads)) for layer in maps]
        distances = class_distances(layers, target, weights, classes(batch.condition), batch.weight)
        return class_wise_best(distances, self.others)


HEADS = "objective.heads: every class picks its best head, but {}; train on label maps or give --heads 1"


def classes(condition: Tensor, refusal: str = HEADS) -> Tensor:
    """One-hot planes (B, P, H, W) of a condition (B, K, H, W), without a final boundary plane.

    Args:
        refusal: the error, with {} where it says what is wrong.

    Raises:
        ConfigError: the conditions are not label maps.
    """
    first = condition[:, :-1]
    for planes in (first, condition):  # also drops a last class that is absent everywhere
        if bool((planes.sum(dim=1) == 1).all()):
            return planes
    raise ConfigError(refusal.format("these conditions are not label maps"))


Dataset = Literal["cityscapes", "gta"]


class ClassWiseConfig(ObjectiveConfig):
    weighs_pixels: ClassVar[bool] = True
    summary: ClassVar[str] = "perceptual regression in which every class of a layout trains the best of k heads"

    kind: Literal["class_wise"] = "class_wise"
    perceptual: PerceptualKind = "vgg19"
    dataset: Dataset = Field("cityscapes", description="whose published weights vgg19 uses")
    weights: LayerWeights = Field(
        None, description="one per feature map, or calibrated on the data; published for vgg19, else equal"
    )
    heads: int = Field(9, ge=1, description="k: images that compete for every class; 1: plain regression")
    others: float = Field(0.001, ge=0, le=1, description="weight of the mean over all heads against the best")

    def refusal(self, method: Method) -> str | None:
        own = method.randomness.alternatives() or 1
        if self.heads > 1 and method.generator.fills_holes:
            return f"objective class_wise needs label maps, but generator {method.generator.kind} reads a hole"
        if self.heads == own:
            return None
        if own == 1:
            return f"objective.heads is {self.heads}, but randomness {method.randomness.kind} has one head; set it to 1"
        return f"objective.heads is {self.heads}, but randomness.heads is {own}; give --heads, which sets both"

    def build(self, shapes: Shapes, opposite: Opposite) -> ClassWise:
        small = shapes.size[0] <= 256
        published = GTA if self.dataset == "gta" else CITYSCAPES if small else CITYSCAPES_LARGER
        features, weights = perceptual(self.perceptual, self.weights, published)
        return ClassWise(features, weights, self.heads, self.others)
