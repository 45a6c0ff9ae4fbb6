"""Streets: the built-in data set. Label maps of streets, painted with known hidden factors.

Nothing is stored and nothing is downloaded: item i of (seed, split) is drawn on demand. The factors are
independent of the layout and of each other with the odds in FACTORS, so the true p(image | layout) is known, and `read`
recovers the factors from any image of a layout, generated ones included.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from ...core.errors import DataError, did_you_mean
from ...core.files import replacing_folder
from .factors import Reading, read
from .geometry import survey
from .paint import enlarge, render
from .scene import CLASSES, FACTORS, OVERSAMPLING, PALETTE, Bytes, Factor, draw_labels, draw_passing_car

__all__ = [
    "CLASSES",
    "FACTORS",
    "PALETTE",
    "Factor",
    "Reading",
    "Streets",
    "export",
    "moving_car",
    "odds",
    "paint",
    "read",
]

SPLITS = ("train", "val", "test")
Variant = Literal["plain", "skewed", "hours"]
SKEW = 3  # power of the odds
GEOMETRY, CAUSES, TEXTURE = range(1, 4)  # independent streams of an item; 0 is for codes of the same (seed, index)


class Streets(Dataset[tuple[Tensor, Tensor]]):
    """Pairs (layout uint8 (1, H, W), image uint8 (3, H, W)), kept in memory after their first use.

    Args:
        size: H and W, each divisible by 8, at least 16.
        split: items of different splits never share a random stream: item i of split number s (train 0, val 1, test 2)
            draws from the counter (seed, s * 2^40 + i). `count` can therefore change without changing any item.
        variant: skewed streets have the cubes of the odds, so that rare values are rarer still; those of hours any time
            from day (0) over dusk (1) to night (2), all equally likely. Layouts are the same.
    """

    classes = CLASSES
    palette = PALETTE

    def __init__(
        self,
        size: tuple[int, int] = (64, 64),
        count: int = 2000,
        seed: int = 0,
        split: str = "train",
        variant: Variant = "plain",
    ) -> None:
        height, width = size
        if height % 8 or width % 8 or min(size) < 16:
            raise DataError(f"height and width of streets must be multiples of 8, at least 16, got {height} x {width}")
        if split not in SPLITS:
            raise DataError(f"streets have no split {split!r}; {did_you_mean(split, SPLITS)}")
        if count < 1:
            raise DataError(f"streets need at least one item, got count {count}")
        self.size, self.count, self.seed, self.split, self.variant = (height, width), count, seed, split, variant
        self.items: dict[int, tuple[Tensor, Tensor]] = {}

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        if i not in self.items:
            labels = draw_labels(self.size, self.stream(i, GEOMETRY))
            image = render(labels, self.factors(i), self.stream(i, TEXTURE))
            self.items[i] = centres(labels), torch.from_numpy(image)
        return self.items[i]

    def layout(self, i: int) -> Tensor:
        """Class ids, uint8 (1, H, W): the class at the centre of every pixel."""
        return self[i][0]

    def image(self, i: int) -> Tensor:
        """The image, uint8 (3, H, W)."""
        return self[i][1]

    def landmarks(self, i: int) -> npt.NDArray[np.float32]:
        """x, y (P, 2) of named points in pixels, NaN where one is absent, hidden or outside; see `geometry`."""
        return survey(self.size, self.stream(i, GEOMETRY)).landmarks()

    def normals(self, i: int) -> npt.NDArray[np.float32]:
        """Surface normals, unit vectors (H, W, 3), zero in the sky; see `geometry`."""
        return survey(self.size, self.stream(i, GEOMETRY)).normals()

    def factors(self, i: int) -> dict[str, float]:
        """The index of the hidden value of every factor; times of `hours` lie between indices."""
        return draw_factors(self.stream(i, CAUSES), self.variant)

    def stream(self, i: int, purpose: int) -> np.random.Generator:
        """The random stream of item i for one purpose."""
        if not 0 <= i < self.count:
            raise IndexError(f"streets have items 0 to {self.count - 1}, got {i}")
        return counter(self.seed, SPLITS.index(self.split) * 2**40 + i, purpose)


def centres(labels: Bytes) -> Tensor:
    """The class at the centre of every pixel: uint8 (1, H, W) of an oversampled label map."""
    middle = OVERSAMPLING // 2
    return torch.from_numpy(np.ascontiguousarray(labels[middle::OVERSAMPLING, middle::OVERSAMPLING]))[None]


def moving_car(size: tuple[int, int] = (64, 64), frames: int = 8, seed: int = 0) -> Tensor:
    """Layouts uint8 (frames, 1, H, W) of the street of test item 0, through which one car drives to the right.

    Raises:
        DataError: the size is not valid for streets, or there are so many frames that the car would not move in some.
    """
    street = Streets(size, 1, seed, "test")
    if not 2 <= frames <= size[1] // 2:
        raise DataError(f"frames must be 2 to {size[1] // 2} for a car to move across {size[1]} pixels, got {frames}")
    way = [i / (frames - 1) for i in range(frames)]
    return torch.stack([centres(draw_passing_car(street.size, t, street.stream(0, GEOMETRY))) for t in way])


def counter(seed: int, index: int, purpose: int) -> np.random.Generator:
    """Philox keyed by (seed, index); `purpose` is the highest word of its counter, so streams never overlap."""
    key = np.array([seed, index]).astype(np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, 0, purpose], np.uint64)))


def draw_factors(rng: np.random.Generator, variant: Variant = "plain") -> dict[str, float]:
    """The value of every factor, by its index."""
    chances, skew = rng.random(len(FACTORS)).tolist(), SKEW if variant == "skewed" else 1
    drawn: dict[str, float] = {factor.name: pick(factor, chance, skew) for factor, chance in zip(FACTORS, chances)}
    time = FACTORS[0]
    return drawn | {time.name: chances[0] * (len(time.values) - 1)} if variant == "hours" else drawn


def pick(factor: Factor, chance: float, skew: float = 1) -> int:
    """The value at which the cumulative odds, to the power of `skew`, pass `chance` in [0, 1)."""
    odds = np.array(factor.odds) ** skew
    return min(int(np.searchsorted(np.cumsum(odds / odds.sum()), chance, side="right")), len(odds) - 1)


def odds(names: Sequence[str] = ("time", "paint")) -> npt.NDArray[np.float64]:
    """Joint odds of the named factors, one axis each, in the order of `names`: ("time", "paint") gives (3, 4)."""
    return reduce(np.multiply.outer, [np.array(find(name).odds) for name in names])


def find(name: str) -> Factor:
    """The factor with this name."""
    table = {factor.name: factor for factor in FACTORS}
    if name not in table:
        raise DataError(f"streets have no factor {name!r}; {did_you_mean(name, table)}")
    return table[name]


def paint(layout: Tensor | Bytes, factors: Mapping[str, float], seed: int = 0) -> Tensor:
    """Paint any label map (H, W) or (1, H, W) of class ids 0 .. 7; returns uint8 (3, H, W).

    Factors that are not named take their first, most likely value; times may lie between two values. `seed` only
    changes the fine texture.
    """
    labels = np.asarray(layout).reshape(np.shape(layout)[-2:])
    if labels.min() < 0 or labels.max() >= len(CLASSES):
        raise DataError(
            f"class ids of a street layout must be 0 to {len(CLASSES) - 1}, got {labels.min()} to {labels.max()}"
        )
    for name, value in factors.items():
        if not 0 <= value <= len(find(name).values) - 1:
            raise DataError(f"factor {name!r} has values 0 to {len(find(name).values) - 1}, got {value}")
        if name != "time" and value != int(value):
            raise DataError(f"factor {name!r} has whole values only, got {value}; of the factors only time has others")
    return torch.from_numpy(render(enlarge(labels.astype(np.uint8)), factors, counter(seed, 0, TEXTURE)))


def export(folder: str | Path, *streets: Streets) -> Path:
    """Write splits as folders of PNGs, `train_label/00000.png` (class ids) with `train_img/00000.png`, and so on.

    `factors.json` next to them holds the hidden truth: names, values and odds of the factors and each file's values.
    The folder appears under its final name only once it is complete.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} already exists and is not empty; choose a new folder for the streets")
    if len({split.split for split in streets}) < len(streets):
        raise DataError("two of the streets to export have the same split; give each split once")
    truth: dict[str, Any] = {"classes": CLASSES, "palette": PALETTE, "factors": [f._asdict() for f in FACTORS]}
    try:
        with replacing_folder(folder) as partial:
            truth["files"] = {split.split: write_split(partial, split) for split in streets}
            (partial / "factors.json").write_text(json.dumps(truth, indent=1))
    except OSError as error:  # its own message would name the partial folder
        raise DataError(f"{folder} cannot be written ({error.strerror}); choose a writable folder") from None
    return folder


def write_split(folder: Path, streets: Streets) -> dict[str, dict[str, Any]]:
    """Write both PNGs of every item; returns the names of each file's factor values; a time in between is a number."""
    labels, images = folder / f"{streets.split}_label", folder / f"{streets.split}_img"
    labels.mkdir()
    images.mkdir()
    truth = {}
    for i in range(len(streets)):
        name = f"{i:05d}.png"
        layout, image = streets[i]
        Image.fromarray(layout[0].numpy(), "L").save(labels / name)
        Image.fromarray(image.permute(1, 2, 0).contiguous().numpy(), "RGB").save(images / name)
        truth[name] = {
            key: find(key).values[value] if isinstance(value, int) else value
            for key, value in streets.factors(i).items()
        }
    return truth
