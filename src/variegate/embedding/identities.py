"""A folder of people, with a sub-folder of two or more images for each; batches and the held-out split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.errors import DataError
from ..core.images import to_float
from ..core.interfaces import Size
from ..data.dataset.sampler import order
from ..data.files import images as image_files

_BATCH_WORD = 2**62  # far from the second words of `data.sampler`
LIGHT = ((0.8, 1.25), (-0.15, 0.15))  # ranges of the gain and bias of an image's values
LEAST = 4  # people: two to train on, and two held out for evaluation


@dataclass(frozen=True)
class Identities:
    """Images of people, all of one size and in memory.

    Attributes:
        images: uint8 (N, 3, H, W), grouped by person.
        people: (N,) the person in each image, as an index into `names`.
    """

    names: tuple[str, ...]
    images: Tensor
    people: Tensor

    def of(self, first: int, end: int) -> Self:
        """The people first .. end - 1, renumbered from 0."""
        rows = (self.people >= first) & (self.people < end)
        return type(self)(self.names[first:end], self.images[rows], self.people[rows] - first)

    def split(self) -> tuple[Self, Self]:
        """People to train on, and held-out people: the last tenth of the names, at least 2 and at most 100."""
        held = max(2, min(100, len(self.names) // 10))
        return self.of(0, len(self.names) - held), self.of(len(self.names) - held, len(self.names))

    def batch(self, seed: int, step: int, people: int, images: int) -> tuple[Tensor, Tensor]:
        """P people x K images (fewer for people with fewer): images (B, 3, H, W) in [-1, 1] and people (B,).

        A function of (seed, step). Images are augmented by `vary`.
        """
        rng = np.random.Generator(np.random.Philox(key=np.array([seed, _BATCH_WORD + step], dtype=np.uint64)))
        rows = []
        for person in order(len(self.names), seed, step)[:people]:
            own = (self.people == int(person)).nonzero().flatten().numpy()
            rows.append(rng.permutation(own)[:images])
        chosen = np.concatenate(rows)
        return vary(to_float(self.images[chosen]), rng), self.people[chosen]


def vary(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Augment images (B, 3, H, W): mirror half of them, shift all by up to 1/16, and vary brightness and contrast."""
    reach = max(1, images.shape[-1] // 16)
    mirrored = torch.from_numpy(rng.random(len(images)) < 0.5).view(-1, 1, 1, 1)
    gain, bias = (torch.from_numpy(rng.uniform(*ends, (len(images), 1, 1, 1))).float() for ends in LIGHT)
    moves = rng.integers(0, 2 * reach + 1, (len(images), 2))
    images = torch.where(mirrored, images.flip(-1), images) * gain + bias
    wide = torch.nn.functional.pad(images, (reach,) * 4, mode="replicate")
    height, width = images.shape[-2:]
    return torch.stack([one[:, y : y + height, x : x + width] for one, (y, x) in zip(wide, moves.tolist())])


def read_identities(root: Path, size: Size) -> Identities:
    """Read every person of a folder, in the order of their names.

    Raises:
        DataError: no such folder, no sub-folders, fewer than four people, someone with fewer than two images, or a file
            that cannot be read.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give one that contains a folder of images for each person")
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    files = {folder: image_files.images_in(folder) for folder in folders}
    if not folders:
        raise DataError(f"{root}: has no sub-folders; put the images of each person in a sub-folder")
    lonely = [folder for folder, own in files.items() if len(own) < 2]
    if lonely:
        count = "only one image" if files[lonely[0]] else "no images"
        more = f" (and {len(lonely) - 1} more folders have too few)" if len(lonely) > 1 else ""
        raise DataError(
            f"{lonely[0]}: has {count}{more}; a person needs at least two, so add images or remove the folder"
        )
    if len(folders) < LEAST:
        people = "person" if len(folders) == 1 else "people"
        raise DataError(
            f"{root}: has {len(folders)} {people}, but needs at least {LEAST}: two to train on and two held out for "
            "evaluation"
        )
    planes = [read(file, size) for own in files.values() for file in own]
    shown = np.repeat(np.arange(len(folders)), [len(own) for own in files.values()])
    names = tuple(folder.name for folder in folders)
    return Identities(names, torch.from_numpy(np.stack(planes)), torch.from_numpy(shown))


def read(file: Path, size: Size | None) -> NDArray[np.uint8]:
    """Read an image as uint8 (3, H, W); at its own size if `size` is None."""
    pixels = image_files.read_image(file)
    return (pixels if size is None else image_files.resize(pixels, size, nearest=False)).transpose(2, 0, 1)
