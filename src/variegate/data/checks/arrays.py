"""Say what arrays of images are, and everything that is wrong with them, by decompressing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.errors import DataError
from ..conditions.labels import ClassName, Picture
from ..conditions.metadata import part_of
from ..dataset.arrays import array_condition, described, rows_of
from ..derived.derived import check_size, explain
from ..derived.masks import open_masks
from ..files.arrays import Stored
from .words import class_shares, lonely, words

if TYPE_CHECKING:
    from .check import Report


def check_arrays(report: Report, stored: Stored, condition: str | None, unpaired: bool) -> None:
    """Fill in the report."""
    report.description = described(stored)
    splits = rows_of(stored)
    report.splits = {split: len(rows) for split, rows in splits.items()}
    if len(stored.splits) < len(splits):
        report.description += "; val is held out of train"
    report.problems += stored.problems
    if unpaired:
        report.problems.append(f"{stored.root}: arrays of images cannot be unpaired; leave --unpaired out")
    for packs in stored.splits.values():
        for pack in packs:
            height, width = pack.size
            report.sizes[f"{width}x{height}"] += pack.count
            try:
                pack.images()
            except DataError as error:
                report.problems.append(str(error))
                continue
            report.opened += pack.count
    try:
        spec, _ = array_condition(stored, condition, None, stored.size)
        report.condition = words(spec)
        part = part_of(spec, Picture)
        if part is not None and part.derived is not None:
            check_size(part.derived, stored.size, report.path)
            details = explain(part.derived, stored.size, open_masks(part.derived, stored.size))
            report.condition += f": {details}" if details else ""
    except DataError as error:
        report.problems.append(str(error))
        return
    labels = stored.labels_of(next(iter(stored.splits)))
    if labels is not None and part_of(spec, ClassName) is not None and not report.problems:
        report.problems += lonely(stored.classes, labels.tolist(), str(stored.root))
        report.classes = class_shares(stored.classes, labels.tolist())
