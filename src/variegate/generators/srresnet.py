"""SRGAN's generator (Ledig et al. 2017) as MR-GAN uses it, with noise maps (Lee, Ha, Kim, ICLR 2019, super-resolution).

Everything before up-sampling runs at low resolution. The condition is as large as the image and consists of blocks of
scale x scale equal pixels, so that one pixel of each block gives the low-resolution image.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..core.errors import ConfigError
from ..core.images import enlarge
from ..core.interfaces import Conv, Features, Randomness, Shapes
from ..core.method import GeneratorConfig, Method
from .staged import Stage, Staged, State, bound


class Inner(Stage):
    """From the image to features, kept both as the current tensor and for the long skip."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.activation = layer, nn.PReLU()

    def forward(self, state: State, code: Tensor | None) -> State:
        x = self.activation(self.layer(state[-1], code))
        return (x, x)


class Residual(Stage):
    """x + conv(PReLU(conv(x))), no activation after the sum; noise joins the convolution's input, not the sum."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.conv1, self.activation, self.conv2 = first, nn.PReLU(), second

    def forward(self, state: State, code: Tensor | None) -> State:
        *others, x = state
        return (*others, x + self.conv2(self.activation(self.conv1(x, code)), code))


class After(Stage):
    """The end of the residual part: adds the long skip and drops it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.activation = layer, nn.PReLU()

    def forward(self, state: State, code: Tensor | None) -> State:
        skip, x = state
        return (skip + self.activation(self.layer(x, code)),)


class Up(Stage):
    """Up-sample by moving channels into pixels (pixel shuffle)."""

    def __init__(self, layer: nn.Module, factor: int) -> None:
        super().__init__()
        self.layer, self.shuffle, self.activation = layer, nn.PixelShuffle(factor), nn.PReLU()

    def forward(self, state: State, code: Tensor | None) -> State:
        return (self.activation(self.shuffle(self.layer(state[-1], code))),)


class ToImage(Stage):
    """The last layer: an image in [-1, 1], followed by unbounded channels."""

    def __init__(self, layer: nn.Module, channels: int, slope: float = 1.0) -> None:
        super().__init__()
        self.layer, self.channels, self.slope = layer, channels, slope

    def forward(self, state: State, code: Tensor | None) -> State:
        return (bound(self.layer(state[-1], code), self.channels, self.slope),)


class SRResNet(Staged):
    """Layers `inner`, `block1.conv1`, `block1.conv2`, ..., `after`, `up1 ..` (one per prime of the scale), `outer`.

    Weights have PyTorch's default initialisation, as in MR-GAN's code.

    The size it is built for must be divisible by the scale; images of other sizes are padded to multiples of it.

    Args:
        extra: unbounded channels after the image's, such as a moment predictor's log dispersion.
    """

    def __init__(self, randomness: Randomness, shapes: Shapes, config: SRResNetConfig, extra: int = 0) -> None:
        size, width, scale = shapes.size, config.width, config.scale
        factors = prime_factors(scale)
        if size[0] % scale or size[1] % scale:
            raise ConfigError(f"generator.scale must divide the sides of {size[0]}x{size[1]} images, got {scale}")
        low = (size[0] // scale, size[1] // scale)
        inner = randomness.layer("inner", shapes.condition_channels, width, kernel_size=9, size=low)
        stages: dict[str, Stage] = {"inner": Inner(inner)}
        for k in range(1, config.blocks + 1):
            conv = Conv(size=low, norm=nn.BatchNorm2d)
            first, second = (randomness.layer(f"block{k}.{c}", width, width, **conv) for c in ("conv1", "conv2"))
            stages[f"block{k}"] = Residual(first, second)
        stages["after"] = After(randomness.layer("after", width, width, size=low))
        for k, factor in enumerate(factors, start=1):
            stages[f"up{k}"] = Up(randomness.layer(f"up{k}", width, width * factor**2, size=low), factor)
            low = (low[0] * factor, low[1] * factor)
        outer = randomness.layer("outer", width, shapes.image_channels + extra, kernel_size=9, size=size)
        stages["outer"] = ToImage(outer, shapes.image_channels)
        super().__init__(stages, randomness, stride=scale)
        self.channels = shapes.image_channels if config.residual else 0

    def encode(self, condition: Tensor) -> Features:
        features = super().encode(condition)
        return features._replace(condition=enlarge(features.condition, self.stride)) if self.channels else features

    def decode(self, features: Features, code: Tensor) -> Tensor:
        made, (height, width) = super().decode(features, code), features.size
        if not self.channels:
            return made
        image = made[:, : self.channels] + features.condition[..., :height, :width]
        return torch.cat([image, made[:, self.channels :]], dim=1)

    def start(self, condition: Tensor) -> State:
        return (condition[..., :: self.stride, :: self.stride],)


def prime_factors(scale: int) -> list[int]:
    """Prime factors of a product of 2, 3 and 5, smallest first.

    Raises:
        ConfigError: the scale is 1 or less, or has another prime factor.
    """
    factors, rest = [], scale
    for prime in (2, 3, 5):
        while rest > 1 and rest % prime == 0:
            factors.append(prime)
            rest //= prime
    if not factors or rest != 1:
        raise ConfigError(f"generator.scale must be a product of 2, 3 and 5, such as 2, 4, 6 or 8, got {scale}")
    return factors


class SRResNetConfig(GeneratorConfig):
    summary: ClassVar[str] = "SRGAN's residual network"

    kind: Literal["srresnet"] = "srresnet"
    width: int = Field(64, ge=1)
    blocks: int = Field(5, ge=1)
    residual: bool = Field(
        False, description="what the network makes is added to the bicubic enlargement; not so in the papers"
    )
    scale: int = Field(4, description="up-sampling factor, a product of 2, 3 and 5; that of the superres condition")

    def refusal(self, method: Method) -> str | None:
        if method.derived not in (None, f"superres:{self.scale}"):
            return f"generator.scale is {self.scale}, but its data is {method.derived}; give --scale, which sets both"
        return super().refusal(method)

    def build(self, randomness: Randomness, shapes: Shapes, extra: int = 0) -> SRResNet:
        return SRResNet(randomness, shapes, self, extra)
