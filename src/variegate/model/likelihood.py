"""What a model makes of pictures that are given: how likely they are, and how they go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ..core.codes import Seed
from ..core.errors import ConfigError
from ..core.interfaces import Completes, HasLevels, HasLikelihood, Size
from ..data.conditions.labels import Picture, Source
from .model import Model
from .samples import Samples

CHUNK = 16  # images drawn at a time
HIDDEN = 128  # mid grey: what was not kept, on sheets


Images = Sequence[Source] | Tensor


def log_prob(model: Model, images: Images, condition: Source, size: Size | None, chunk: int) -> Tensor:
    """`Model.log_prob`."""
    if not isinstance(model.generator, HasLikelihood):
        raise ConfigError(f"this {model.name} model has no likelihood; train gated-pixelcnn or moment-predictor")
    return asked(model, model.generator.log_prob, images, condition, size, chunk)


def surprise(model: Model, images: Images, condition: Source, size: Size | None, chunk: int) -> Tensor:
    """`Model.surprise`."""
    if not isinstance(model.generator, HasLevels):
        raise ConfigError(f"this {model.name} model knows no probability of a pixel; train gated-pixelcnn")
    return asked(model, model.generator.surprise, images, condition, size, chunk)


@torch.no_grad()
def asked(
    model: Model,
    what: Callable[[Tensor, Tensor], Tensor],
    images: Images,
    condition: Source,
    size: Size | None,
    chunk: int,
) -> Tensor:
    """What is said of conditions (B, K, H, W) and images (B, C, H, W), of one condition and n images."""
    if chunk < 1:
        raise ConfigError(f"chunk = {chunk}: no image is looked at at a time; give 1 or more")
    raw = pictures_of(images, model.pictures, size)
    shown = model.encoded(model.condition.read(condition, (raw.shape[2], raw.shape[3])))
    parts = (raw.to(model.device).float() / 127.5 - 1).split(chunk)
    return torch.cat([what(shown.expand(len(part), -1, -1, -1), part).cpu() for part in parts])


def pictures_of(images: Images, kind: Picture, size: Size | None) -> Tensor:
    """Pictures of one size: uint8 (n, C, H, W).

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
    raw = [kind.read(image, size) for image in images]
    if len({one.shape for one in raw}) != 1:
        sizes = " and ".join(f"{w}x{h}" for h, w in sorted({(one.shape[1], one.shape[2]) for one in raw}))
        raise ConfigError(f"images: {f'have sizes {sizes}' if raw else 'there are none'}; give some of one size")
    return torch.stack(raw)


@torch.no_grad()
def complete(
    model: Model,
    image: Source,
    condition: Source | None,
    keep: int | None,
    drawn: tuple[Tensor, list[Seed] | None],
    size: Size | None,
) -> Samples:
    """`Model.complete`, for codes and the seeds they are of."""
    generator, (codes, seeds) = model.generator, drawn
    if not isinstance(generator, Completes):
        raise ConfigError(
            f"this {model.name} model does not draw pixel after pixel, so it cannot go on from given ones; train "
            "gated-pixelcnn"
        )
    given = model.pictures.read(image, size)
    shape, pixels = (given.shape[1], given.shape[2]), given.shape[1] * given.shape[2]
    keep = shape[0] // 2 * shape[1] if keep is None else keep
    if type(keep) is not int:
        raise ConfigError(f"keep = {keep!r}: is no number of pixels; give a whole one, 0 to {pixels}")
    if not 0 <= keep <= pixels:
        raise ConfigError(f"{keep} pixels to keep: a picture of {shape[1]}x{shape[0]} has {pixels}; give 0 to {pixels}")
    raw = model.condition.read(own_condition(model, given) if condition is None else condition, shape)
    with torch.autocast(model.device.type, torch.bfloat16, enabled=model.precision == "bf16-mixed"):
        features = generator.encode(model.encoded(raw))
    start = given.to(model.device).float() / 127.5 - 1
    parts = [generator.complete(features, part[None].to(model.device), start, keep)[0] for part in codes.split(CHUNK)]
    return Samples((torch.cat(parts).cpu() + 1) / 2, codes, seeds, shown_before(given, keep))


def own_condition(model: Model, image: Tensor) -> Source:
    """The condition of a picture (C, H, W) for which the user gave none.

    Raises:
        ConfigError: only the user can know it.
    """
    if model.condition.channels == 0:
        return "none"
    if isinstance(model.condition, Picture) and model.condition.derived == "self":
        return image
    raise ConfigError(
        f"this {model.name} model draws pictures of a {model.condition.noun}, and none is given; say which it is "
        "(--condition)"
    )


def shown_before(given: Tensor, keep: int) -> Tensor:
    """A picture (C, H, W) of 8 bits, and what of it is kept, as samples are: (2, C, H, W) in [0, 1]."""
    kept = given.clone().flatten(1)
    kept[:, keep:] = HIDDEN
    return torch.stack([given, kept.view_as(given)]).float() / 255
