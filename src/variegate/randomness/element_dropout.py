"""Element-wise dropout with the mask in the code: pix2pix's only noise (Isola et al., CVPR 2017), made repeatable.

The code holds one U(0, 1) per feature-map element; elements below the ratio are dropped, in training and afterwards.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Unpack

from pydantic import Field
from torch import Tensor

from ..core.interfaces import Conv, Shapes
from ..core.method import RandomnessConfig
from .sites import AtSites, CodeLayer, PlainLayer, in_format_of, tile_to


class ElementDropoutLayer(CodeLayer):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        ratio: float,
        shape: tuple[int, int, int],
        part: slice,
        **conv: Unpack[Conv],
    ) -> None:
        super().__init__()
        self.inner = PlainLayer(in_channels, out_channels, **conv)
        self.ratio, self.shape, self.part = ratio, shape, part

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        out = self.inner(x, None)
        uniform = tile_to(code[:, self.part].unflatten(1, self.shape), (out.shape[-2], out.shape[-1]))
        return out * in_format_of(uniform > self.ratio, out) / (1 - self.ratio)


class ElementDropout(AtSites):
    prior = "uniform"

    def __init__(self, sites: tuple[str, ...], ratio: float) -> None:
        super().__init__(sites)
        self.ratio = ratio

    def code_layer(self, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> ElementDropoutLayer:
        height, width = conv["size"]
        stride = conv.get("stride", 1)
        size = (height * stride, width * stride) if conv.get("transposed") else (height // stride, width // stride)
        part = self.reserve(out_channels * size[0] * size[1])
        return ElementDropoutLayer(in_channels, out_channels, self.ratio, (out_channels, *size), part, **conv)


class ElementDropoutConfig(RandomnessConfig):
    comparable: ClassVar[bool] = False
    summary: ClassVar[str] = "which activations are dropped"

    kind: Literal["element_dropout"] = "element_dropout"
    sites: tuple[str, ...]
    ratio: float = Field(0.5, ge=0, lt=1)

    def any_size(self) -> bool:
        return False

    def build(self, shapes: Shapes) -> ElementDropout:
        return ElementDropout(self.sites, self.ratio)
