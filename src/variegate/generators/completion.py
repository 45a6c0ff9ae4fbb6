"""GLCIC's completion network (Iizuka et al. 2017) as MR-GAN uses it, with noise maps (Lee, Ha, Kim, ICLR 2019).

Two halvings, dilated convolutions that see most of the image, two doublings; the output fills only the hole.
"""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import BeforeValidator, Field
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.errors import ConfigError
from ..core.interfaces import Conv, Features, Randomness, Shapes, Size
from ..core.method import GeneratorConfig
from .known import filled
from .resnet import Outer
from .srresnet import ToImage
from .staged import Stage, Staged, State

Colour = tuple[float, float, float]


def _colour(value: Any) -> Any:
    """Validate `generator.fill`, with one error instead of one for each type of the union."""
    if value == "data":
        return value
    try:
        numbers = () if isinstance(value, str) else tuple(float(number) for number in value)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != 3 or not all(isfinite(v) and 0 <= v <= 1 for v in numbers):
        raise ConfigError(f"generator.fill must be data, or red, green and blue from 0 to 1, got {value}")
    return numbers


Fill = Annotated[Colour | Literal["data"], BeforeValidator(_colour)]
CELEBA_MEAN: Colour = (130 / 255, 108 / 255, 96 / 255)
STRIDE = 4
LOG_DISPERSION_OUTSIDE = -6.0  # known pixels are all but certain; the value in MR-GAN's code


class Row(NamedTuple):
    """A hidden layer: convolution, batch norm, ReLU."""

    name: str
    halves: int  # output channels, in halves of the base width
    kernel_size: int = 3
    stride: int = 1
    dilation: int = 1
    transposed: bool = False


HIDDEN = (
    Row("conv1", 2, kernel_size=5),
    Row("conv2", 4, stride=2),
    Row("conv3", 4),
    Row("conv4", 8, stride=2),
    Row("conv5", 8),
    Row("conv6", 8),
    Row("dilated1", 8, dilation=2),
    Row("dilated2", 8, dilation=4),
    Row("dilated3", 8, dilation=8),
    Row("dilated4", 8, dilation=16),
    Row("conv7", 8),
    Row("conv8", 8),
    Row("up1", 4, kernel_size=4, stride=2, transposed=True),
    Row("conv9", 4),
    Row("up2", 2, kernel_size=4, stride=2, transposed=True),
    Row("conv10", 1),
)


class Completion(Staged):
    """Layers `conv1 .. conv6`, `dilated1 .. dilated4`, `conv7`, `conv8`, `up1`, `conv9`, `up2`, `conv10`, `outer`.

    The condition is the image with a hole followed by the mask: 1 inside the hole, -1 outside. Weights have PyTorch's
    default initialisation, as in MR-GAN's code.

    Args:
        extra: unbounded channels after the image's, a moment predictor's log dispersion; -6 outside the hole.
    """

    fill: Tensor

    def __init__(self, randomness: Randomness, shapes: Shapes, config: CompletionConfig, extra: int = 0) -> None:
        padded = (-(-shapes.size[0] // STRIDE) * STRIDE, -(-shapes.size[1] // STRIDE) * STRIDE)
        stages = hidden_stages(randomness, shapes.condition_channels, config.width, padded)
        inputs = config.width * HIDDEN[-1].halves // 2
        outer = randomness.layer("outer", inputs, shapes.image_channels + extra, size=padded)
        # The paper's output is sigmoid(x) in [0, 1]. In [-1, 1] that is 2 sigmoid(x) - 1 = tanh(x / 2), exactly.
        stages["outer"] = ToImage(outer, shapes.image_channels, slope=0.5)
        super().__init__(stages, randomness, STRIDE)
        self.extra, self.residual = extra, config.residual
        self.register_buffer("fill", 2 * torch.tensor(config.fill).view(-1, 1, 1) - 1, persistent=False)

    def encode(self, condition: Tensor) -> Features:
        return super().encode(filled(condition) if self.residual else condition)

    def start(self, condition: Tensor) -> State:
        if self.residual:
            return (condition,)
        image, mask = condition[:, :-1], condition[:, -1:]
        return (torch.cat([torch.where(mask > 0, self.fill.to(image.dtype), image), mask], dim=1),)

    def decode(self, features: Features, code: Tensor) -> Tensor:
        height, width = features.size
        given = features.condition[..., :height, :width]
        outside = F.pad(given[:, :-1], (0, 0, 0, 0, 0, self.extra), value=LOG_DISPERSION_OUTSIDE)
        made = super().decode(features, code)
        if self.residual:
            made = made + F.pad(given[:, :-1], (0, 0, 0, 0, 0, self.extra))
        return torch.where(given[:, -1:] > 0, made, outside)


def hidden_stages(randomness: Randomness, channels: int, width: int, size: Size) -> dict[str, Stage]:
    """All layers but the last, for inputs (B, channels, H, W) whose size is divisible by the stride."""
    stages: dict[str, Stage] = {}
    height, across = size
    for row in HIDDEN:
        outputs = width * row.halves // 2
        conv = Conv(
            kernel_size=row.kernel_size,
            stride=row.stride,
            dilation=row.dilation,
            transposed=row.transposed,
            padding=row.dilation * ((row.kernel_size - 1) // 2),
            norm=nn.BatchNorm2d,
            size=(height, across),
        )
        stages[row.name] = Outer(randomness.layer(row.name, channels, outputs, **conv))
        channels = outputs
        if row.transposed:
            height, across = height * row.stride, across * row.stride
        else:
            height, across = height // row.stride, across // row.stride
    return stages


class CompletionConfig(GeneratorConfig):
    fills_holes: ClassVar[bool] = True
    summary: ClassVar[str] = "GLCIC's dilated network, which fills a hole"

    kind: Literal["completion"] = "completion"
    width: int = Field(64, ge=2)
    residual: bool = Field(
        False, description="the hole is filled smoothly, and what the network makes is added; not so in the papers"
    )
    fill: Fill = Field(
        CELEBA_MEAN,
        description="colour of the hole, that of the mean of CelebA, or data: measured on the training data",
    )

    def build(self, randomness: Randomness, shapes: Shapes, extra: int = 0) -> Completion:
        if shapes.condition_channels != shapes.image_channels + 1:
            raise ConfigError("generator completion fills holes; give --condition inpaint")
        if shapes.image_channels != 3:
            raise ConfigError(
                f"generator completion fills holes in RGB images, which have 3 channels, got {shapes.image_channels}"
            )
        if self.fill == "data":
            raise ConfigError(
                "generator.fill data stands for the mean colour that `variegate train` measures on its data; "
                "give three numbers"
            )
        return Completion(randomness, shapes, self, extra)
