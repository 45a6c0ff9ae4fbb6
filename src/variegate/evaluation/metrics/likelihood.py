"""Bits per dimension of held-out images, for generators that give the probability of every level of a colour.

A dimension is one colour of one pixel. The value is exact, without sampling (van den Oord et al., NIPS 2016).
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...core.capabilities import HasLevels
from ...core.errors import ConfigError, with_article
from ...core.images import to_float, to_pil
from ...core.interfaces import Generator
from ...core.progress import watched
from ...data.conditions import ClassLabel
from ...data.dataset.pairs import Pairs
from ...runs.measured import Measured, Protocol, Results, libraries
from .plugged import Networks

BITS = "bits_per_dim"
OF_CLASS = f"{BITS}_class_"  # prefix of the metrics of one class
PIXELS = 2**15  # maximum per batch of images
AVERAGED = "weights: their moving average, which is the saved model"
RAW = "weights: as the last update before the model was saved left them, not averaged"


def is_of_class(name: str) -> bool:
    """Whether a metric is that of one class."""
    return name.startswith(OF_CLASS)


@dataclass(frozen=True)
class Likelihood:
    """For the first images of a split: the bits per dimension and the class, if any, of each, and the metrics.

    Simple images are likely, also where a model has never seen their like, so likelihood alone does not tell what is
    out of its data; bits beyond those of a compressor that knows no data do (Serrà et al., ICLR 2020).
    """

    bits: list[float]
    png: list[float]  # bits per dimension of the image as PNG
    raw: list[float] | None  # the same with the raw weights (not the EMA), if available
    classes: list[str | None]
    results: Results

    def table(self, pairs: Pairs) -> str:
        """CSV with a header and a line for each image."""
        columns: dict[str, Sequence[object]] = {"item": [f"{pairs.split}:{i}" for i in range(len(self.bits))]}
        columns["file"] = pairs.files[: len(self.bits)]
        if any(self.classes):
            columns["class"] = self.classes
        columns[BITS] = self.bits
        if self.raw is not None:
            columns[f"{BITS}_raw"] = self.raw
        columns[f"{BITS}_png"] = self.png
        columns[f"{BITS}_beyond_png"] = [ours - png for ours, png in zip(self.bits, self.png)]
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(columns)
        lines.writerows(zip(*columns.values()))
        return text.getvalue()


def likelihood(
    generator: Generator, pairs: Pairs, count: int | None = None, raw: Generator | None = None
) -> Likelihood | None:
    """The likelihood of the first images of a split; None for generators without it, and for unpaired data.

    Args:
        count: maximum number of images; default: all.
        raw: the same network with the raw weights (not the EMA), which is also measured.
    """
    if not isinstance(generator, HasLevels) or pairs.unpaired:
        return None
    count = min(len(pairs), len(pairs) if count is None else count)
    bits = list(bits_per_dim(generator, pairs, count))
    classes = [pairs.condition.class_of(pairs.raw(i)[0]) for i in range(count)]
    results = Results({BITS: mean_of(bits, BITS, pairs, generator.bits, AVERAGED)})
    others = list(bits_per_dim(raw, pairs, count)) if isinstance(raw, HasLevels) else None
    if others is not None:
        results.add({f"{BITS}_raw": mean_of(others, f"{BITS}_raw", pairs, generator.bits, RAW)})
    named = pairs.condition.part(ClassLabel)
    for name in [one for one in named.names if one in classes] if named else []:
        own = [value for value, one in zip(bits, classes) if one == name]
        told = f"images of the class {name} only"
        results.add({OF_CLASS + name: mean_of(own, OF_CLASS + name, pairs, generator.bits, AVERAGED, told)})
    png = [png_bits(pairs.raw(i)[1], generator.bits) for i in range(count)]
    return Likelihood(bits, png, others, classes, results)


def only_likelihood(generator: Generator, pairs: Pairs, networks: Networks, raw: Generator | None) -> Likelihood:
    """Measure all images with the protocol "pixelcnn".

    Raises:
        ConfigError: the generator has no such likelihood, the data are unpaired, or a network is given.
    """
    brought = next((name for name, network in networks._asdict().items() if network is not None), None)
    if brought is not None:
        raise ConfigError(
            f"--{brought}: the protocol pixelcnn samples no images for it to measure; omit it, or give another "
            "--protocol"
        )
    if pairs.unpaired:
        raise ConfigError(
            f"--protocol pixelcnn: {pairs.name} is unpaired, so images have no conditions; give another protocol"
        )
    found = likelihood(generator, pairs, None, raw)
    if found is None:
        raise ConfigError(
            "--protocol pixelcnn: this model does not give the probabilities of colour levels; give another "
            "protocol, or evaluate a model such as gated-pixelcnn"
        )
    return found


def png_bits(image: Tensor, bits: int = 8) -> float:
    """Bits per dimension of an image, uint8 (C, H, W), as PNG, after rounding to `bits` bits as the model does."""
    file = io.BytesIO()
    to_pil(image >> (8 - bits)).save(file, "PNG", optimize=True)
    return 8 * file.tell() / image.numel()


@torch.no_grad()
def bits_per_dim(generator: HasLevels, pairs: Pairs, count: int) -> Iterator[float]:
    """Bits per dimension of each of the first `count` images."""
    for maps in watched(surprisals(generator, pairs, range(count)), "bits per dimension", count):
        yield float(maps.double().mean()) / pairs.image_channels


@torch.no_grad()
def surprisals(generator: HasLevels, pairs: Pairs, items: Sequence[int]) -> Iterator[Tensor]:
    """Bits of every pixel (H, W), on the CPU, item by item."""
    assert isinstance(generator, Generator)
    device = next(generator.parameters()).device
    together = max(1, PIXELS // math.prod(pairs.size))
    for start in range(0, len(items), together):
        conditions, images = zip(*(pairs.raw(item) for item in items[start : start + together]))
        shown = pairs.condition.encode(torch.stack(conditions).to(device))
        yield from generator.surprisal(shown, to_float(torch.stack(images).to(device))).cpu()


def mean_of(values: list[float], name: str, pairs: Pairs, bits: int, weights: str, told: str = "") -> Measured:
    """The mean over images, with its protocol."""
    colours = "grey" if pairs.image_channels == 1 else f"each of {pairs.image_channels} colours"
    rounded = "" if bits == 8 else f", to which 8-bit values are rounded down; knowing nothing costs {bits} bits"
    notes = [
        f"images of {pairs.name}, split {pairs.split}, in their order",
        weights,
        "compare only numbers of the same images at the same size, colours and levels",
    ]
    notes += (
        [f"what the condition, {with_article(pairs.condition.noun)}, tells is not counted"]
        if pairs.condition.channels
        else []
    )
    notes += [told] if told else []
    record = Protocol(
        name=name,
        metric="-log2 p(image | condition) / (height x width x colours), of the probability of its levels; mean",
        libraries=libraries("variegate", "torch"),
        value_range=f"{2**bits} levels ({bits} bits) of {colours}{rounded}",
        inputs=len(values),
        size=pairs.size,
        notes=tuple(notes),
    )
    return Measured.mean(values, unit="bits per dimension", better="lower", protocol=record)
