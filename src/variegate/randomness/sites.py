"""What every randomness shares: plain layers outside its sites, and a slice of the code for each layer at a site."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.errors import ConfigError
from ..core.interfaces import Conv, Randomness, Size


def convolution(in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> nn.Module:
    """A plain convolution, 3x3 with stride 1 and "same" zero padding unless told otherwise."""
    kernel, dilation = conv.get("kernel_size", 3), conv.get("dilation", 1)
    kind: type[nn.Module] = nn.ConvTranspose2d if conv.get("transposed") else nn.Conv2d
    extra = {"output_padding": conv.get("output_padding", 0)} if conv.get("transposed") else {}
    return kind(
        in_channels,
        out_channels,
        kernel,
        stride=conv.get("stride", 1),
        padding=conv.get("padding", dilation * (kernel - 1) // 2),
        dilation=dilation,
        bias=conv.get("bias", True),
        padding_mode=conv.get("padding_mode", "zeros"),
        **extra,
    )


def normalisation(out_channels: int, norm: Callable[[int], nn.Module] | None) -> nn.Module:
    return norm(out_channels) if norm else nn.Identity()


class PlainLayer(nn.Module):
    """Convolution and normalisation; the code is accepted and ignored."""

    def __init__(self, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> None:
        super().__init__()
        self.conv = convolution(in_channels, out_channels, **conv)
        self.norm = normalisation(out_channels, conv.get("norm"))

    def forward(self, x: Tensor, code: Tensor | None) -> Tensor:
        return self.norm(self.conv(x))

    def join(self, shared: Tensor, own: Tensor) -> Tensor:
        """`forward` of both concatenated along channels, where S consecutive rows of `own` belong to one of `shared`.

        The part of `shared` (B, C1, H, W) is computed once for the S rows of `own` (B * S, C2, H, W) and nothing is
        copied, since convolution is linear.
        """
        first, second = split_inputs(self.conv, shared.shape[1])
        once, each = first(shared), second(own)
        return self.norm((each.unflatten(0, (len(shared), -1)) + once.unsqueeze(1)).flatten(0, 1))


def split_inputs(conv: nn.Module, channels: int) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """Split a convolution into a sum: one of the first input channels, without bias, and one of the others."""
    assert isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
    assert conv.padding_mode == "zeros"
    place, apply = (0, F.conv_transpose2d) if conv.transposed else (1, F.conv2d)
    settings: dict[str, Any] = {name: getattr(conv, name) for name in ("stride", "padding", "dilation")}
    if conv.transposed:
        settings["output_padding"] = conv.output_padding
    first, second = conv.weight.tensor_split([channels], dim=place)
    return partial(apply, weight=first, **settings), partial(apply, weight=second, bias=conv.bias, **settings)


class CodeLayer(nn.Module):
    """Base of the layers that read the code; staged networks look for it to find where the code enters.

    Attributes:
        shares_rows: x (B, C, H, W) may come with codes (B * S, D), S consecutive ones for each row of x; what does not
            depend on the code is then computed once. The result has B * S rows.
    """

    shares_rows = False


def side_by_side(layer: nn.Module, shared: Tensor, own: Tensor, code: Tensor | None) -> Tensor:
    """A layer on both concatenated along channels; S consecutive rows of `own` (B * S, ...) belong to one of `shared`.

    A plain convolution computes the part of `shared` (B, ...) once; for any other layer it is repeated.
    """
    if shared.shape[0] < own.shape[0]:
        if isinstance(layer, PlainLayer):
            return layer.join(shared, own)
        shared = shared.repeat_interleave(len(own) // len(shared), dim=0)
    whole: Tensor = layer(torch.cat([shared, own], dim=1), code)
    return whole


def row_by_row(x: Tensor, filters: Tensor, convolve: Callable[..., Tensor]) -> Tensor:
    """Convolve row b of x (B, C, H, W) with filters b, (B, C', C, L, L).

    Accelerators do all rows as one convolution with a group per row. A CPU is faster row by row, since a grouped
    convolution would first convert all filters to another layout.

    Args:
        convolve: (x, weight, groups=...) -> x.
    """
    if x.device.type == "cpu":
        rows = [convolve(row, weight) for row, weight in zip(x.split(1), filters)]
        return rows[0] if len(rows) == 1 else torch.cat(rows)
    grouped = convolve(x.reshape(1, -1, *x.shape[-2:]), filters.flatten(0, 1), groups=len(x))
    return grouped.reshape(len(x), -1, *grouped.shape[-2:])


class AtSites(Randomness):
    """A randomness at the layers whose names match one of `patterns` (`up[567]`, `block*.conv2`)."""

    def __init__(self, patterns: Sequence[str]) -> None:
        super().__init__()
        self.patterns = tuple(patterns)
        self.sites = frozenset()
        self.asked: list[str] = []

    def layer(self, site: str, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> nn.Module:
        self.asked.append(site)
        if not self.matches(site):
            return PlainLayer(in_channels, out_channels, **conv)
        self.sites |= {site}
        return self.code_layer(in_channels, out_channels, **conv)

    def matches(self, site: str) -> bool:
        return any(fnmatchcase(site, pattern) for pattern in self.patterns)

    @abstractmethod
    def code_layer(self, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> CodeLayer:
        """The layer for one site."""

    def reserve(self, numbers: int) -> slice:
        """The next `numbers` entries of the code."""
        start, self.size = self.size, self.size + numbers
        return slice(start, self.size)

    def finish(self) -> None:
        for pattern in self.patterns:
            if not any(fnmatchcase(site, pattern) for site in self.asked):
                raise ConfigError(
                    f"randomness.sites: this generator has no layer {pattern!r}; it has {', '.join(self.asked)}"
                )


def in_format_of(x: Tensor, reference: Tensor) -> Tensor:
    """x in the memory format of the reference, so that concatenating them does not make every later layer convert."""
    last = reference.is_contiguous(memory_format=torch.channels_last)
    return x.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)


def tile_to(field: Tensor, size: Size) -> Tensor:
    """Repeat or crop a noise field (B, C, h, w) to (B, C, H, W); unlike resizing, this keeps it white and unit."""
    height, width = field.shape[-2:]
    if (height, width) == size:
        return field
    repeats = (1, 1, -(-size[0] // height), -(-size[1] // width))
    return field.repeat(repeats)[..., : size[0], : size[1]]
