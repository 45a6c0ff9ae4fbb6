"""Compress image files to one file, and decompress it, with a trained model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..core.capabilities import Walks
from ..core.errors import CheckpointError, ConfigError, DataError
from ..core.files import replacing_folder
from ..core.images import to_float, to_pil, to_uint8
from ..data.files import images as image_files
from ..data.files.sources import Source, for_each
from ..model.model import Model
from ..networks.weights import tensor_sha256
from .coder import decode, encode
from .file import Archive, Packed, condition_bytes, condition_of, read, write

LOSSLESS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "WEBP", "TIFF", "PPM")  # their headers tell what decoding would drop


class Size(NamedTuple):
    """Sizes of a compressed file and its images."""

    written: int  # bytes of the file, including names and conditions
    images: int  # bytes of the images in it
    information: float  # bits that an ideal coder would need for all images
    values: int  # number of values in all images: pixels times colours


def compress(
    model: Model,
    files: Sequence[str | Path],
    out: str | Path,
    conditions: Sequence[Source] = (),
    reduce: bool = False,
) -> Size:
    """Write images to a file from which `decompress` restores the same pixels with the same model.

    Takes as long as sampling the images, because the model is evaluated value by value.

    Args:
        files: 8-bit images, grey or colour like the model's; any size that the model supports.
        conditions: one for all images, or one per image; empty for an unconditional model.
        reduce: if the model has fewer than 256 levels, round colours down to them; otherwise, such images are refused.

    Raises:
        ConfigError: the model has no likelihood value by value, conditions are missing, or the file exists.
        DataError: an image cannot be read, or would not be preserved exactly.
    """
    generator, out = walking(model), Path(out)
    if out.exists():
        raise ConfigError(f"{out} already exists; give another --out, or remove it first")
    if not files:
        raise ConfigError("there are no images to compress; give at least one file")
    images = [levels_shown(model, generator, Path(file), reduce) for file in files]
    sizes = [(image.shape[-2], image.shape[-1]) for image in images]
    given = conditions or (["none"] if model.condition.channels == 0 else [])
    each = for_each(given, len(files), model.condition.noun)
    raws = [model.condition.read(one, size) for one, size in zip(each, sizes)]
    found = encode(generator, ((model.encode(raw), image) for raw, image in zip(raws, images)))
    named = zip(names([Path(file).stem for file in files]), images, raws, found.checks)
    packed = [
        Packed(name, (image.shape[1], image.shape[2], image.shape[3]), condition_bytes(raw), check)
        for name, image, raw, check in named
    ]
    size = write(out, Archive(weights_of(model), torch.__version__, packed, found.content))
    return Size(size, len(found.content), found.information, sum(image.numel() for image in images))


def decompress(model: Model, file: str | Path, out: str | Path) -> list[Path]:
    """Write the images of a file as PNG to a new folder, either all or none; returns their paths.

    Raises:
        DataError: the file is damaged, or this machine rounds differently from the one that wrote it.
        CheckpointError: the file was written with another model.
        ConfigError: the folder is not empty.
    """
    generator, file, out = walking(model), Path(file), Path(out)
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise ConfigError(f"{out} already exists; give another --out for the images")
    archive = read(file)
    if archive.model != weights_of(model):
        raise CheckpointError(
            f"{file}: was compressed with another model (SHA-256 of weights {archive.model.hex()[:12]}..., but this "
            f"{model.name} model has {weights_of(model).hex()[:12]}...); give the run used for compression"
        )
    found: dict[str, Tensor] = {}
    raws = [model.condition.read(condition_of(one.condition, *one.shape[1:])) for one in archive.images]
    pairs = ((model.encode(raw), one.check) for raw, one in zip(raws, archive.images))
    images = decode(generator, pairs, archive.content)
    for one in archive.images:
        try:
            found[f"{Path(one.name).name}.png"] = to_uint8(next(images)[0])
        except DataError as error:
            raise DataError(f"{file}, {one.name}: {error} (torch {archive.torch})") from None
    with replacing_folder(out) as aside:
        for name, pixels in found.items():
            to_pil(pixels).save(aside / name)
    return [out / name for name in found]


def walking(model: Model) -> Walks:
    """The model's generator.

    Raises:
        ConfigError: it does not sample value by value, or does not run on the CPU in 32 bits.
    """
    if not isinstance(model.generator, Walks):
        raise ConfigError(
            f"this {model.name} model has no likelihood value by value, so it cannot compress; train gated-pixelcnn"
        )
    if model.device.type != "cpu" or model.precision != "32-true":
        raise ConfigError("compression needs identical rounding; load the model on the CPU with 32-bit precision")
    return model.generator


def weights_of(model: Model) -> bytes:
    """SHA-256 of the weights."""
    return tensor_sha256(model.generator.state_dict())


def levels_shown(model: Model, generator: Walks, file: Path, reduce: bool) -> Tensor:
    """Read an image at the model's levels: (1, C, H, W) in [-1, 1].

    Raises:
        DataError: information would be lost.
    """
    stored = image_files.open_image(file)
    check_lossless(file, stored.format)
    if stored.mode not in ("RGB", "L", "P", "1") or stored.has_transparency_data:
        raise DataError(
            f"{file}: has mode {stored.mode} or transparency, which would be lost; save it as 8-bit RGB or grey first"
        )
    pixels = image_files.read_image(stored)
    if model.record.image_channels == 1:
        if (pixels != pixels[..., :1]).any():
            raise DataError(f"{file}: has colours, but this {model.name} model is for grey images; save it as grey")
        pixels = pixels[..., :1]
    image = to_float(torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None])
    shown = generator.show(generator.quantise(image))
    if not reduce and not torch.equal(to_uint8(shown), to_uint8(image)):
        raise DataError(
            f"{file}: has more colour levels than this {model.name} model, so colours would change; add --reduce to "
            "round them, or train with --bits 8"
        )
    return shown


def check_lossless(file: Path, format: str | None) -> None:
    """Raise DataError if Pillow's decoded image lacks part of the file, which the image mode alone does not tell."""
    if format not in LOSSLESS:
        raise DataError(f"{file}: has format {format}, which may lose information when decoded; save it as PNG first")
    if image_files.has_deep_colours(file):
        raise DataError(f"{file}: has more than 8 bits per colour, which would be lost; save it with 8 bits first")
    frames = image_files.frames_of(file)
    if frames > 1:
        raise DataError(f"{file}: has {frames} frames or pages, all but one of which would be lost; save each as PNG")


def names(stems: Sequence[str]) -> list[str]:
    """Make stems unique by numbering repeated ones from 2."""
    found: list[str] = []
    for stem in stems:
        numbered = (f"{stem}-{i}" for i in count(2))
        found.append(stem if stem not in found else next(one for one in numbered if one not in (*found, *stems)))
    return found
