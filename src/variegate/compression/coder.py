"""Images as bits and back, by a model that draws value by value, and a range coder (constriction's).

Encoder and decoder must see the same probabilities to the last bit. Both therefore walk in the same way: one image at a
time, value by value, on the CPU, in 32 bits, with one thread; a parallel pass over a known image would round otherwise.
Another processor or another torch may round otherwise too, so a check sum of each image goes with the bits. All images
share one stream of bits, which ends once: images of few bits would else take half as many again.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.capabilities import Walks
from ..core.errors import ConfigError, DataError

SMALLEST = 2.0**-24  # probability the coder tells from 0; what is less likely costs 24 bits all the same


class Encoded(NamedTuple):
    """Images as bits."""

    content: bytes
    checks: list[int]  # CRC-32 of the levels of each
    information: float  # bits: the sum of -log2 p(image | condition), what an ideal coder would need


@torch.no_grad()
def encode(generator: Walks, pairs: Iterable[tuple[Tensor, Tensor]]) -> Encoded:
    """
    Args:
        pairs: conditions (1, K, H, W), and images (1, C, H, W) in [-1, 1] whose levels are kept; of any sizes.

    Raises:
        ConfigError: the package constriction is not installed.
        DataError: the generator gives no probabilities, or asks in another order than `Walks` says.
    """
    coding = stream()
    coder, checks = coding.queue.RangeEncoder(), []
    values: NDArray[np.int64]
    information, place = 0.0, 0

    def choose(probabilities: Tensor) -> Tensor:
        nonlocal place, information
        row = check_probabilities(probabilities)
        if place >= len(values) or values[place] >= len(row):
            raise DataError(f"the model asks for more than {len(values)} values, or has too few levels for this image")
        value = int(values[place])
        coder.encode(value, coding.model.Categorical(row, perfect=False))
        place, information = place + 1, information - math.log2(max(float(row[value]), SMALLEST))
        return torch.tensor([value], device=probabilities.device)

    for condition, image in pairs:
        values, place = in_order(generator.quantise(image)), 0
        with one_thread():
            drawn = generator.walk(condition, choose)
        if place != len(values) or not np.array_equal(in_order(generator.quantise(drawn)), values):
            raise DataError("the model draws the values of an image in an order that cannot be compressed with")
        checks.append(check_sum(values))
    return Encoded(coder.get_compressed().astype("<u4").tobytes(), checks, information)


@torch.no_grad()
def decode(generator: Walks, pairs: Iterable[tuple[Tensor, int]], content: bytes) -> Iterator[Tensor]:
    """Images (1, C, H, W) in [-1, 1] of `encode`'s bits, one after the other.

    Args:
        pairs: conditions and check sums, in the order of encoding.

    Raises:
        ConfigError: the package constriction is not installed.
        DataError: an image comes out otherwise, because its condition or the arithmetic is not the encoder's.
    """
    coding = stream()
    coder = coding.queue.RangeDecoder(np.frombuffer(content, dtype="<u4").astype(np.uint32))

    def choose(probabilities: Tensor) -> Tensor:
        row = check_probabilities(probabilities)
        try:
            value = int(coder.decode(coding.model.Categorical(row, perfect=False)))
        except AssertionError:  # constriction's way to say that these bits cannot be
            raise DataError(OTHERWISE) from None
        return torch.tensor([value], device=probabilities.device)

    for condition, check in pairs:
        with one_thread():
            image = generator.walk(condition, choose)
        if check_sum(in_order(generator.quantise(image))) != check:
            raise DataError(OTHERWISE)
        yield image


OTHERWISE = (
    "the image comes out otherwise than it was, because the model computes with other rounding here; decompress on a "
    "machine with the processor and the torch of the one that compressed"
)


def in_order(levels: Tensor) -> NDArray[np.int64]:
    """Levels (1, C, H, W) as a row, in the order of a walk."""
    return levels[0].permute(1, 2, 0).flatten().cpu().numpy().astype(np.int64)


def check_sum(values: NDArray[np.int64]) -> int:
    return zlib.crc32(values.astype(np.uint8).tobytes())


def check_probabilities(probabilities: Tensor) -> NDArray[np.float32]:
    """Probabilities (1, levels) as a row, unlike 0 in sum.

    Raises:
        DataError: they are none.
    """
    row = probabilities.detach().float().cpu().numpy()
    if row.shape[0] != 1 or row.ndim != 2 or not np.isfinite(row).all() or row.min() < 0 or row.max() <= 0:
        raise DataError(f"the model gives {tuple(row.shape)} numbers that are no probabilities (1, levels)")
    return np.ascontiguousarray(row[0])


def stream() -> Any:
    """The package's module."""
    if find_spec("constriction") is None:
        raise ConfigError("compressing needs the package constriction: pip install 'variegate[compress]'")
    import constriction

    return constriction.stream


@contextmanager
def one_thread() -> Iterator[None]:
    """Within, torch computes with one thread: how sums are split over several decides their last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
