"""Say what a folder of data is, and everything that is wrong with it, by opening its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from ...core.interfaces import Size
from ..conditions.asked import asked
from ..conditions.labels import AnyCondition, ClassName, Labels, Normals
from ..conditions.landmarks import check_inside
from ..conditions.metadata import part_of
from ..dataset.arrays import find_arrays
from ..dataset.choice import spec_of
from ..dataset.origins import cut_out, native_size, normals_of
from ..dataset.pairs import is_streets, open_data
from ..derived.derived import check_size, explain
from ..derived.masks import Masks, folder_of
from ..files import images as pictures
from ..files import instances
from ..readers.classes import labels_in
from ..readers.direction import choose_direction
from ..readers.folders import hold_out, recognise
from ..readers.items import Direction, Folder, Item
from .arrays import check_arrays
from .words import class_shares, lonely, words

ASPECT = 0.02  # relative difference in shape that squeezing both to one size would visibly distort


@dataclass
class Report:
    """What was seen. `problems` has one sentence each: the file, what is wrong, what would be right."""

    path: str
    description: str = "not recognised"
    splits: dict[str, int] = field(default_factory=dict)  # pairs in each
    sizes: Counter[str] = field(default_factory=Counter)  # "WxH" of images as they are -> how many
    condition: str = ""
    classes: list[tuple[str, float]] = field(default_factory=list)  # name, share of all pixels, or of images
    opened: int = 0  # pairs whose files were decoded
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems

    def text(self) -> str:
        """The report in words, a few lines."""
        lines = [self.path, f"  what       {self.description}"]
        if self.splits:
            lines.append("  pairs      " + ", ".join(f"{count} {name}" for name, count in self.splits.items()))
        if self.sizes:
            shown = ", ".join(f"{size} ({count})" for size, count in self.sizes.most_common(3))
            lines.append(f"  images     {shown}{', and other sizes' if len(self.sizes) > 3 else ''}")
        if self.condition:
            lines.append(f"  condition  {self.condition}")
        lines += [f"    {100 * share:5.1f} %  {name}" for name, share in self.classes]
        total = sum(self.splits.values())
        if self.opened < total:
            lines.append(f"  opened     {self.opened} of {total} pairs")
        lines.append(f"  problems   {len(self.problems) or 'none'}")
        return "\n".join([*lines, *(f"  - {problem}" for problem in self.problems)])


def check(
    path: str | Path,
    direction: Direction | None = None,
    condition: str | None = None,
    limit: int | None = None,
    unpaired: bool = False,
) -> Report:
    """Open every file of a folder or all arrays (of each split the first `limit` pairs) and report all that is wrong.

    Nothing is raised for bad data: whatever `open_data` would refuse is among the report's problems.
    """
    report = Report(str(path))
    if is_streets(path):
        _check_streets(report, condition, unpaired)
        return report
    try:
        arrays = find_arrays(path)
        if arrays is not None:
            check_arrays(report, arrays, condition, unpaired)
            return report
        folder = recognise(path, condition, unpaired)
        _describe(report, folder, direction)
    except DataError as error:
        report.problems.append(str(error))
        report.problems += _unreadable(Path(path), limit)
        return report
    report.problems += [*folder.problems, *lonely(folder.classes, labels_of(folder), str(folder.root))]
    spec = _condition(report, folder, condition, direction)
    areas = np.zeros(256, dtype=np.int64)
    known = {problem.partition(": ")[0] for problem in report.problems}  # one sentence a file is enough
    for items in folder.splits.values():
        for item in items[:limit]:
            report.problems += _check_pair(item, folder, spec, known, report.sizes, areas)
            report.opened += 1
    if spec is not None and part_of(spec, ClassName) is not None:
        report.classes = class_shares(folder.classes, labels_of(folder))
    if isinstance(spec, Labels):
        total = max(1, int(areas.sum()))
        report.classes = [(name, float(areas[i]) / total) for i, name in enumerate(spec.names)]
    report.problems = list(dict.fromkeys(report.problems))
    return report


def labels_of(folder: Folder) -> list[int]:
    """The class of each picture of the first split, train if there is one."""
    first = next(iter(folder.splits.values()), [])
    return [item.facts.label for item in first if item.facts.label is not None]


def _check_streets(report: Report, condition: str | None, unpaired: bool) -> None:
    try:
        pairs = open_data(report.path, condition=condition, unpaired=unpaired)
    except DataError as error:
        report.problems.append(str(error))
        return
    report.description = pairs.description
    report.condition = words(pairs.condition)
    if pairs.derived is not None:
        report.condition += _details(pairs.derived, pairs.size, pairs.masks)


def _describe(report: Report, folder: Folder, direction: Direction | None) -> None:
    report.splits = {name: len(items) for name, items in hold_out(folder.splits).items()}
    report.description = folder.structure
    if folder.kind in ("halves", "pictures") and folder.splits:
        way, why = choose_direction(folder, direction)
        report.description += f", {way[0]} is the condition ({why})"
    if len(folder.splits) < len(report.splits):
        report.description += "; val is held out of train"


def _condition(report: Report, folder: Folder, derived: str | None, direction: Direction | None) -> AnyCondition | None:
    """What the conditions are; None, with the reason among the problems, if that cannot be told."""
    spec: AnyCondition
    if not folder.splits:
        return None
    try:
        if folder.kind == "labels":
            items = next(iter(folder.splits.values()), [])
            files = [item.condition for item in items if item.condition]
            spec, problems = labels_in(files, folder.root, folder.numbering)
            spec = spec.model_copy(update={"boundaries": folder.instances})
            report.problems += problems
        else:
            way = choose_direction(folder, direction)[0] if folder.kind in ("halves", "pictures") else "AtoB"
            spec = spec_of(folder, derived, way, native_size(next(iter(folder.splits.values())), folder.kind))
    except DataError as error:
        report.problems.append(str(error))
        return None
    report.condition = words(spec)
    made = asked(derived).derived if folder.kind == "derived" and derived is not None else None
    if made is not None:
        _check_derived(report, folder, made)
    return spec


def _check_derived(report: Report, folder: Folder, derived: str) -> None:
    """What will be made of the pictures, and why it cannot be, at the size that they are trained at by default."""
    try:
        size = native_size(next(iter(folder.splits.values())), folder.kind)
        check_size(derived, size, report.path)
        masks = Masks(derived) if folder_of(derived) is not None else None
    except DataError as error:
        report.problems.append(str(error))
        return
    report.condition += _details(derived, size, masks)
    if masks is not None:
        report.problems += masks.problems(size)


def _details(derived: str, size: Size, masks: Masks | None) -> str:
    details = explain(derived, size, masks)
    return f": {details}" if details else ""


def _check_pair(
    item: Item,
    folder: Folder,
    spec: AnyCondition | None,
    known: set[str],
    sizes: Counter[str],
    areas: NDArray[np.int64],
) -> Iterator[str]:
    """Problems of one pair's files, but for `known` ones; counts its size and the area of its classes on the way.

    Files become known, since unpaired ones come back in other pairs.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    parts = {"image": item.image, "label map": item.condition, "instance map": item.instances}
    for part, file in parts.items():
        if file is None or str(file) in known or (folder.kind == "derived" and part != "image"):
            continue
        known.add(str(file))
        try:
            pixels = _pixels(file, part if folder.kind in ("labels", "normals") else "image", spec, item)
            if part == "image" and item.points is not None:
                check_inside(item.points, (pixels.shape[0], pixels.shape[1]), str(file))
        except DataError as error:
            yield str(error)
            continue
        shapes[part] = height, width = pixels.shape[:2]
        if part == "label map" and isinstance(spec, Labels):
            areas += np.bincount(pixels.ravel(), minlength=256)
        if part == "image":
            sizes[f"{width // 2 if folder.kind == 'halves' else width}x{height}"] += 1
    yield from _misfits(item, shapes, folder.unpaired)


def _pixels(file: Path, part: str, spec: AnyCondition | None, item: Item) -> NDArray[Any]:
    """A file's values, (H, W) or (H, W, 3)."""
    if part == "instance map":
        return instances.read_instances(file, str(file))
    if part == "image":
        return cut_out(item)
    if isinstance(spec, Normals):
        return normals_of(item, spec)
    return spec.ids(file, str(file)) if isinstance(spec, Labels) else pictures.read_labels(file, str(file))[0]


def _misfits(item: Item, shapes: dict[str, tuple[int, ...]], unpaired: bool) -> Iterator[str]:
    """Parts of a pair that cannot lie on each other."""
    if "image" in shapes and "label map" in shapes and not unpaired:
        (height, width), (tall, wide) = shapes["image"], shapes["label map"]
        if abs(width * tall / (height * wide) - 1) > ASPECT:
            yield (
                f"{item.condition}: is {wide}x{tall}, but its image {item.image} is {width}x{height}, "
                "another shape, so they cannot lie on each other; crop one of them"
            )
    if "instance map" in shapes and shapes.get("label map", shapes["instance map"]) != shapes["instance map"]:
        (tall, wide), (height, width) = shapes["instance map"], shapes["label map"]
        yield f"{item.instances}: {instances.misfit((tall, wide), (height, width))}"


def _unreadable(root: Path, limit: int | None) -> Iterator[str]:
    """Problems of single pictures below a folder that was not recognised."""
    if root.is_dir():
        for file in pictures.images_in(root, deep=True)[:limit]:
            try:
                pictures.open_picture(file)
            except DataError as error:
                yield str(error)
