"""What a generator makes of images that are given: how likely they are, and how they go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ..core.capabilities import Completes
from ..core.errors import ConfigError
from ..core.images import to_float, to_unit, uint8_to_unit
from ..core.interfaces import Features, Size
from ..data.conditions import Condition, ImageCondition
from ..data.files.sources import Source

CHUNK = 16  # images drawn at a time
HIDDEN = 128  # mid grey: what was not kept, on sheets

Images = Sequence[Source] | Tensor
Ask = Callable[[Tensor, Tensor], Tensor]  # conditions (B, K, H, W) and images (B, C, H, W) in [-1, 1] to (B, ...)


@torch.no_grad()
def ask_of_each(ask: Ask, condition: Tensor, images: Tensor, chunk: int) -> Tensor:
    """What is said of uint8 images (n, C, H, W), given one encoded condition (1, K, H, W): (n, ...) on the CPU.

    Raises:
        ConfigError: `chunk` is none.
    """
    if chunk < 1:
        raise ConfigError(f"chunk must be at least 1, got {chunk}")
    parts = to_float(images.to(condition.device)).split(chunk)
    return torch.cat([ask(condition.expand(len(part), -1, -1, -1), part).cpu() for part in parts])


def read_images(images: Images, reader: ImageCondition, size: Size | None) -> Tensor:
    """Images of one size: uint8 (n, C, H, W).

    Raises:
        DataError: one cannot be read, or has values out of range.
        ConfigError: they are a single one, there are none, or they differ in size.
    """
    if isinstance(images, Tensor) and images.ndim != 4:
        raise ConfigError(
            f"images: have shape {tuple(images.shape)}; give one tensor (n, C, H, W), or a list of images"
        )
    if isinstance(images, str | Path | Image.Image):
        raise ConfigError("images: are a single one; give a list of it")
    raw = [reader.read(image, size) for image in images]
    if len({one.shape for one in raw}) != 1:
        sizes = " and ".join(f"{w}x{h}" for h, w in sorted({(one.shape[1], one.shape[2]) for one in raw}))
        raise ConfigError(f"images: {f'have sizes {sizes}' if raw else 'there are none'}; give some of one size")
    return torch.stack(raw)


@torch.no_grad()
def complete(generator: Completes, features: Features, image: Tensor, keep: int, codes: Tensor) -> Tensor:
    """Images (n, C, H, W) in [0, 1] of codes (n, D) that begin with the first `keep` pixels of an image, uint8
    (C, H, W)."""
    device = features.condition.device
    start = to_float(image.to(device))
    parts = [generator.complete(features, part[None].to(device), start, keep)[0] for part in codes.split(CHUNK)]
    return to_unit(torch.cat(parts).cpu())


def check_keep(keep: int | None, size: Size) -> int:
    """How many pixels of an image of `size` to keep; the upper half unless given.

    Raises:
        ConfigError: it is no such number.
    """
    height, width = size
    keep = height // 2 * width if keep is None else keep
    if type(keep) is not int:
        raise ConfigError(f"keep = {keep!r}: is no number of pixels; give a whole one, 0 to {height * width}")
    if not 0 <= keep <= height * width:
        raise ConfigError(
            f"{keep} pixels to keep: an image of {width}x{height} has {height * width}; give 0 to {height * width}"
        )
    return keep


def own_condition(condition: Condition, image: Tensor) -> Source | None:
    """What a condition can read of an image (C, H, W) itself, where the user gave nothing else; None if only the user
    can know it."""
    if condition.channels == 0:
        return "none"
    return image if isinstance(condition, ImageCondition) and condition.is_self else None


def shown_before(image: Tensor, keep: int) -> Tensor:
    """An image (C, H, W) of 8 bits, and what of it is kept, as samples are: (2, C, H, W) in [0, 1]."""
    kept = image.clone().flatten(1)
    kept[:, keep:] = HIDDEN
    return uint8_to_unit(torch.stack([image, kept.view_as(image)]))
