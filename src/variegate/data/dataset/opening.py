"""Open data from a user's path: a folder, recognised by its contents, arrays, or procedural streets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from ...core.config import Config, from_mapping
from ...core.errors import DataError
from ...core.interfaces import Size
from ..conditions import Condition, ImageCondition
from ..conditions.class_label import class_numbers
from ..conditions.spec import ConditionSpec, SpecField, spec_of
from ..files.images import WHITE
from ..readers.arrays import find_arrays
from ..readers.direction import check_direction, choose_direction
from ..readers.items import SPLITS, Direction, Folder, hold_out
from ..readers.remembered import recognise_any
from ..readers.shards import settings_of_shards
from ..readers.two_sides import named_folders
from ..streets.streets import Streets, Variant
from .arrays import open_arrays
from .choice import depth_problems, fits_model, folder_condition, streets_condition, with_white
from .origins import Files, Procedural, native_size, renumbered
from .pairs import DataSource, Pairs

STREETS_COUNT, STREETS_SIZE = 2000, (64, 64)
VARIANTS: dict[str, Variant] = {"plain": "plain", "skewed": "skewed", "hours": "hours"}


class DataConfig(Config):
    """The settings for reading data.

    Raises:
        DataError: the condition, direction or size is invalid.
    """

    path: str = Field(
        description="a folder, condition=DIR,image=DIR, an .npz file, streets[:COUNT][:VARIANT], digits or "
        "cifar10[:FOLDER]"
    )
    size: Size | None = Field(None, description="H, W; default: that of the arrays, or of the image of median area")
    direction: Direction | None = Field(None, description="which of A and B is the condition; default: the flatter one")
    condition: SpecField | None = Field(
        None, description="edges, superres:4, class+edges, ...; default: recognised from the data"
    )
    unpaired: bool = Field(False, description="whether conditions and images are unpaired")
    grey: bool | None = Field(None, description="whether images have one channel; default: as in the data")
    white_level: int | None = Field(
        None, ge=1, le=65535, description="the value of white in 16-bit files, such as 4095 for 12 bits"
    )

    @field_validator("path", mode="before")
    @classmethod
    def _in_words(cls, path: Any) -> Any:
        return path_in_words(path)

    @field_validator("size", mode="before")
    @classmethod
    def _both_sides(cls, size: Any) -> Any:
        shape = (size, size) if isinstance(size, int) else size
        if isinstance(shape, tuple | list) and all(isinstance(side, int) for side in shape) and min(shape) < 1:
            raise DataError(f"size must be at least one pixel, got {tuple(shape)}")
        return shape

    @field_validator("direction", mode="before")
    @classmethod
    def _known(cls, direction: Any) -> Any:
        return check_direction(direction)

    def open(self, split: str = "train", given: Condition | None = None) -> Pairs:
        """Open one split; see `source`."""
        return Pairs(self.source(given), split)

    def source(
        self, given: Condition | None = None, direction: Direction | None = None, whole: bool = False
    ) -> DataSource:
        """Open all splits.

        Args:
            given: the condition of a trained model, used instead of recognising one.
            direction: that of a trained model, used where neither the settings nor names tell.
            whole: hold nothing out, since nothing is trained on these.

        Raises:
            DataError: the folder or a file cannot be used.
        """
        spec = self.condition if given is None else spec_of(given)
        drawn = is_streets(self.path)
        if self.unpaired and spec is not None and not (drawn and spec.stored and spec.derived is None):
            spec.check_unpaired()
        if drawn:
            return self._streets(spec, given)
        return self._arrays(spec, given, whole) or self._folder(spec, given, direction, whole)

    def _streets(self, spec: ConditionSpec | None, given: Condition | None) -> DataSource:
        if self.grey:
            raise DataError(
                "streets cannot be read in grey, as required by --grey or by a model of grey images, because colours "
                "determine their factors; use other data"
            )
        if self.direction is not None:
            raise DataError(f"{self.path}: streets have no direction; omit --direction {self.direction}")
        number, variant = self._which_streets()
        size = self.size or STREETS_SIZE
        condition = streets_condition(given, spec, size)
        counts = {name: number if name == "train" else max(1, min(200, number // 10)) for name in SPLITS}
        origins = {
            name: Procedural(Streets(size, n, split=name, variant=variant), condition, self.unpaired)
            for name, n in counts.items()
        }
        what = "street layouts" if spec is None else f"streets, with the condition {str(spec)!r},"
        how = {"plain": "", "skewed": " of skewed odds", "hours": ", at any hour"}[variant]
        told = f"{'unpaired: ' if self.unpaired else ''}{what} generated procedurally, with known factors{how}: "
        told += ", ".join(f"{n} {s}" for s, n in counts.items())
        named = "streets" if variant == "plain" else f"streets, {variant}"  # whose modes have other odds
        return DataSource(named, origins, condition, size, told, self.unpaired)

    def _which_streets(self) -> tuple[int, Variant]:
        """The number of training pairs and the variant in `streets:COUNT:VARIANT`."""
        parts = self.path.split(":")[1:]
        variant = VARIANTS[parts.pop()] if parts and parts[-1] in VARIANTS else "plain"
        count = ":".join(parts)
        if count and not (count.isdecimal() and int(count) > 0):
            raise DataError(
                f"{self.path}: expected streets:COUNT, such as streets:500, or streets:500:skewed (streets:500:hours)"
            )
        return int(count or STREETS_COUNT), variant

    def _arrays(self, spec: ConditionSpec | None, given: Condition | None, whole: bool) -> DataSource | None:
        """Open arrays of images; None if the path is anything else."""
        arrays = find_arrays(self.path)
        if arrays is None:
            return None
        if self.direction is not None or self.unpaired:
            raise DataError(
                f"{self.path}: has arrays of images, which have no direction and cannot be unpaired; omit the option"
            )
        return open_arrays(arrays, spec, given, self.size, self.grey, whole)

    def _folder(
        self, spec: ConditionSpec | None, given: Condition | None, before: Direction | None, whole: bool
    ) -> DataSource:
        folder = recognise_any(self.path, spec, self.unpaired)
        refuse_problems([*folder.problems, *depth_problems(folder, self.white_level)])
        white = self.white_level or WHITE
        way, why = directed(folder, self.direction, self.white_level, before)
        splits = folder.splits if whole else hold_out(folder.splits)
        size = self.size or native_size(next(iter(splits.values())))
        condition = given or with_white(folder_condition(folder, spec, way, size), white)
        fits_model(condition, folder)
        reader = ImageCondition(channels=1 if self.grey else 3, white_level=white)
        numbers = class_numbers(condition, folder.classes, str(folder.root))
        origins = {name: Files(renumbered(items, numbers), condition, way, reader) for name, items in splits.items()}
        counts = ", ".join(f"{len(items)} {name}" for name, items in splits.items())
        told = f"{folder.structure}{why}: {counts}"
        source = DataSource(
            folder.name or folder.root.name, origins, condition, size, told, self.unpaired, 1 if self.grey else 3
        )
        return replace(source, direction=way if why else None, seen=folder.seen)


def open_data(
    path: str | Path | Mapping[str, str | Path],
    size: int | Size | None = None,
    split: str = "train",
    condition: str | ConditionSpec | Condition | None = None,
    **settings: Any,
) -> Pairs:
    """Recognise a folder or a file of arrays and open one split of it.

    If a folder has train but no val, the last 10 % of train (1 to 100 pairs) become val. For unpaired
    data, trainA and trainB are used as they are: item i has the image i * STEP modulo their number, and there are as
    many items as the larger side has. Paired data are unpaired in the same way.

    Args:
        path: see `DataConfig`, also for the settings: `direction`, `unpaired`, `grey`.
        condition: as for `--condition`, or the condition of a trained model.

    Raises:
        DataError: the folder or a file cannot be used.
    """
    given = condition if isinstance(condition, Condition) else None
    values = {"path": path, "size": size, "condition": None if given else condition, **settings}
    values = settings_of_shards(path_in_words(path)) | {name: one for name, one in values.items() if one is not None}
    return from_mapping(DataConfig, values, "data").open(split, given)


def refuse_problems(problems: list[str]) -> None:
    """Raise DataError with the first problem, if there are any."""
    if problems:
        more = len(problems) - 1
        raise DataError(problems[0] + (f" (and {more} more problems: variegate data check)" if more else ""))


def directed(
    folder: Folder, asked: Direction | None, white: int | None = None, before: Direction | None = None
) -> tuple[Direction, str]:
    """Which of A and B is the condition of a folder, and a clause that says why, empty if there is no choice."""
    if folder.kind in ("halves", "images"):
        way, why = choose_direction(folder, asked, white, before)
        return way, f", {folder.sides[way == 'BtoA']} is the condition ({why})"
    if asked is not None:
        raise DataError(f"{folder.root}: direction {asked} does not apply to {folder.structure}; omit it")
    return "AtoB", ""


def path_in_words(path: str | Path | Mapping[str, str | Path]) -> str:
    """A path as text, as in `DataConfig`: {"condition": DIR, "image": DIR} becomes "condition=DIR,image=DIR"."""
    if not isinstance(path, Mapping):
        return str(path)
    if set(path) != {"condition", "image"}:
        raise DataError(f"data {dict(path)}: expected two folders: {{'condition': DIR, 'image': DIR}}")
    return f"condition={path['condition']},image={path['image']}"


def absolute(path: str) -> str:
    """Make paths of data absolute; return what is not a folder or file, such as streets:40, unchanged."""
    if (named := named_folders(path)) is not None:
        return path_in_words({"condition": named[0].absolute(), "image": named[1].absolute()})
    name, colon, place = path.partition(":")
    if colon and name == "cifar10":
        return f"{name}:{Path(place).absolute()}"
    return str(Path(path).absolute()) if Path(path).exists() else path


def is_there(path: str) -> bool:
    """Whether the folders or files that data were read from exist; True for data without files."""
    places = named_folders(path) or (Path(path.removeprefix("cifar10:")),)
    return all(place.exists() or not place.is_absolute() for place in places)


def is_streets(path: str | Path) -> bool:
    """Whether `path` means the procedural set, "streets" or "streets:COUNT"; a folder with that name has precedence."""
    return str(path).partition(":")[0] == "streets" and not Path(path).is_dir()
