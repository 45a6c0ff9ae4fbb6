"""Latent dropout codes: of n branches, the one nearest to the target is trained (He, Schiele, Fritz, ECCV 2018).

    L = sum_m min_i l(f_i(X_m), Y_m)                        best neighbour, eq 4
    L = sum_m sum_((i, j) in S_m) l(f_i(X_m), Y_m^j)        neighbours-enhanced, eq 5; S_m is `losses.assignment`
    l(X, Y) = sum_k lambda_k |Phi_k(X) - Phi_k(Y)|_1        eq 6

A branch is one of n fixed codes, drawn once and kept with the generator. At first branches are trained in turn, which
keeps all of them alive; then the nearest is trained on the true image, and later others on neighbours of the pair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..core.interfaces import Batch, Generator, Losses, Objective, Shapes
from ..core.method import Method, ObjectiveConfig, Opposite
from ..losses.assignment import assign
from ..losses.perceptual import feature_l1
from ..networks.perceptual import LayerWeights, PerceptualKind, perceptual

Reduction = Literal["sum", "mean"]


class MultipleChoice(Objective):
    """Regression of n fixed codes onto the targets nearest to them.

    Args:
        features: image -> list of feature maps.
        weights: one per feature map; None for equal weights.
    """

    def __init__(self, features: nn.Module, weights: Sequence[float] | None, config: MultipleChoiceConfig) -> None:
        super().__init__()
        self.features, self.weights, self.config = features, weights, config

    def updates(self, generator: Generator, batch: Batch, step: int) -> Iterator[Losses]:
        codes = generator.fixed_codes
        assert codes is not None, "build_generator registers objective.fixed_codes() of them"
        targets, present = self.targets(batch, step)
        goals = self.embed(targets)
        if step < self.config.warm_up:
            chosen = torch.full_like(present, step % len(codes), dtype=torch.long)
        else:
            with torch.no_grad():
                images = generator(batch.condition, codes.expand(len(targets), -1, -1))
            chosen = assign(self.distances(images, goals), present)
        images = generator(batch.condition, codes[chosen.clamp(min=0)])
        losses = self.compare(self.maps(images), goals, self.layer_weights(goals))
        yield {"generator": {"matched": (losses * present).sum() / len(losses)}}

    def targets(self, batch: Batch, step: int) -> tuple[Tensor, Tensor]:
        """Target images (B, T, C, H, W) of this step, the true image first, and a mask (B, T) of those present."""
        first = batch.image.unsqueeze(1)
        true = torch.ones(first.shape[:2], dtype=torch.bool, device=first.device)
        if batch.neighbours is None or step < max(self.config.warm_up, self.config.neighbours_from):
            return first, true
        present = true.expand(batch.neighbours.shape[:2]) if batch.present is None else batch.present
        return torch.cat([first, batch.neighbours], dim=1), torch.cat([true, present], dim=1)

    @torch.no_grad()
    def distances(self, images: Tensor, goals: Sequence[Tensor]) -> Tensor:
        """Distances (B, n, T) of images (B, n, C, H, W) to embedded targets, by which branches are matched."""
        maps, weights = self.maps(images), self.layer_weights(goals)
        if self.config.unweighted:
            sums = [float(layer[0, 0].numel()) for layer in goals]
            maps, goals, weights = maps[:-1], goals[:-1], sums[:-1]
        columns = [[layer[:, j : j + 1] for layer in goals] for j in range(goals[0].shape[1])]
        return torch.stack([self.compare(maps, column, weights) for column in columns], dim=2)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Feature maps (B, n, C_l, H_l, W_l) of images (B, n, C, H, W)."""
        return [layer.unflatten(0, images.shape[:2]) for layer in self.features(images.flatten(0, 1))]

    @torch.no_grad()
    def embed(self, images: Tensor) -> list[Tensor]:
        return self.maps(images)

    def layer_weights(self, maps: Sequence[Tensor]) -> list[float]:
        """Factors of the means over each map's elements."""
        weights = list(self.weights or [1.0] * len(maps))
        if self.config.reduction == "mean":
            return weights
        return [weight * layer[0, 0].numel() for weight, layer in zip(weights, maps, strict=True)]

    def compare(self, maps: Sequence[Tensor], goals: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
        """Distances (B, n) of maps (B, n, ...) to goals, (B, n, ...) or (B, 1, ...)."""
        shape = maps[0].shape[:2]
        pairs = [(a.flatten(0, 1), b.expand_as(a).flatten(0, 1)) for a, b in zip(maps, goals, strict=True)]
        return feature_l1([a for a, _ in pairs], [b for _, b in pairs], weights).unflatten(0, shape)


class MultipleChoiceConfig(ObjectiveConfig):
    summary: ClassVar[str] = "of n fixed codes, the one whose image is nearest to the real image is trained on it"

    kind: Literal["multiple_choice"] = "multiple_choice"
    perceptual: PerceptualKind = "vgg16"
    weights: LayerWeights = Field(
        None,
        description="one per feature map, or calibrated on the data; vgg16: published, vgg19: GTA-5's, else equal",
    )
    reduction: Reduction = Field("sum", description="weights multiply sums, as published, or means over elements")
    count: int = Field(20, ge=1, description="n: branches, each with one fixed code")
    warm_up: int = Field(300, ge=0, description="steps in which branches are trained in turn")
    neighbours_from: int = Field(0, ge=0, description="step from which neighbours are targets, if the data have any")
    unweighted: bool = Field(False, description="match by plain sums without the deepest map, as released")

    def fixed_codes(self) -> int:
        return self.count

    def targets(self) -> int:
        return self.count

    def refusal(self, method: Method) -> str | None:
        heads = method.randomness.alternatives()
        if not method.randomness.has_code:
            return "branches differ only in their codes; without randomness all give the same image"
        if heads is not None and heads != self.count:
            return f"objective.count is {self.count}, but randomness.heads is {heads}; give --branches, which sets both"
        if self.weights == "calibrated" and self.reduction == "sum":
            return "calibrated weights are for means over elements; set objective.reduction to mean"
        return None

    def build(self, shapes: Shapes, opposite: Opposite) -> MultipleChoice:
        features, weights = perceptual(self.perceptual, self.weights)
        return MultipleChoice(features, weights, self)
