"""Samples that agree with what their condition tells: known pixels around a hole, a low resolution."""

from __future__ import annotations

from functools import partial

from torch import Tensor
from torch.nn import functional as F

from ...core.errors import ConfigError
from ...core.images import with_known
from ...core.interfaces import Agree
from ..derived.derived import SuperRes
from .composite import CompositeCondition
from .condition import Condition
from .image import ImageCondition

ROUNDS = 20  # of what is still missing; each leaves about half of it


def agreement(condition: Condition) -> Agree:
    """What makes images (S, C, H, W) of an encoded condition (1, K, H, W) agree with it, all in [-1, 1].

    Raises:
        ConfigError: the condition tells no pixel of the image.
    """
    image = condition.part(ImageCondition)
    first = 0
    if isinstance(condition, CompositeCondition):
        before = condition.parts[: condition.parts.index(image)] if image in condition.parts else ()
        first = sum(part.channels for part in before)
    if image is not None and image.channels == 4:
        return partial(keep_known, first=first, channels=image.channels)
    if image is not None and isinstance(image.derived, SuperRes):
        return partial(match_low_resolution, first=first, factor=image.derived.factor)
    raise ConfigError(
        f"samples can be made to agree with a low resolution (superres:K) or around a hole (inpaint), but here the "
        f"condition is {condition.spelling}; leave out consistent"
    )


def keep_known(condition: Tensor, images: Tensor, first: int, channels: int) -> Tensor:
    """Put the known pixels around the hole back."""
    return with_known(images, condition[:, first : first + channels])


def match_low_resolution(condition: Tensor, images: Tensor, first: int, factor: int) -> Tensor:
    """Add the enlargement of what is missing when the images are made small again (iterative back-projection).

    Irani, Peleg: Improving resolution by image registration, 1991. Fine detail is left as it is.
    """
    given = condition[:, first : first + images.shape[1], ::factor, ::factor].to(images.dtype)
    for _ in range(ROUNDS):
        missing = given - F.interpolate(images, scale_factor=1 / factor, mode="bicubic", antialias=True)
        images = (images + F.interpolate(missing, scale_factor=factor, mode="bicubic")).clamp(-1, 1)
    return images
