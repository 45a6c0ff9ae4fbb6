"""Measure images that any program wrote, without a model: by the same protocols as models, beside real images."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

import torch
from torch import Tensor

from ..core.errors import DataError, check_keywords
from ..data.dataset.opening import DataConfig
from ..data.dataset.pairs import Pairs
from ..data.files import images as image_files
from .measuring.drawn import Drawn
from .measuring.gathering import Gathered
from .measuring.measure import calibrated, image_metrics, perceptual_metrics
from .metrics.extractors import ExtractorName
from .metrics.spread import feature_spread
from .protocols import NamedProtocol, named_protocol

logger = logging.getLogger(__name__)
NAMES = "name samples CONDITION-NUMBER.png, or put those of a condition into a folder of its name"


class Beside(TypedDict, total=False):
    """What else `evaluate_images` takes."""

    training: str | Path | None  # images for the distances of sets; default: those of `reference`
    conditions: str | Path | None  # pictures of the conditions, `CONDITION.png`, for the conditional metrics
    perceptual: bool  # include the metrics that need network weights; default: True
    extractor: ExtractorName  # whose features the metrics of sets compare; default: auto


def evaluate_images(
    images: str | Path, reference: str | Path, protocol: str = "default", seed: int = 0, **beside: Unpack[Beside]
) -> dict[str, Any]:
    """Evaluate images by a named protocol; returns what `variegate.evaluate` returns.

    Args:
        images: a folder with samples `CONDITION-NUMBER.png`, or a folder of samples for each condition.
        reference: a folder with the real image of each condition, `CONDITION.png`.
        beside: see `Beside`.

    Raises:
        DataError: names do not match, there are too few samples for the protocol, or sizes differ.
        ConfigError: there is no such protocol.
    """
    check_keywords(beside, Beside.__annotations__, "evaluate_images")
    preset, training = named_protocol(protocol), beside.get("training")
    if not preset.samples:
        raise DataError(f"--protocol {preset.name} measures a model's likelihood; images need one that has samples")
    drawn, names, notes = read_given(Path(images), Path(reference), preset, seed)
    if (conditions := beside.get("conditions")) is not None:
        drawn = replace(drawn, pictures=pictures_in(Path(conditions), names))
    for line in notes:
        logger.warning(line)
    height, width = drawn.truth[0].shape[-2:]
    gathered = Gathered()
    image_metrics(gathered, drawn, preset, (height, width))
    calibrated(gathered, drawn, (height, width))
    if beside.get("perceptual", True):
        real = plain(training or reference, (height, width))
        levels = perceptual_metrics(gathered, drawn, real, preset, beside.get("extractor", "auto"))
        gathered.add("diversity score", lambda: feature_spread(drawn.conditions(), levels, None))
    against = "the references" if training is None else "the training images"
    gathered.results.record("details", f"images of {images} beside those of {reference}; sets: beside {against}")
    return gathered.results.to_dict() | {"warnings": notes, "skipped": gathered.skipped}


def pictures_in(folder: Path, names: Sequence[str]) -> list[Tensor]:
    """The picture of each condition by its name, all of one size.

    Raises:
        DataError: a condition has none, or another size.
    """
    found = {file.stem: file for file in files_in(folder)}
    missing = [name for name in names if name not in found]
    if missing:
        raise DataError(f"{folder}: has no picture of the condition {missing[0]}; add {missing[0]}.png")
    return same_size([tensor(found[name]) for name in names], [found[name] for name in names])


def plain(path: str | Path, size: tuple[int, int]) -> Pairs:
    """The images of a folder, all of them, at this size."""
    source = DataConfig(path=str(path), size=size, condition="none").source(whole=True)
    return Pairs(source, next(iter(source.origins)))


def read_given(images: Path, reference: Path, preset: NamedProtocol, seed: int) -> tuple[Drawn, list[str], list[str]]:
    """The samples of as many conditions as the protocol has, in natural order, their names, and what was left out."""
    samples, real = groups_in(images), {file.stem: file for file in files_in(reference)}
    names = [name for name in real if name in samples]
    strange = [name for name in samples if name not in real]
    if not names:
        raise DataError(f"{images}: no samples of the conditions in {reference}, such as {next(iter(real))}; {NAMES}")
    if strange:
        raise DataError(f"{images}: has samples of {strange[0]}, which has no real image in {reference}; add it")
    few = [name for name in names if len(samples[name]) < preset.samples]
    if few:
        raise DataError(
            f"{images}: has {len(samples[few[0]])} samples of {few[0]}, but the protocol {preset.name} needs "
            f"{preset.samples} of each condition; give more, or --protocol quick"
        )
    used = names[: preset.inputs]
    truth = [tensor(real[name]) for name in used]
    drawn = [torch.stack(same_size([tensor(f) for f in samples[n][: preset.samples]], samples[n])) for n in used]
    for name, one, many in zip(used, truth, drawn):
        if one.shape != truth[0].shape or many.shape[1:] != one.shape:
            height, width = truth[0].shape[-2:]
            raise DataError(f"{name}: all samples and real images must have one size, such as {width}x{height}")
    lonely = len(real) - len(names)
    notes = [f"{lonely} images of {reference} have no samples in {images} and are not measured"] if lonely else []
    return Drawn(drawn, truth, [None] * len(used), seed), used, notes


def groups_in(folder: Path) -> dict[str, list[Path]]:
    """The samples of each condition, by its name."""
    inside = [one for one in sorted(folder.iterdir()) if one.is_dir()] if folder.is_dir() else []
    found = {one.name: image_files.images_in(one) for one in inside}
    if any(found.values()):
        return {name: files for name, files in found.items() if files}
    groups: dict[str, list[Path]] = {}
    for file in files_in(folder):
        name, dash, number = file.stem.rpartition("-")
        if not dash or not number.isdecimal():
            raise DataError(f"{file}: of which condition is this a sample? {NAMES}")
        groups.setdefault(name, []).append(file)
    return groups


def files_in(folder: Path) -> list[Path]:
    """The images of a folder. Raises DataError if there are none."""
    files = image_files.images_in(folder)
    if not files:
        raise DataError(f"{folder}: contains no images; give the folder that does")
    return files


def same_size(images: list[Tensor], files: list[Path]) -> list[Tensor]:
    """Raise DataError at the first image whose size differs from that of the one before it."""
    for image, file in zip(images, files):
        if image.shape != images[0].shape:
            (height, width), (tall, wide) = image.shape[-2:], images[0].shape[-2:]
            raise DataError(f"{file}: is {width}x{height}, but {files[0].name} is {wide}x{tall}; all need one size")
    return images


def tensor(file: Path) -> Tensor:
    """An image as uint8 (3, H, W)."""
    return torch.from_numpy(image_files.read_image(file, 3)).permute(2, 0, 1).contiguous()
