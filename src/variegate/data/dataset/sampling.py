"""Sample images for the conditions of a data set."""

from __future__ import annotations

from torch import Tensor

from ...core.interfaces import Generator
from ...core.sampling import decode_in_chunks
from ..conditions import Condition
from .pairs import Pairs


def sample_raw(generator: Generator, condition: Condition, raw: Tensor, codes: Tensor) -> Tensor:
    """Decode the same codes (S, D) for raw conditions (B, c, H, W): (B, S, C, H, W) in [-1, 1] on the CPU."""
    device = next(generator.parameters()).device
    return decode_in_chunks(generator, condition.encode(raw.to(device)), codes)


def sample_pair(generator: Generator, pairs: Pairs, index: int, codes: Tensor) -> Tensor:
    """Decode codes (S, D) for the condition of a pair: (S, C, H, W) in [-1, 1] on the CPU."""
    return sample_raw(generator, pairs.condition, pairs.raw(index)[0][None], codes)[0]
