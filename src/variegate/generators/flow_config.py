"""The settings of a flow, drawn at once or as a cascade of resolutions."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ..core.errors import ConfigError
from ..core.given import Given
from ..core.interfaces import Randomness, Shapes
from ..core.method import GeneratorConfig, Method
from ..networks.time_unet import Conditioning
from .flow import WITH_HOLES, Flow
from .flow_cascade import Cascade
from .flow_guidance import Sampler

NEEDS_HOLES = "needs images with holes; give --condition inpaint, or inpaint+class and so on"
NEEDS_LOW_RESOLUTION = "needs its own low resolution first; give --condition superres:4, or superres:4+class and so on"


class FlowConfig(GeneratorConfig):
    summary: ClassVar[str] = "a U-Net that gives the velocity of an ordinary differential equation from noise to image"
    trained_by: ClassVar[tuple[str, ...]] = ("flow_matching", "distillation")

    kind: Literal["flow"] = "flow"
    widths: tuple[int, ...] = Field((32, 64, 96), min_length=1, description="channels of each level, finest first")
    blocks: int = Field(1, ge=1, description="residual blocks of each level, on either side")
    patch: int = Field(2, ge=1, description="side of the patches that the finest level reads")
    conditioning: Conditioning = Field("adaptive", description="normalisation that depends on the place, or as input")
    predicts: Literal["velocity", "image"] = Field("velocity", description="what the network's output means")
    end: float = Field(0.2, gt=0, le=1, description="least 1 - t by which the error of a predicted image is divided")
    sampler: Sampler = Sampler()
    earlier_at: float = Field(0, ge=0, lt=1, description="part of training before a copy is kept, for sampler.guide")
    keep_known: bool = Field(False, description="only holes are filled; set by --condition inpaint")
    shows_known: bool = Field(
        False,
        description="the network sees the pixels around holes without noise and learns those inside; set likewise",
    )

    cascade: int = Field(
        0, ge=0, description="times that the resolution is halved; low resolutions are drawn first, then their detail"
    )
    low_scale: float = Field(1.0, gt=0, description="widths of a cascade's next lower resolution, relative to `widths`")
    enlarges: int = Field(
        0,
        ge=0,
        description="factor of a low resolution, to whose bicubic enlargement detail is added; set by --condition "
        "superres:K; 0: none",
    )

    def refusal(self, method: Method) -> str | None:
        if self.sampler.guide == "earlier" and not self.earlier_at:
            return (
                "generator.sampler.guide earlier needs the network as it was early in training; train with "
                "--generator.earlier_at 0.15"
            )
        if self.cascade and self.enlarges:
            return "generator.cascade draws a low resolution, which superres gives; leave one of them out"
        return super().refusal(method)

    def build(self, randomness: Randomness, shapes: Shapes) -> Flow | Cascade:
        if (self.keep_known or self.shows_known) and shapes.condition_channels < WITH_HOLES:
            raise ConfigError(f"generator.keep_known {NEEDS_HOLES}")
        if self.enlarges and shapes.condition_channels < shapes.image_channels:
            raise ConfigError(f"generator.enlarges {NEEDS_LOW_RESOLUTION}")
        return Cascade(shapes, self) if self.cascade else Flow(shapes, self)

    def for_condition(self, condition: str) -> FlowConfig:
        """Also where others are joined to a hole or a low resolution, which comes first: superres:4+class."""
        kind, _, given = condition.partition("+")[0].partition(":")
        if kind == "inpaint":
            return self.model_copy(update={"keep_known": True, "shows_known": True})
        if kind == "superres" and given.isdecimal():
            return self.model_copy(update={"enlarges": int(given)})
        return self

    def in_one_pass(self) -> FlowConfig:
        return self.model_copy(update={"sampler": Sampler(kind="euler", steps=1), "earlier_at": 0.0})

    def check_data(self, condition: Given) -> None:
        """Anything will do, also no condition, unless holes or a low resolution are to be dealt with.

        Raises:
            ConfigError: the condition does not begin with them.
        """
        first = condition.spelling.partition("+")[0]
        if self.keep_known and not first.startswith("inpaint"):
            raise ConfigError(f"generator.keep_known {NEEDS_HOLES}")
        if self.enlarges and first != f"superres:{self.enlarges}":
            raise ConfigError(f"generator.enlarges {NEEDS_LOW_RESOLUTION}")
