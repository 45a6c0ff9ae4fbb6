"""Images to bits and back, with a model that samples value by value and the range coder of constriction.

Encoder and decoder must see the same probabilities to the last bit. Both therefore walk in the same way: one image at a
time, value by value, on the CPU, in 32 bits, with one thread; a parallel pass over a known image would round
differently. Another processor or torch version may also round differently, so a checksum of each image is stored with
the bits. All images share one bit stream, which is terminated once: otherwise, small images would be half as large
again.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.capabilities import Walks
from ..core.device import one_thread
from ..core.errors import ConfigError, DataError

SMALLEST = 2.0**-24  # the lowest probability that the coder resolves; anything less likely also costs 24 bits


class Encoded(NamedTuple):
    """Encoded images."""

    content: bytes
    checks: list[int]  # CRC-32 of each image's levels
    information: float  # in bits: the sum of -log2 p(image | condition), which an ideal coder would need


@torch.no_grad()
def encode(generator: Walks, pairs: Iterable[tuple[Tensor, Tensor]]) -> Encoded:
    """Encode the levels of images, without loss.

    Args:
        pairs: conditions (1, K, H, W) and images (1, C, H, W) in [-1, 1], of any sizes.

    Raises:
        ConfigError: the package constriction is not installed.
        DataError: the generator does not give probabilities, or not in the order that `Walks` specifies.
    """
    coding = stream()
    coder, checks = coding.queue.RangeEncoder(), []
    values: NDArray[np.int64]
    information, place = 0.0, 0

    def choose(probabilities: Tensor) -> Tensor:
        nonlocal place, information
        row = check_probabilities(probabilities)
        if place >= len(values) or values[place] >= len(row):
            raise DataError(f"the model requests more than {len(values)} values, or has too few levels for this image")
        value = int(values[place])
        coder.encode(value, coding.model.Categorical(row, perfect=False))
        place, information = place + 1, information - math.log2(max(float(row[value]), SMALLEST))
        return torch.tensor([value], device=probabilities.device)

    for condition, image in pairs:
        values, place = in_order(generator.quantise(image)), 0
        with one_thread():
            drawn = generator.walk(condition, choose)
        if place != len(values) or not np.array_equal(in_order(generator.quantise(drawn)), values):
            raise DataError("the model samples the values of an image in an order that compression does not support")
        checks.append(check_sum(values))
    return Encoded(coder.get_compressed().astype("<u4").tobytes(), checks, information)


@torch.no_grad()
def decode(generator: Walks, pairs: Iterable[tuple[Tensor, int]], content: bytes) -> Iterator[Tensor]:
    """Decode the bits of `encode` to images (1, C, H, W) in [-1, 1], one by one.

    Args:
        pairs: conditions and checksums, in the order of encoding.

    Raises:
        ConfigError: the package constriction is not installed.
        DataError: an image differs from the original, because its condition or the arithmetic is not the encoder's.
    """
    coding = stream()
    if len(content) % 4:
        raise DataError("its bits are not whole words of 32; compress the images again")
    coder = coding.queue.RangeDecoder(np.frombuffer(content, dtype="<u4").astype(np.uint32))

    def choose(probabilities: Tensor) -> Tensor:
        row = check_probabilities(probabilities)
        try:
            value = int(coder.decode(coding.model.Categorical(row, perfect=False)))
        except AssertionError:  # how constriction reports invalid bits
            raise DataError(OTHERWISE) from None
        return torch.tensor([value], device=probabilities.device)

    for condition, check in pairs:
        with one_thread():
            image = generator.walk(condition, choose)
        if check_sum(in_order(generator.quantise(image))) != check:
            raise DataError(OTHERWISE)
        yield image


OTHERWISE = (
    "the decompressed image differs from the original, because the model rounds differently on this machine; "
    "decompress with the same kind of processor and the same torch version as for compression"
)


def in_order(levels: Tensor) -> NDArray[np.int64]:
    """Levels (1, C, H, W) as a vector, in the order of a walk."""
    return levels[0].permute(1, 2, 0).flatten().cpu().numpy().astype(np.int64)


def check_sum(values: NDArray[np.int64]) -> int:
    return zlib.crc32(values.astype(np.uint8).tobytes())


def check_probabilities(probabilities: Tensor) -> NDArray[np.float32]:
    """Probabilities (1, levels) as a vector whose sum is not 0.

    Raises:
        DataError: they are not probabilities.
    """
    row = probabilities.detach().float().cpu().numpy()
    if row.shape[0] != 1 or row.ndim != 2 or not np.isfinite(row).all() or row.min() < 0 or row.max() <= 0:
        raise DataError(f"the model must give probabilities of shape (1, levels), got other values {tuple(row.shape)}")
    return np.ascontiguousarray(row[0])


def stream() -> Any:
    """The module `constriction.stream`."""
    if find_spec("constriction") is None:
        raise ConfigError("compression needs the package constriction; run pip install 'variegate[compress]'")
    import constriction

    return constriction.stream
