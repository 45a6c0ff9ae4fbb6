"""The last step of training: a generator that copies from training images stores them, and is saved with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from ..core.capabilities import HasMemory
from ..core.interfaces import Generator
from ..core.progress import watched
from ..data.dataset.pairs import Pairs
from ..runs.saved_model import load_weights, read_record, read_weights, write_model

BATCH = 16


def remember_images(folder: Path, generator: Generator, pairs: Pairs, device: torch.device) -> None:
    """Store the training images in the saved model, unless it has them already.

    Args:
        folder: folder of the saved model, which is replaced; it may be older than the last checkpoint.
        generator: must have a memory; loads the saved model's weights.

    Raises:
        DataError: an image cannot be read.
        TrainingError: the disk is full.
    """
    assert isinstance(generator, HasMemory)
    load_weights(generator, read_weights(folder), folder / "model.safetensors")
    if len(generator.images):
        return
    generator.remember(batches(pairs, device))
    write_model(folder, generator, read_record(folder))


def batches(pairs: Pairs, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """All pairs in order: conditions as networks read them, images as they are stored."""
    starts = range(0, len(pairs), BATCH)
    for i in watched(starts, "storing training images", len(starts)):
        raw, images = zip(*(pairs.raw(k) for k in range(i, min(i + BATCH, len(pairs)))))
        yield pairs.condition.encode(torch.stack(raw).to(device)), torch.stack(images).to(device)
