"""The used part of the files of a pair: all of them, or what lies in the box of its item.

A condition as large as the whole image is cropped like it; one as large as the box is taken to be cropped already.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.errors import DataError
from ...core.interfaces import Size
from ..conditions import Labels, Normals
from ..files import images as image_files
from ..files.blobs import File
from ..files.boxes import size_within, within
from ..files.sources import Source
from ..readers.items import Item

Pixels = image_files.Pixels


def size_of(item: Item) -> Size:
    """(H, W) of the used part of an image."""
    size = image_files.size_of(item.image)
    if size is None:
        height, width = cut_out(item).shape[:2]
        return height, width
    return size if item.box is None else size_within(size, item.box, str(item.image))


def cut_out(item: Item, white: int = image_files.WHITE) -> Pixels:
    """Read the used part of an image: (H, W, 3); `white` is the value of white in 16 bits."""
    pixels = image_files.read_image(item.image, white=white)
    return pixels if item.box is None else within(pixels, item.box, str(item.image))


def source_of(item: Item, white: int = image_files.WHITE) -> Source:
    """The image of an item, as a condition can read it."""
    return item.image if item.box is None else cut_out(item, white)


def other_of(item: Item, white: int = image_files.WHITE) -> Source:
    """The image that is an item's condition, as a condition can read it."""
    assert item.condition is not None
    if item.box is None:
        return item.condition
    return like_image(image_files.read_image(item.condition, white=white), item, item.condition)


def labels_of(item: Item, condition: Labels, instances: bool) -> Source:
    """The label map of an item, with its instance map if there is one and `instances`, as the condition can read it."""
    assert item.condition is not None
    whole = (item.condition, item.instances) if instances and item.instances is not None else item.condition
    if item.box is None:
        return whole
    pixels = like_image(condition.pixels(whole, str(item.condition)), item, item.condition)
    planes: Tensor = torch.from_numpy(np.atleast_3d(pixels).transpose(2, 0, 1).copy())
    return planes


def normals_of(item: Item, condition: Normals) -> NDArray[Any]:
    """Read unit vectors (H, W, 3); those of a whole image are cropped like the image, others are of its used part."""
    file = item.condition if item.normals is None else item.normals
    assert file is not None
    vectors = condition.pixels(file, str(file))
    whole = item.box is not None and vectors.shape[:2] == image_files.size_of(item.image)
    return like_image(vectors, item, file) if whole else vectors


def like_image(values: NDArray[Any], item: Item, file: File) -> NDArray[Any]:
    """Crop the values (H, W) or (H, W, c) of another file of an item like its image.

    Raises:
        DataError: they are neither as large as the whole image nor as its box.
    """
    if item.box is None:
        return values
    whole = image_files.size_of(item.image)
    if values.shape[:2] == whole:
        return within(values, item.box, str(item.image))
    if whole is not None and values.shape[:2] != (part := size_within(whole, item.box, str(item.image))):
        raise DataError(
            f"{file}: is {values.shape[1]}x{values.shape[0]}, but its image {item.image} is {whole[1]}x{whole[0]}, and "
            f"{part[1]}x{part[0]} in its box; save both at one size"
        )
    return values


def halves(file: File, white: int = image_files.WHITE) -> tuple[Pixels, Pixels]:
    """Left and right half (H, W, 3) of an image twice as wide as high; `white` is the value of white in 16 bits."""
    both = image_files.read_image(file, white=white)
    height, width = both.shape[:2]
    if width != 2 * height:
        raise DataError(f"{file}: is {width}x{height}, but A|B images must be exactly twice as wide as high")
    return both[:, :height], both[:, height:]
