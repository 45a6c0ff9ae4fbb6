"""Conditional IMLE: every real image pulls its nearest sample, so no image is left out (Li et al., ICCV 2019).

    min E_z [ (1/n) sum_i min_j L(T(x_i, z_ij), y_i) ]                                            (Algorithm 1)

The loader's batch is the pool S: one step draws m codes for each of its slots, keeps the best, and makes K updates on
random subsets of the pool with the winning codes fixed. Codes belong to slots, not images: an image may occur twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.interfaces import Batch, Generator, Losses, Objective, Shapes
from ..core.method import Method, ObjectiveConfig, Opposite
from ..losses.perceptual import feature_l1
from ..networks.perceptual import LayerWeights, PerceptualKind, perceptual


class NearestSample(Objective):
    """Nearest-sample matching, then updates with the winning codes.

    Args:
        features: image -> list of feature maps; their distances serve both matching and training.
        weights: one per feature map; None for equal weights.
    """

    def __init__(self, features: nn.Module, weights: Sequence[float] | None, config: NearestSampleConfig) -> None:
        super().__init__()
        self.features, self.weights, self.config = features, weights, config

    def updates(self, generator: Generator, batch: Batch, step: int) -> Iterator[Losses]:
        winners = self.match(generator, batch)
        slots = torch.arange(len(batch.image), device=batch.image.device)
        for _ in range(self.config.inner_steps):
            pick = slots[torch.randint(len(slots), (self.config.inner_batch,), device="cpu").to(slots.device)]
            seeds = [(int(batch.key[slot]), int(winners[slot])) for slot in pick]
            codes = generator.draw(seeds).to(batch.image.device)
            images = generator(batch.condition[pick], codes.unsqueeze(1))[:, 0]
            distance = self.distance(images, self.embed(batch.image[pick]), weight_of(batch, pick))
            yield {"generator": {"nearest": distance.mean()}}

    @torch.no_grad()
    def match(self, generator: Generator, batch: Batch) -> Tensor:
        """Index of the nearest candidate of every slot, (B,); codes are redrawn from it, never stored."""
        slots_at_once = max(1, self.config.chunk // self.config.candidates)
        was_training = generator.training
        generator.eval()  # batch statistics would make winners depend on which candidates share a chunk
        winners = []
        for slots in torch.arange(len(batch.image), device=batch.image.device).split(slots_at_once):
            codes = generator.draw_for(batch.key[slots], self.config.candidates)
            condition, image, mask = self.smaller(batch.condition[slots], batch.image[slots], weight_of(batch, slots))
            maps = self.features(generator(condition, codes).flatten(0, 1))
            winners.append(self.nearest(maps, self.embed(image), mask))
        generator.train(was_training)
        return torch.cat(winners)

    def smaller(self, condition: Tensor, image: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Reduce all three to the matching size; conditions by picking pixels, so that label maps stay hard."""
        k = self.config.match_scale
        if k == 1:
            return condition, image, mask
        picked = condition[..., k // 2 :: k, k // 2 :: k].contiguous(memory_format=torch.channels_last)
        return picked, F.avg_pool2d(image, k), None if mask is None else F.avg_pool2d(mask, k)

    @torch.no_grad()
    def embed(self, images: Tensor) -> list[Tensor]:
        return self.features(images)

    def distance(self, images: Tensor, targets: Sequence[Tensor], mask: Tensor | None) -> Tensor:
        """Perceptual distances (B,) of images (B, C, H, W) to embedded targets."""
        return self.compare(self.features(images), targets, mask)

    def nearest(self, maps: Sequence[Tensor], targets: Sequence[Tensor], mask: Tensor | None) -> Tensor:
        """Index of each slot's best candidate, (B,); slot by slot, so targets are not copied for every candidate."""
        masks = [None] * len(targets[0]) if mask is None else mask.split(1)
        each = (
            zip(*(layer.split(self.config.candidates) for layer in maps)),
            zip(*(layer.split(1) for layer in targets)),
        )
        return torch.stack([self.compare(*slot).argmin() for slot in zip(*each, masks, strict=True)])

    def compare(self, maps: Sequence[Tensor], targets: Sequence[Tensor], mask: Tensor | None) -> Tensor:
        return feature_l1(maps, targets, self.weights or [1.0] * len(maps), mask)


def weight_of(batch: Batch, rows: Tensor) -> Tensor | None:
    return None if batch.weight is None else batch.weight[rows]


class NearestSampleConfig(ObjectiveConfig):
    weighs_pixels: ClassVar[bool] = True
    summary: ClassVar[str] = "every real image pulls the nearest of m samples, so none is left out"

    kind: Literal["nearest_sample"] = "nearest_sample"
    perceptual: PerceptualKind = "vgg19"
    weights: LayerWeights = Field(
        None, description="one per feature map, or calibrated on the data; published for vgg19 (GTA-5), else equal"
    )
    candidates: int = Field(10, ge=1, description="m: codes tried for each slot of the pool")
    inner_steps: int = Field(10_000, ge=1, description="K: updates per pool")
    inner_batch: int = Field(1, ge=1, description="slots per update and process; processes share the pool, a batch")
    chunk: int = Field(10, ge=1, description="candidates held in memory at a time")
    match_scale: int = Field(
        1,
        ge=1,
        description="match at 1/this of the size; 1: as published; more allows more candidates but needs vector codes",
    )

    def refusal(self, method: Method) -> str | None:
        if not method.randomness.has_code:
            return "nearest-sample matching needs a code; without randomness all candidates are the same image"
        if self.match_scale > 1 and not method.randomness.any_size():
            return "objective.match_scale needs codes that mean the same at any size; set randomness.vector, e.g. to 5"
        return None

    def build(self, shapes: Shapes, opposite: Opposite) -> NearestSample:
        features, weights = perceptual(self.perceptual, self.weights)
        return NearestSample(features, weights, self)
