"""What a generator can tell about given images: how likely they are, and how they could continue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ..core.capabilities import Completes, HasVelocity
from ..core.errors import ConfigError
from ..core.images import to_float, to_unit, uint8_to_unit
from ..core.interfaces import Features, Size
from ..data.conditions import Condition, ImageCondition
from ..data.files.sources import Source

CHUNK = 16  # images sampled at a time
HIDDEN = 128  # mid grey: pixels not kept, on sheets

Images = Sequence[Source] | Tensor
Ask = Callable[[Tensor, Tensor], Tensor]  # conditions (B, K, H, W) and images (B, C, H, W) in [-1, 1] to (B, ...)


@torch.no_grad()
def ask_of_each(ask: Ask, condition: Tensor, images: Tensor, chunk: int) -> Tensor:
    """Apply `ask` to uint8 images (n, C, H, W), given one encoded condition (1, K, H, W): (n, ...) on the CPU.

    Raises:
        ConfigError: `chunk` is below 1.
    """
    if chunk < 1:
        raise ConfigError(f"chunk must be at least 1, got {chunk}")
    parts = to_float(images.to(condition.device)).split(chunk)
    return torch.cat([ask(condition.expand(len(part), -1, -1, -1), part).cpu() for part in parts])


def read_images(images: Images, reader: ImageCondition, size: Size | None) -> Tensor:
    """Read images of one size: uint8 (n, C, H, W).

    Raises:
        DataError: an image cannot be read, or has values out of range.
        ConfigError: a single image instead of a list, no images, or images of different sizes.
    """
    if isinstance(images, Tensor) and images.ndim != 4:
        raise ConfigError(f"images have shape {tuple(images.shape)}; give one tensor (n, C, H, W), or a list of images")
    if isinstance(images, str | Path | Image.Image):
        raise ConfigError("images must be a list, got a single image; put it in a list")
    raw = [reader.read(image, size) for image in images]
    if len({one.shape for one in raw}) != 1:
        sizes = " and ".join(f"{w}x{h}" for h, w in sorted({(one.shape[1], one.shape[2]) for one in raw}))
        found = f"images have different sizes, {sizes}" if raw else "there are no images"
        raise ConfigError(f"{found}; give images of one size")
    return torch.stack(raw)


def log_density(generator: HasVelocity, condition: Tensor, images: Tensor, probes: int) -> tuple[Tensor, Tensor]:
    """Log density in nats of uint8 images (n, C, H, W), and its standard error: both (n,) on the CPU."""

    def both(given: Tensor, image: Tensor) -> Tensor:
        return torch.stack(generator.log_density(given, image, probes), dim=1)

    found = ask_of_each(both, condition, images, CHUNK)
    return found[:, 0], found[:, 1]


@torch.no_grad()
def complete(generator: Completes, features: Features, image: Tensor, keep: int, codes: Tensor) -> Tensor:
    """Images (n, C, H, W) in [0, 1], one per code (n, D), that start with the first `keep` pixels of a uint8 image
    (C, H, W)."""
    device = features.condition.device
    start = to_float(image.to(device))
    parts = [generator.complete(features, part[None].to(device), start, keep)[0] for part in codes.split(CHUNK)]
    return to_unit(torch.cat(parts).cpu())


def check_keep(keep: int | None, size: Size) -> int:
    """The number of pixels of an image of `size` to keep; by default, its upper half.

    Raises:
        ConfigError: `keep` is not an integer, or out of range.
    """
    height, width = size
    keep = height // 2 * width if keep is None else keep
    if type(keep) is not int:
        raise ConfigError(f"keep must be a whole number of pixels from 0 to {height * width}, got {keep!r}")
    if not 0 <= keep <= height * width:
        raise ConfigError(
            f"keep must be from 0 to {height * width} pixels for an image of {width}x{height}, got {keep}"
        )
    return keep


def own_condition(condition: Condition, image: Tensor) -> Source | None:
    """The condition's source if it follows from the image (C, H, W) itself; None if only the user can provide it."""
    if condition.channels == 0:
        return "none"
    return image if isinstance(condition, ImageCondition) and condition.is_self else None


def shown_before(image: Tensor, keep: int) -> Tensor:
    """A uint8 image (C, H, W) and the part of it that is kept, in the format of samples: (2, C, H, W) in [0, 1]."""
    kept = image.clone().flatten(1)
    kept[:, keep:] = HIDDEN
    return uint8_to_unit(torch.stack([image, kept.view_as(image)]))
