"""Which images of the given folders a study shows: one for each method and condition."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from ...core.errors import DataError
from ...data.files.images import Pixels, images_in, read_image

NAMES = "name samples CONDITION-NUMBER.png, or put those of a condition into a folder of its name"
NUMBERED = re.compile(r"(.+)-\d+")
SAMPLED = re.compile(r"(.+)-\d+-\d+")
GRID = "grid"  # `variegate sample` writes a sheet of its samples beside them

Files = dict[str, list[Path]]  # samples by condition


@dataclass(frozen=True)
class Source:
    """One image, by method (None: real) and condition."""

    method: str | None
    condition: str
    pixels: Pixels


def samples_of(folder: Path, known: Iterable[str] = ()) -> Files:
    """The samples of each condition in a folder.

    Args:
        known: names of conditions; `street-3` is one of them, if it is among them, and else sample 3 of `street`.

    Raises:
        DataError: there is no such folder, or it contains no images.
    """
    check_folder(folder)
    inside = {one.name: images_in(one) for one in sorted(folder.iterdir()) if one.is_dir()}
    if any(inside.values()):
        return {name: files for name, files in inside.items() if files}
    found: Files = {}
    for file in files_in(folder):
        names = frozenset(known) | frozenset(one for one in (sampled_condition(file),) if one)
        found.setdefault(condition_of(file.stem, names), []).append(file)
    return found


def sampled_condition(file: Path) -> str | None:
    """The condition of an image that `variegate sample` wrote, which left CONDITION-codes.safetensors beside it."""
    sampled = SAMPLED.fullmatch(file.stem)
    return sampled[1] if sampled and (file.parent / f"{sampled[1]}-codes.safetensors").is_file() else None


def real_images_of(folder: Path) -> Files:
    """The real image of each condition, `CONDITION.png`.

    Raises:
        DataError: as for `samples_of`.
    """
    check_folder(folder)
    return {file.stem: [file] for file in files_in(folder)}


def check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder; give one with images")


def files_in(folder: Path) -> list[Path]:
    files = [file for file in images_in(folder) if not file.stem.endswith(GRID)]
    if not files:
        raise DataError(f"{folder}: contains no images; give the folder that does")
    return files


def condition_of(stem: str, known: frozenset[str]) -> str:
    """The condition that a file name begins with: a known one, or all but the number of the sample.

    `variegate sample` puts the seed between the two: CONDITION-SEED-NUMBER.
    """
    names, numbered = [stem], NUMBERED.fullmatch(stem)
    while numbered and len(names) < 3:
        names.append(numbered[1])
        numbered = NUMBERED.fullmatch(numbered[1])
    return next((name for name in names if name in known), names[min(1, len(names) - 1)])


def common_conditions(samples: Mapping[str, Files], real: Files | None) -> tuple[list[str], int]:
    """The conditions of which every folder has an image, in natural order, and how many others there are.

    Raises:
        DataError: there are none.
    """
    each = [*samples.values(), *([real] if real is not None else [])]
    names = list(dict.fromkeys(name for files in each for name in files))
    common = [name for name in names if all(name in files for files in each)]
    if not common:
        labels = [*samples, *(["the reference"] if real is not None else [])]
        told = ", ".join(f"{label} has {next(iter(files))}" for label, files in zip(labels, each))
        raise DataError(f"no condition has an image in every folder: {told}; {NAMES}")
    return common, len(names) - len(common)


def choose(samples: Mapping[str, Files], real: Files | None, nearest: bool, seed: int) -> tuple[list[Source], int]:
    """An image of each method for each common condition, and the real ones; and how many conditions were left out.

    Args:
        nearest: show the sample with the least L1 distance to the real image, as the study of conditional IMLE did
            (Li et al. 2019, section 4.3); otherwise one at random.

    Raises:
        DataError: there is no common condition, or sizes differ.
    """
    common, left_out = common_conditions(samples, real)
    found: list[Source] = []
    for condition in common:
        truth = None if real is None else read_image(real[condition][0])
        if real is not None and truth is not None:
            check_size(truth, real[condition][0], found)
            found.append(Source(None, condition, truth))
        for method, files in samples.items():
            if nearest and truth is not None:
                pixels = nearest_of(files[condition], truth)
            else:
                file = Random(f"{seed} {method} {condition}").choice(files[condition])
                pixels = read_image(file)
                check_size(pixels, file, found)
            found.append(Source(method, condition, pixels))
    return found, left_out


def nearest_of(files: list[Path], truth: Pixels) -> Pixels:
    """The image with the least L1 distance to another one."""
    images = [read_image(file) for file in files]
    for image, file in zip(images, files):
        check_size(image, file, [Source(None, "", truth)])
    distances = [np.abs(image.astype(np.int16) - truth).mean() for image in images]
    return images[int(np.argmin(distances))]


def check_size(pixels: Pixels, file: Path, others: list[Source]) -> None:
    """Raise DataError if an image has not the size of the first one."""
    if others and pixels.shape != others[0].pixels.shape:
        (height, width), (tall, wide) = pixels.shape[:2], others[0].pixels.shape[:2]
        raise DataError(
            f"{file}: is {width}x{height}, but other images are {wide}x{tall}; all images of a study need one size"
        )


def destroy(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """An image that nobody who looks takes for real: its tiles in random order, half of them inverted, and noise."""
    height, width = pixels.shape[:2]
    side = max(1, min(height, width) // 8)
    rows, columns = height // side, width // side
    tiles = pixels[: rows * side, : columns * side].reshape(rows, side, columns, side, 3).swapaxes(1, 2)
    tiles = rng.permutation(tiles.reshape(-1, side, side, 3))
    tiles = np.where(rng.random((len(tiles), 1, 1, 1)) < 0.5, 255 - tiles, tiles)
    found = pixels.copy()
    found[: rows * side, : columns * side] = (
        tiles.reshape(rows, columns, side, side, 3).swapaxes(1, 2).reshape(rows * side, columns * side, 3)
    )
    noise = rng.normal(0, 40, found.shape)
    return np.clip(found + noise, 0, 255).astype(np.uint8)
