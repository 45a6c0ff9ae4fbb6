"""A student that draws in one pass what its teacher draws in many.

The teacher, a trained generator, draws N images of every condition of the pool. They are the student's targets, either

    code       each for the teacher's own code, whose image it is (Luhman & Luhman, 2021)
    nearest    each for the nearest of m samples (Li et al., ICCV 2019), so that codes may be of another kind
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from ..core.errors import ConfigError
from ..core.interfaces import Batch, Generator, Losses, Shapes
from ..core.method import Method, Opposite
from ..core.processes import each_row
from ..networks.perceptual import PerceptualKind, perceptual
from .matches import Targets
from .nearest_sample import NearestSample, NearestSampleConfig


class Distillation(NearestSample):
    """Nearest-sample training on a teacher's images."""

    config: DistillationConfig

    def updates(self, generator: Generator, batch: Batch, step: int) -> Iterator[Losses]:
        taught = self.teach(batch)
        there = torch.ones(taught.shape[:2], dtype=torch.bool, device=taught.device)
        return super().updates(
            generator, batch._replace(image=taught[:, 0], neighbours=taught[:, 1:], present=there[:, 1:]), step
        )

    @torch.no_grad()
    def teach(self, batch: Batch) -> Tensor:
        """The teacher's images (B, N, C, H, W) of training codes 0 .. N-1."""
        if self.predictor is None:
            raise ConfigError("a student needs a teacher; train one first (method.previous) or give --teacher")
        teacher = self.predictor

        def work(own: Tensor) -> tuple[Tensor, ...]:
            images = []
            for rows in own.split(self.config.chunk):
                codes = teacher.draw_for(batch.key[rows], self.config.images)
                images.append(teacher(batch.conditions(rows), codes))
            return (torch.cat(images),)

        [images] = each_row(len(batch.key), work, batch.key.device)
        return images

    def match_chunk(
        self, generator: Generator, batch: Batch, targets: Targets, rows: Tensor, turns: Tensor
    ) -> tuple[Tensor, Tensor]:
        if self.config.matching == "nearest":
            return super().match_chunk(generator, batch, targets, rows, turns)
        same = torch.arange(self.config.images, device=rows.device).expand(len(rows), -1)
        return same.unsqueeze(2), torch.zeros_like(same, dtype=torch.float32)


class DistillationConfig(NearestSampleConfig):
    weighs_pixels: ClassVar[bool] = False
    summary: ClassVar[str] = "targets are a trained generator's images: for its own codes, or for the nearest sample"

    kind: Literal["distillation"] = "distillation"  # type: ignore[assignment]
    matching: Literal["code", "nearest"] = Field("code", description="which sample a teacher's image is the target of")
    images: int = Field(1, ge=1, description="N: images that the teacher draws of each condition of the pool")
    power: float = Field(-0.5, ge=-1, le=1, description="as of nearest_sample; where a teacher jumps, take a side")
    perceptual: PerceptualKind = "laplacian"
    candidates: int = Field(16, ge=1, description="m: samples among which the nearest is searched")
    inner_steps: int = Field(16, ge=1, description="K: updates per pool")
    updates_per_step: int = Field(10_000, ge=1, description="as of nearest_sample; a teacher draws anew for every step")
    inner_batch: int = Field(8, ge=1, description="targets per update, split over the processes")
    chunk: int = Field(64, ge=1, description="conditions, or candidates, held in memory at a time")

    def targets(self) -> int:
        return 1  # the teacher's images take the place of neighbours

    def refusal(self, method: Method) -> str | None:
        if method.previous is None or method.previous_role != "teacher":
            return "objective distillation needs a teacher, trained first; use flow-student, or set method.previous"
        if self.matching == "code" and method.generator.kind != method.previous.generator.kind:
            return (
                f"matching code needs the teacher's kind of code, but generator {method.generator.kind} is not "
                f"{method.previous.generator.kind}; give --matching nearest"
            )
        return super().refusal(method) if self.matching == "nearest" else None

    def build(self, shapes: Shapes, opposite: Opposite) -> Distillation:
        features, weights = perceptual(self.perceptual, self.weights)
        return Distillation(features, weights, self.judge(shapes), self)
