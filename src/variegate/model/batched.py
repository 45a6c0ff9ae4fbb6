"""A generator in operators that files for other programs have, for any number of rows.

Layers with filters of their own for each row run row by row on a CPU, or with a group for each row; files have neither
loops nor numbers of groups that change with the batch. Here they are one operation for all rows.
"""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ..core.interfaces import Generator
from ..randomness.basis_filters import BasisConv, SampledConv
from ..randomness.heads import HeadLayer


def batched(generator: Generator) -> Generator:
    """A copy of a generator with the same images to rounding, whose number of rows may be symbolic."""
    made = copy.deepcopy(generator)
    for layer in made.modules():
        if isinstance(layer, SampledConv):
            layer.convolve = partial(convolve, layer)  # type: ignore[method-assign]
            if isinstance(layer, BasisConv):
                layer.forward = partial(SampledConv.forward, layer)  # type: ignore[method-assign]
        elif isinstance(layer, HeadLayer):
            layer.own = partial(own_head, layer)  # type: ignore[method-assign]
    return made


def convolve(layer: SampledConv, x: Tensor, filters: Tensor) -> Tensor:
    """What `SampledConv.convolve` returns."""
    x, padding = layer.padded(x)
    if not layer.transposed:
        x = F.pad(x, (padding,) * 4)
        return layer.biased(each_with_its_own(x, filters, layer.stride, layer.dilation))
    # a transposed convolution: zeros between pixels and around them, then mirrored filters
    channels = int(x.shape[1])
    one = x.new_ones(channels, 1, 1, 1)
    spread = F.conv_transpose2d(x, one, stride=layer.stride, groups=channels)
    before = layer.dilation * (layer.kernel - 1) - padding
    after = before + layer.output_padding
    mirrored = filters.transpose(1, 2).flip(-2, -1)
    return layer.biased(each_with_its_own(F.pad(spread, (before, after, before, after)), mirrored, 1, layer.dilation))


def own_head(layer: HeadLayer, x: Tensor, conv: nn.Conv2d, chosen: Tensor) -> Tensor:
    """What `HeadLayer.own` returns."""
    filters = conv.weight.unflatten(0, (-1, layer.heads)).transpose(0, 1).index_select(0, chosen)
    down, right = (int(side) for side in conv.padding)
    out = each_with_its_own(F.pad(x, (right, right, down, down)), filters, conv.stride[0], conv.dilation[0])
    if conv.bias is None:
        return out
    return out + conv.bias.unflatten(0, (-1, layer.heads)).T.index_select(0, chosen)[..., None, None]


def each_with_its_own(x: Tensor, filters: Tensor, stride: int, dilation: int) -> Tensor:
    """Convolve row b of x (B, C, H, W) with filters b, (B, C', C, L, L): one matrix product over shifted copies."""
    kernel = filters.shape[-1]
    height, width = ((side - dilation * (kernel - 1) - 1) // stride + 1 for side in x.shape[-2:])

    def shifted(down: int, right: int) -> Tensor:
        rows = slice(down * dilation, down * dilation + (height - 1) * stride + 1, stride)
        columns = slice(right * dilation, right * dilation + (width - 1) * stride + 1, stride)
        return x[..., rows, columns]

    read = torch.cat([shifted(i, j) for i in range(kernel) for j in range(kernel)], dim=1)
    weights = filters.permute(0, 1, 3, 4, 2).flatten(2)  # (B, C', L L C)
    return (weights @ read.flatten(2)).unflatten(2, (height, width))


class PlainOperators(TorchFunctionMode):
    """Spells out what the quick exporter writes for one number of rows only, or not at all."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.pixel_unshuffle:
            return unshuffled(*args)
        if func is torch.pixel_shuffle:
            return shuffled(*args)
        if func is torch.full_like:
            return args[0] * 0 + args[1]
        if func is torch.special.ndtr:
            return (1 + torch.erf(args[0] / 2**0.5)) / 2
        return func(*args, **(kwargs or {}))


def unshuffled(x: Tensor, patch: int) -> Tensor:
    """(B, C, H p, W p) to (B, C p p, H, W)."""
    _, channels, height, width = x.shape
    parts = x.reshape(-1, channels, height // patch, patch, width // patch, patch).permute(0, 1, 3, 5, 2, 4)
    return parts.reshape(-1, channels * patch**2, height // patch, width // patch)


def shuffled(x: Tensor, patch: int) -> Tensor:
    """(B, C p p, H, W) to (B, C, H p, W p)."""
    _, channels, height, width = x.shape
    parts = x.reshape(-1, channels // patch**2, patch, patch, height, width).permute(0, 1, 4, 2, 5, 3)
    return parts.reshape(-1, channels // patch**2, height * patch, width * patch)
