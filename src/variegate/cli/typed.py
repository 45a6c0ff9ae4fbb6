"""Resolve conditions and images as typed: files, items of a run's data, words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from ..core.errors import DataError
from ..data.conditions import condition_from_mapping
from ..data.readers.items import SPLITS
from ..runs.folder import RunFolder
from ..runs.saved_model import model_folder, read_record


def conditions_of(run: str | Path, texts: Sequence[str]) -> list[tuple[str, Any]]:
    """Resolve typed conditions to (name for files, image file, text or raw tensor); `test:3` is a data item of the run.

    Raises:
        DataError: a text is neither an existing file nor an existing item.
    """
    found: list[tuple[str, Any]] = []
    in_words = not condition_from_mapping(read_record(model_folder(Path(run))).condition).suffixes
    for text in texts:
        split, _, number = text.partition(":")
        if in_words and not names_item(text):
            found.append((file_name(text), text))
        elif (item := item_of(run, text)) is None:
            found.append((Path(text).stem, Path(text)))
        else:
            found.append((f"{split}{number}", item[0]))
    return found


def real_image_of(run: str | Path, text: str) -> Tensor | None:
    """The image of an item such as `test:3`, uint8 (C, H, W); None for other conditions, whose image is not known."""
    item = item_of(run, text) if names_item(text) else None
    return None if item is None else item[1]


def names_item(text: str) -> bool:
    split, _, number = text.partition(":")
    return split in SPLITS and number.isdecimal()


def masked_conditions_of(run: str | Path, texts: Sequence[str], mask: Path | None) -> list[tuple[str, Any]]:
    """As `conditions_of`; with a mask, a pair of the image and the mask: an item's own image, as it is without a hole.

    Raises:
        DataError: as for `conditions_of`, or there is a mask and more than one condition.
    """
    if mask is None:
        return conditions_of(run, texts)
    if len(texts) != 1:
        raise DataError(f"--mask {mask}: belongs to a single condition, but {len(texts)} are given; give one")
    [(name, image, _)] = images_of(run, texts)
    return [(name, (image, mask))]


def images_of(run: str | Path, texts: Sequence[str]) -> list[tuple[str, Any, Tensor | None]]:
    """Resolve typed images to (name for files, image file or raw tensor, raw condition of an item such as `test:3`).

    Raises:
        DataError: an item does not exist.
    """
    items = [(text, item_of(run, text)) for text in texts]
    return [
        (Path(text).stem, Path(text), None) if item is None else (text.replace(":", ""), item[1], item[0])
        for text, item in items
    ]


def item_of(run: str | Path, text: str) -> tuple[Tensor, Tensor] | None:
    """Load the raw condition and image of an item of the run's data such as `test:3`; None for files and other text.

    Raises:
        DataError: the item does not exist.
    """
    split, _, number = text.partition(":")
    if not number.isdecimal() or Path(text).exists():
        return None
    pairs = RunFolder(run).pairs(split)
    if int(number) >= len(pairs):
        raise DataError(f"{text}: {pairs.name} has {len(pairs)} pairs in {split}, the last is {split}:{len(pairs) - 1}")
    return pairs.raw(int(number))


def file_name(text: str) -> str:
    """Return the name used in file names for a condition in words: cat for class:cat, e-3 for vector:dir/e.npy:3."""
    return re.sub(r"[^\w-]+", "-", re.sub(r"(class|vector):|[^:+]*/|\.(npy|npz|safetensors|png|jpe?g)", "", text))
