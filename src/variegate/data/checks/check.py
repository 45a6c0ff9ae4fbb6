"""Report what a folder of data is, and everything that is wrong with it, by opening its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.config import from_mapping
from ...core.errors import DataError
from ...core.progress import watched
from ..conditions import ClassLabel, Condition, Labels, Normals
from ..conditions.landmarks import check_inside
from ..dataset.choice import depth_problems, folder_condition, folder_labels
from ..dataset.cropping import cut_out, like_image, normals_of
from ..dataset.opening import DataConfig, is_streets, path_in_words
from ..dataset.origins import native_size
from ..derived.derived import Derived, InpaintMasks
from ..files import images as image_files
from ..files import instances
from ..files.blobs import File
from ..readers.arrays import find_arrays
from ..readers.direction import choose_direction
from ..readers.items import Direction, Folder, Item, hold_out
from ..readers.remembered import recognise_any
from ..readers.shards import settings_of_shards
from ..readers.two_sides import named_folders
from .arrays import check_arrays
from .hues import hues
from .report import Report
from .unused import decoded, unused
from .words import class_shares, details, lonely

ASPECT = 0.02  # relative difference in aspect ratio above which resizing to one size distorts visibly


def check(
    path: str | Path | Mapping[str, str | Path],
    direction: Direction | None = None,
    condition: str | None = None,
    limit: int | None = None,
    unpaired: bool = False,
    white_level: int | None = None,
) -> Report:
    """Open every file or array of a data set (the first `limit` pairs of each split) and report all that is wrong.

    Bad data raise nothing: whatever `open_data` would reject is among the report's problems. Its notes say what is not
    used, and what was decided.
    """
    report = Report(path_in_words(path))
    values: dict[str, Any] = {"path": report.path, "direction": direction, "condition": condition}
    values |= {"unpaired": unpaired or None, "white_level": white_level}
    try:
        values = settings_of_shards(report.path) | {name: one for name, one in values.items() if one is not None}
        config = from_mapping(DataConfig, values, "data")
        if is_streets(report.path):
            _check_streets(report, config)
            return _with_hues(report, config)
        arrays = find_arrays(report.path)
        if arrays is not None:
            check_arrays(report, arrays, config)
            return _with_hues(report, config)
        folder = recognise_any(report.path, config.condition, config.unpaired)
        way = _describe(report, folder, config)
    except DataError as error:
        report.problems.append(str(error))
        report.problems += _unreadable(Path(report.path), limit)
        report.notes += _beside(Path(report.path))
        return report
    _check_folder(report, folder, config, way, limit)
    return _with_hues(report, config)


def _with_hues(report: Report, config: DataConfig) -> Report:
    """The report, with how the hues of the images are spread; where something is wrong, that comes first."""
    if report.ok:
        with suppress(DataError):  # such as sides that do not fit a derived condition
            found = hues(config.open())
            report.hues = str(found) if found.coloured else ""
    return report


def _check_folder(report: Report, folder: Folder, config: DataConfig, way: Direction, limit: int | None) -> None:
    report.problems += [*folder.problems, *lonely(folder.classes, labels_of(folder), str(folder.root))]
    report.problems += depth_problems(folder, config.white_level)
    report.also, report.notes = folder.also, list(folder.notes)
    if folder.splits:
        with suppress(DataError):  # an image that cannot be read is among the problems
            report.size = native_size(next(iter(folder.splits.values())))
    condition = _condition(report, folder, config, way)
    areas = np.zeros(256, dtype=np.int64)
    known = {problem.partition(": ")[0] for problem in report.problems}  # one sentence per file is enough
    items = [item for some in folder.splits.values() for item in some[:limit]]
    for item in watched(items, "opening files", len(items)):
        report.problems += _check_pair(item, folder, condition, known, report.sizes, areas)
        report.opened += 1
    if condition is not None and condition.part(ClassLabel) is not None:
        report.classes = class_shares(folder.classes, labels_of(folder))
    labels = None if condition is None else condition.part(Labels)
    if labels is not None:
        total = max(1, int(areas.sum()))
        report.classes = [(name, float(areas[i]) / total) for i, name in enumerate(labels.names)]
    report.problems = list(dict.fromkeys(report.problems))
    _note(report, folder, limit)


def _note(report: Report, folder: Folder, limit: int | None) -> None:
    """What training would not use, and what reading makes of the rest."""
    if not folder.splits:  # nothing is paired, so no file was opened
        report.problems += _unreadable(folder.root, limit)
        report.notes += _beside(folder.root)
        return
    items = [item for some in folder.splits.values() for item in some]
    seen = [item for some in folder.splits.values() for item in some[:limit]]
    used = [file for item in items for file in item.files if isinstance(file, Path)]
    pointed = any(item.points is not None for item in items)
    plain = folder.kind != "normals" and not pointed and folder.numbering is None and folder.length is None
    for root in (named_folders(report.path) or (folder.root,)) if used else ():  # in shards everything is used
        report.notes += unused(root, used, plain)
    report.notes += decoded([*dict.fromkeys(item.image for item in seen)])


def labels_of(folder: Folder) -> list[int]:
    """The class of each image of the first split, train if there is one."""
    first = next(iter(folder.splits.values()), [])
    return [item.metadata.label for item in first if item.metadata.label is not None]


def _check_streets(report: Report, config: DataConfig) -> None:
    pairs = config.open()
    report.description = pairs.description
    report.condition = pairs.condition.describe() + details(pairs.derived, pairs.size)


def _describe(report: Report, folder: Folder, config: DataConfig) -> Direction:
    """Say what the folder is; returns which side is the condition, AtoB where only one can be."""
    way: Direction = "AtoB"
    report.splits = {name: len(items) for name, items in hold_out(folder.splits).items()}
    report.description = folder.structure
    if folder.kind in ("halves", "images") and folder.splits:
        way, why = choose_direction(folder, config.direction, config.white_level)
        report.description += f", {folder.sides[way == 'BtoA']} is the condition ({why})"
    if len(folder.splits) < len(report.splits):
        report.description += "; val is held out of train"
    return way


def _condition(report: Report, folder: Folder, config: DataConfig, way: Direction) -> Condition | None:
    """The condition; None, with the reason among the problems, if it cannot be determined."""
    condition: Condition
    if not folder.splits:
        return None
    items = next(iter(folder.splits.values()))
    try:
        if folder.kind == "labels" and (config.condition is None or len(config.condition.parts) == 1):
            condition, problems = folder_labels(folder)
            report.problems += problems
        else:
            condition = folder_condition(folder, config.condition, way, report.size or native_size(items))
    except DataError as error:
        report.problems.append(str(error))
        return None
    report.condition = condition.describe()
    derived = None if config.condition is None else config.condition.derived
    if derived is not None:
        _check_derived(report, items, derived)
    return condition


def _check_derived(report: Report, items: Sequence[Item], derived: Derived) -> None:
    """Describe the derived condition, or report why it cannot be derived, at the default training size."""
    try:
        size = report.size or native_size(items)
        problems = derived.problems(size, report.path)
    except DataError as error:
        problems = [str(error)]
    report.problems += problems
    if not problems or isinstance(derived, InpaintMasks):
        report.condition += details(derived, size)


def _check_pair(
    item: Item,
    folder: Folder,
    condition: Condition | None,
    known: set[str],
    sizes: Counter[str],
    areas: NDArray[np.int64],
) -> Iterator[str]:
    """Yield problems of one pair's files that are not `known`; also count its size and the area of its classes.

    Files become known once checked, since unpaired files recur in other pairs.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    parts = {"image": item.image, "instance map": item.instances, "map of normals": item.normals}
    parts["map of normals" if folder.kind == "normals" else "label map"] = item.condition
    for part, file in parts.items():
        if file is None or str(file) in known or (folder.kind == "derived" and part != "image"):
            continue
        known.add(str(file))
        try:
            pixels = _pixels(file, part if folder.kind in ("labels", "normals") else "image", condition, item)
            if part == "image" and item.points is not None:
                check_inside(item.points, (pixels.shape[0], pixels.shape[1]), str(file))
        except DataError as error:
            yield str(error)
            continue
        shapes[part] = height, width = pixels.shape[:2]
        if part == "label map" and condition is not None and condition.part(Labels) is not None:
            areas += np.bincount(pixels.ravel(), minlength=256)
        if part == "image":
            sizes[f"{width // 2 if folder.kind == 'halves' else width}x{height}"] += 1
    yield from _misfits(item, shapes, folder.unpaired)


def _pixels(file: File, part: str, condition: Condition | None, item: Item) -> NDArray[Any]:
    """The used part of a file's values, (H, W) or (H, W, 3)."""
    if part == "image" and file == item.image:
        return cut_out(item)
    if part == "map of normals":
        return normals_of(item, Normals())
    labels = None if condition is None else condition.part(Labels)
    values: NDArray[Any]
    if part == "instance map":
        values = instances.read_instances(file, str(file))
    elif part == "image":
        values = image_files.read_image(file)
    else:
        values = image_files.read_labels(file, str(file))[0] if labels is None else labels.ids(file, str(file))
    return like_image(values, item, file)


def _misfits(item: Item, shapes: dict[str, tuple[int, ...]], unpaired: bool) -> Iterator[str]:
    """Yield a problem for each two parts of a pair whose sizes do not match."""
    for part, file in (("label map", item.condition), ("map of normals", item.normals or item.condition)):
        if "image" not in shapes or part not in shapes or unpaired:
            continue
        (height, width), (tall, wide) = shapes["image"], shapes[part]
        if abs(width * tall / (height * wide) - 1) > ASPECT:
            yield (
                f"{file}: is {wide}x{tall}, but its image {item.image} is {width}x{height}, "
                "another aspect ratio, so they cannot be aligned; crop one of them"
            )
    if "instance map" in shapes and shapes.get("label map", shapes["instance map"]) != shapes["instance map"]:
        (tall, wide), (height, width) = shapes["instance map"], shapes["label map"]
        yield f"{item.instances}: {instances.misfit((tall, wide), (height, width))}"


def _unreadable(root: Path, limit: int | None) -> Iterator[str]:
    """Yield problems of single images below a folder that was not recognised."""
    if root.is_dir():
        for file in image_files.images_in(root, deep=True)[:limit]:
            try:
                image_files.open_image(file)
            except DataError as error:
                yield str(error)


def _beside(root: Path) -> Iterator[str]:
    """Links, hidden folders and files that are no images, below a folder whose images could not be put in order."""
    if root.is_dir():
        yield from unused(root, image_files.images_in(root, deep=True), False)
