"""Pairs of condition and image, from a folder that is recognised by what is in it or from the streets set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from torch import Tensor
from torch.utils.data import Dataset

from ...core.errors import DataError, did_you_mean
from ...core.interfaces import Size
from ..conditions.asked import words_of
from ..conditions.labels import AnyCondition, Labels, Picture
from ..conditions.metadata import part_of, stated, translated
from ..derived.derived import check_size, derive
from ..derived.masks import Masks, open_masks
from ..readers.direction import choose_direction
from ..readers.folders import hold_out, recognise
from ..readers.items import SPLITS, Direction, Folder
from .arrays import find_arrays, open_arrays
from .choice import fits_model, spec_of, streets_condition
from .origins import Files, Origin, Procedural, item_number, native_size, renumbered

CACHE_BYTES = 1 << 30
STREETS_COUNT, STREETS_SIZE = 2000, (64, 64)


class Pairs(Dataset[tuple[Tensor, Tensor]]):
    """A map-style data set of raw pairs, integers, all at one size. Pairs that were loaded once stay in memory.

    Attributes:
        condition: what the conditions are; saved with the model.
        size: (H, W) of every pair.
        description: one sentence about what was recognised.
        splits: names of the splits there are.
        files: one name for each pair of this split.
        unpaired: condition and image of an item do not belong together.
        masks: those of inpaint:FOLDER.
        image_channels: 3 of colour pictures, 1 of grey ones.
    """

    def __init__(
        self,
        name: str,
        origins: Mapping[str, Origin],
        split: str,
        condition: AnyCondition,
        size: Size,
        description: str,
        cache_bytes: int = CACHE_BYTES,
        unpaired: bool = False,
        masks: Masks | None = None,
        image_channels: Literal[1, 3] = 3,
    ) -> None:
        if split not in origins:
            raise DataError(f"{name}: has no split {split!r}; {did_you_mean(split, origins)}")
        self.name, self.split, self.splits = name, split, tuple(origins)
        self.condition, self.size, self.description = condition, size, description
        self.unpaired, self.masks, self.files = unpaired, masks, list(origins[split].names)
        self.image_channels = image_channels
        self._part = part_of(condition, Picture)
        self.derived = self._part.derived if self._part is not None else None
        check_size(self.derived, size, name)
        self._origins, self._cache_bytes = origins, cache_bytes
        self._cache: dict[int, tuple[Tensor, Tensor]] = {}

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.raw(index)

    def raw(self, index: int) -> tuple[Tensor, Tensor]:
        """Condition (c, H, W), as `condition.read` returns it, and image uint8 (3 or 1, H, W). Kept in memory up to
        1 GB; do not write to them.

        Raises:
            DataError: the file cannot be read or its labels are out of range.
        """
        self._must_have(index)
        if index in self._cache:
            return self._cache[index]
        condition, image = self._origins[self.split].load(index, self.size)
        pair = (self.made(condition, index) if self.derived else condition), image
        if (len(self._cache) + 1) * sum(map(held, pair)) <= self._cache_bytes:
            self._cache[index] = pair
        return pair

    def made(self, picture: Tensor, index: int) -> Tensor:
        """The derived condition (c, H, W) of pair `index`, made from a picture (3, H, W) of any size."""
        assert self._part is not None
        assert self.derived is not None
        pixels = picture.permute(1, 2, 0).contiguous().numpy()
        made = self._part.tensor(derive(self.derived, pixels, item_number(self.split, index), self.masks))
        if self._part is self.condition:
            return made
        facts = self._origins[self.split].facts(index)
        return stated(self.condition, facts, (made.shape[1], made.shape[2]), made)

    def layout(self, index: int) -> Tensor | None:
        """The class map uint8 (1, H, W) of a street at the pairs' size, whatever the condition is; else None."""
        self._must_have(index)
        return self._origins[self.split].layout(index, self.size)

    def _must_have(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise IndexError(f"{self.name} has {len(self)} pairs in {self.split}, there is no pair {index}")

    def __getstate__(self) -> dict[str, Any]:
        """Without the cache: workers that are spawned would copy it."""
        return {**self.__dict__, "_cache": {}}

    def validation(self) -> Pairs:
        """Pairs of "val" (which may have been held out of train), else of "test", else these themselves."""
        return self.of_split(next((name for name in ("val", "test") if name in self.splits), self.split))

    def of_split(self, split: str) -> Pairs:
        """The pairs of another split."""
        return self if split == self.split else self._copy(split, self.size)

    def resized(self, size: Size) -> Pairs:
        """The same pairs at another size."""
        return self if size == self.size else self._copy(self.split, size)

    def underived(self) -> Pairs:
        """The same pairs, in place of each derived condition the picture (3, H, W) that it is made from."""
        return self._copy(self.split, self.size, Picture(derived="self")) if self.derived else self

    def _copy(self, split: str, size: Size, condition: Picture | None = None) -> Pairs:
        numbers = (condition or self.condition, size, self.description, self._cache_bytes, self.unpaired, self.masks)
        return Pairs(self.name, self._origins, split, *numbers, self.image_channels)


def held(tensor: Tensor) -> int:
    """Bytes of memory that a tensor takes; a view of constant planes takes next to none."""
    size = tensor.element_size()
    for length, stride in zip(tensor.shape, tensor.stride()):
        size *= length if stride else 1
    return size


def open_data(
    path: str | Path,
    size: int | Size | None = None,
    split: str = "train",
    direction: Direction | None = None,
    condition: str | AnyCondition | None = None,
    unpaired: bool = False,
    grey: bool | None = None,
) -> Pairs:
    """Recognise a folder or a file of arrays and open one split of it.

    A folder with train but neither val nor test gets a val split: the last 10 % of train (1 to 100 pairs), which
    train then lacks.

    Args:
        path: a folder, an .npz file, "streets", "streets:COUNT", "digits", "cifar10" or "cifar10:FOLDER".
        size: both sides, or (H, W); if not given that of arrays, or the first image's, rounded down to multiples of 8.
        direction: which half or folder of A and B is the condition; the flatter one if not given.
        condition: how to derive it from plain pictures or streets (edges, grey, self, superres:4, inpaint,
            inpaint:centre, inpaint:FOLDER of masks); class, vectors:FILE, or none; several of these joined by +;
            landmarks, landmarks:HEAT or normals, to look for these; or the condition of a trained model, which is then
            used instead of looking for classes.
        unpaired: conditions and images do not belong together: trainA and trainB are taken as they are, item i has the
            image i * STEP modulo their number, and there are as many items as the longer side has. What would be paired
            is taken apart in the same way.
        grey: images get one channel; as in the data unless given: arrays may be grey, files are read as colour.

    Raises:
        DataError: what is wrong with the folder or a file, and what would be right.
    """
    shape = (size, size) if isinstance(size, int) else size
    if shape is not None and min(shape) < 1:
        raise DataError(f"size {shape}: must be at least one pixel")
    given = None if isinstance(condition, str | None) else condition
    words = condition if isinstance(condition, str) else words_of(given)
    if is_streets(path):
        if grey:
            raise DataError(
                "streets: their factors are told by colour, so they cannot be read in grey, as --grey or a model "
                "of grey pictures wants; give other data"
            )
        shape = shape or STREETS_SIZE
        return _streets(str(path), shape, split, streets_condition(given, words, unpaired, shape), unpaired)
    arrays = find_arrays(path)
    if arrays is not None:
        if direction is not None or unpaired:
            raise DataError(
                f"{path}: has arrays of images, which have no direction and cannot be unpaired; leave it out"
            )
        opened = open_arrays(arrays, words, given, shape, grey)
        masks = masks_of(opened.condition, opened.size)
        what = (opened.condition, opened.size, opened.description)
        return Pairs(arrays.name, opened.origins, split, *what, masks=masks, image_channels=opened.image_channels)
    folder = recognise(path, words, unpaired)
    if folder.problems:
        more = len(folder.problems) - 1
        raise DataError(folder.problems[0] + (f" (and {more} more problems: variegate data check)" if more else ""))
    way, why = _direction(folder, direction)
    splits = hold_out(folder.splits)
    shape = shape or native_size(next(iter(splits.values())), folder.kind)
    spec = given or spec_of(folder, words, way, shape)
    fits_model(spec, folder)
    channels: Literal[1, 3] = 1 if grey else 3
    numbers = translated(spec, folder.classes, str(folder.root))
    origins = {
        name: Files(renumbered(items, numbers), folder.kind, spec, way, channels) for name, items in splits.items()
    }
    counts = ", ".join(f"{len(items)} {name}" for name, items in splits.items())
    told = f"{folder.structure}{why}: {counts}"
    masks = masks_of(spec, shape)
    return Pairs(folder.root.name, origins, split, spec, shape, told, CACHE_BYTES, unpaired, masks, channels)


def masks_of(condition: AnyCondition, size: Size) -> Masks | None:
    """The masks of inpaint:FOLDER, if a condition or a part of it needs some."""
    part = part_of(condition, Picture)
    return None if part is None else open_masks(part.derived, size)


def _direction(folder: Folder, asked: Direction | None) -> tuple[Direction, str]:
    if folder.kind in ("halves", "pictures"):
        way, why = choose_direction(folder, asked)
        return way, f", {way[0]} is the condition ({why})"
    if asked is not None:
        raise DataError(f"{folder.root}: is {folder.structure}, so direction {asked} has no meaning; leave it out")
    return "AtoB", ""


def is_streets(path: str | Path) -> bool:
    """Whether "streets" or "streets:COUNT" means the procedural set; a folder of that name comes first."""
    return str(path).partition(":")[0] == "streets" and not Path(path).is_dir()


def _streets(path: str, size: Size, split: str, condition: AnyCondition, unpaired: bool) -> Pairs:
    _, _, number = path.partition(":")
    if number and not (number.isdecimal() and int(number) > 0):
        raise DataError(f"{path}: write streets:COUNT, such as streets:500")
    count = int(number or STREETS_COUNT)
    held = max(1, min(200, count // 10))
    counts = {name: count if name == "train" else held for name in SPLITS}
    origins = {name: Procedural(size, n, name, condition, unpaired) for name, n in counts.items()}
    what = f"streets, with the condition {words_of(condition)!r},"
    what = "street layouts" if isinstance(condition, Labels) else what
    words = f"{'unpaired: ' if unpaired else ''}{what} drawn by a procedure, with known factors: "
    words += ", ".join(f"{n} {s}" for s, n in counts.items())
    masks = masks_of(condition, size)
    return Pairs("streets", origins, split, condition, size, words, unpaired=unpaired, masks=masks)
