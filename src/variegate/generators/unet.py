"""pix2pix's U-Net (Isola et al., CVPR 2017): 8 halvings at 256x256, fewer for smaller images.

Layers are activated before each convolution, as in pix2pix, or after it and before the normalisation, as in MR-GAN.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log2
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.errors import ConfigError
from ..core.interfaces import Conv, Features, Randomness, Shapes, Size
from ..core.method import GeneratorConfig, Method
from ..networks.blocks import UPSAMPLING, Norm, Upsampling, doubled, init_normal, init_xavier, norm_layer
from ..randomness.sites import side_by_side
from .staged import Stage, Staged, State, bound


class Down(Stage):
    """A halving convolution.

    Args:
        first: the condition it reads is not kept as a skip.
    """

    def __init__(self, layer: nn.Module, first: bool, activate: bool) -> None:
        super().__init__()
        self.layer, self.first, self.activate = layer, first, activate

    def forward(self, state: State, code: Tensor | None) -> State:
        current = self.layer(F.leaky_relu(state[-1], 0.2) if self.activate else state[-1], code)
        return (current,) if self.first else (*state, current)


class Up(Stage):
    """A doubling convolution.

    Args:
        joins: it also reads the last skip.
        image: number of image channels, bounded to [-1, 1], in the last stage; 0 in others.
        resizes: what it reads is resized first; otherwise the convolution doubles the size.
    """

    def __init__(self, layer: nn.Module, joins: bool, image: int, activate: bool, resizes: bool) -> None:
        super().__init__()
        self.layer, self.joins, self.image, self.activate, self.resizes = layer, joins, image, activate, resizes

    def forward(self, state: State, code: Tensor | None) -> State:
        rest = len(state) - 1 - self.joins
        skip, x = state[rest], state[-1]  # the same tensor if nothing joins
        if self.activate:
            skip, x = F.relu(skip), F.relu(x)
        if self.resizes:
            skip, x = doubled(skip) if self.joins else skip, doubled(x)
        # a skip may have one row for several of the current tensor, see `decode_all`
        current = side_by_side(self.layer, skip, x, code) if self.joins else self.layer(x, code)
        return (*state[:rest], bound(current, self.image) if self.image else current)


Order = Literal["before", "after"]
Init = Literal["normal", "xavier", "default"]


class UNet(Staged):
    """Layers `down1 .. downN` and `upN .. up1`.

    Args:
        depth: halvings.
        extra: unbounded channels after the image's.
    """

    def __init__(self, randomness: Randomness, shapes: Shapes, config: UNetConfig, depth: int, extra: int = 0) -> None:
        widths = [shapes.condition_channels, *(config.width * min(2**i, 8) for i in range(depth))]
        stages: dict[str, Stage] = {}
        before, norm, resizes = config.order == "before", config.norm, config.upsampling == "resize"
        padded = [-(-side // 2**depth) * 2**depth for side in shapes.size]

        def layer(name: str, inputs: int, outputs: int, level: int, normed: bool) -> nn.Module:
            up = name.startswith("up")
            plain = norm_layer(norm) if normed else None
            with_bias = ("up1",) if before else ("up1", "down1")
            conv = Conv(
                kernel_size=3 if up and resizes else 4,
                stride=1 if up and resizes else 2,
                padding=1,
                transposed=up and not resizes,
                bias=norm in ("instance", "none") or name in with_bias,
                norm=plain if before or name == "up1" else activate_before(plain, 0.0 if up else 0.2),
                size=(padded[0] >> (level - (up and resizes)), padded[1] >> (level - (up and resizes))),
            )
            return randomness.layer(name, inputs, outputs, **conv)

        for k in range(1, depth + 1):
            normed = 1 < k < depth + (not before)
            made = layer(f"down{k}", widths[k - 1], widths[k], k - 1, normed)
            stages[f"down{k}"] = Down(made, k == 1, before and k > 1)
        for k in range(depth, 0, -1):
            inputs = widths[k] * (1 if k == depth else 2)
            outputs = widths[k - 1] if k > 1 else shapes.image_channels + extra
            made = layer(f"up{k}", inputs, outputs, k, k > 1)
            stages[f"up{k}"] = Up(made, k < depth, shapes.image_channels if k == 1 else 0, before, resizes)
        super().__init__(stages, randomness, 2**depth)
        if config.init != "default":
            (init_xavier if config.init == "xavier" else init_normal)(self.stages)

    def decode_all(self, features: Features, code: Tensor) -> Tensor:
        """Skips that read no code are not repeated for every code: layers compute their part once."""
        samples, last = code.shape[1], features._replace(state=features.state[-1:]).repeat(code.shape[1])
        mixed = last._replace(state=(*features.state[:-1], *last.state))
        return self.decode(mixed, code.flatten(0, 1)).unflatten(0, (-1, samples))


def activate_before(norm: Callable[[int], nn.Module] | None, slope: float) -> Callable[[int], nn.Module]:
    """A factory for what follows a convolution: (leaky) ReLU, then the normalisation."""
    return lambda channels: nn.Sequential(nn.LeakyReLU(slope), norm(channels) if norm else nn.Identity())


class UNetConfig(GeneratorConfig):
    summary: ClassVar[str] = "down- and up-sampling with skip connections"

    kind: Literal["unet"] = "unet"
    width: int = Field(64, ge=1)
    depth: int | None = Field(None, ge=2, description="halvings; default: down to 1x1, at most 8")
    norm: Norm = "batch"
    init: Init = Field("normal", description="weights as in pix2pix or BicycleGAN, both of scale 0.02, or PyTorch's")
    upsampling: Upsampling = Field("transposed", description=UPSAMPLING)
    order: Order = Field("before", description="activate before (pix2pix) or after (MR-GAN) each convolution")

    def refusal(self, method: Method) -> str | None:
        """Batch norm on single-pixel maps needs several images; pix2pix's innermost layer has no norm."""
        alone = method.objective.smallest_batch(method.training.batch_size) < 2
        if self.order == "after" and self.norm == "batch" and alone:
            return "its smallest maps are single pixels, normalised over the batch; raise training.batch_size"
        return super().refusal(method)

    def build(self, randomness: Randomness, shapes: Shapes, extra: int = 0) -> UNet:
        height, width = shapes.size
        depth = self.depth or self.depth_for(shapes.size)
        if min(shapes.size) >> depth < 1:
            raise ConfigError(f"generator.depth: {depth} halvings do not fit {height}x{width} images; lower it")
        return UNet(randomness, shapes, self, depth, extra)

    @staticmethod
    def depth_for(size: Size) -> int:
        return max(2, min(8, int(log2(min(size)))))
