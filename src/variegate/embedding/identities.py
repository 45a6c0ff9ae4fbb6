"""A folder of people: one sub-folder each, with two images or more; who is in which batch, and who is held out."""

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
LIGHT = ((0.8, 1.25), (-0.15, 0.15))  # factor and summand of an image's values
LEAST = 4  # people: two to learn from, and two that are never seen, to measure with


@dataclass(frozen=True)
class Identities:
    """Images of people, all of one size and in memory.

    Attributes:
        images: uint8 (N, 3, H, W), a person's side by side.
        people: (N,) who each shows, a place in `names`.
    """

    names: tuple[str, ...]
    images: Tensor
    people: Tensor

    def of(self, first: int, end: int) -> Self:
        """The people first .. end - 1, counted from 0 again."""
        rows = (self.people >= first) & (self.people < end)
        return type(self)(self.names[first:end], self.images[rows], self.people[rows] - first)

    def split(self) -> tuple[Self, Self]:
        """Those to learn from, and those never seen: the last tenth of the names, 2 to 100 of them."""
        held = max(2, min(100, len(self.names) // 10))
        return self.of(0, len(self.names) - held), self.of(len(self.names) - held, len(self.names))

    def batch(self, seed: int, step: int, people: int, images: int) -> tuple[Tensor, Tensor]:
        """P people x K images (fewer of those who have fewer): images (B, 3, H, W) in [-1, 1] and people (B,).

        A function of (seed, step). Images are changed as in `varied`.
        """
        rng = np.random.Generator(np.random.Philox(key=np.array([seed, _BATCH_WORD + step], dtype=np.uint64)))
        rows = []
        for person in order(len(self.names), seed, step)[:people]:
            own = (self.people == int(person)).nonzero().flatten().numpy()
            rows.append(rng.permutation(own)[:images])
        chosen = np.concatenate(rows)
        return vary(to_float(self.images[chosen]), rng), self.people[chosen]


def vary(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Half of (B, 3, H, W) mirrored; all moved by up to a sixteenth and made lighter, darker, flatter or starker."""
    reach = max(1, images.shape[-1] // 16)
    mirrored = torch.from_numpy(rng.random(len(images)) < 0.5).view(-1, 1, 1, 1)
    gain, bias = (torch.from_numpy(rng.uniform(*ends, (len(images), 1, 1, 1))).float() for ends in LIGHT)
    moves = rng.integers(0, 2 * reach + 1, (len(images), 2))
    images = torch.where(mirrored, images.flip(-1), images) * gain + bias
    wide = torch.nn.functional.pad(images, (reach,) * 4, mode="replicate")
    height, width = images.shape[-2:]
    return torch.stack([one[:, y : y + height, x : x + width] for one, (y, x) in zip(wide, moves.tolist())])


def read_identities(root: Path, size: Size) -> Identities:
    """Every person of a folder, in the order of their names.

    Raises:
        DataError: no such folder, no sub-folders, fewer than four people, one with a single image, or a file that
            cannot be read.
    """
    if not root.is_dir():
        raise DataError(f"{root}: there is no such folder; give one that holds a folder of images for each person")
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    files = {folder: image_files.images_in(folder) for folder in folders}
    if not folders:
        raise DataError(f"{root}: has no sub-folders; the images of each person belong into a folder of their own")
    lonely = [folder for folder, own in files.items() if len(own) < 2]
    if lonely:
        count = "a single image" if files[lonely[0]] else "no images"
        more = f", as {len(lonely) - 1} more do" if len(lonely) > 1 else ""
        raise DataError(f"{lonely[0]}: has {count}{more}; a person needs two or more, so add some or take it away")
    if len(folders) < LEAST:
        people = "person" if len(folders) == 1 else "people"
        raise DataError(
            f"{root}: shows {len(folders)} {people}, but {LEAST} are needed at least: two to tell apart and two to "
            "measure with, who are never seen"
        )
    planes = [read(file, size) for own in files.values() for file in own]
    shown = np.repeat(np.arange(len(folders)), [len(own) for own in files.values()])
    names = tuple(folder.name for folder in folders)
    return Identities(names, torch.from_numpy(np.stack(planes)), torch.from_numpy(shown))


def read(file: Path, size: Size | None) -> NDArray[np.uint8]:
    """An image as uint8 (3, H, W); at its own size for None."""
    pixels = image_files.read_image(file)
    return (pixels if size is None else image_files.resize(pixels, size, nearest=False)).transpose(2, 0, 1)
