"""Say what arrays of images are, and everything that is wrong with them, by decompressing them."""

from __future__ import annotations

from ...core.errors import DataError
from ..conditions import ClassLabel, ImageCondition
from ..dataset.arrays import array_condition, described, rows_of
from ..dataset.opening import DataConfig
from ..files.arrays import Stored
from .report import Report
from .words import class_shares, details, lonely


def check_arrays(report: Report, stored: Stored, config: DataConfig) -> None:
    """Fill in the report."""
    report.description = described(stored)
    splits = rows_of(stored)
    report.splits = {split: len(rows) for split, rows in splits.items()}
    if len(stored.splits) < len(splits):
        report.description += "; val is held out of train"
    report.problems += stored.problems
    if config.unpaired:
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
        condition, _ = array_condition(stored, config.condition, None, stored.size)
        part = condition.part(ImageCondition)
        derived = None if part is None else part.derived
        report.condition = condition.describe()
        if derived is not None:
            derived.check(stored.size, report.path)
        report.condition += details(derived, stored.size)
    except DataError as error:
        report.problems.append(str(error))
        return
    labels = stored.labels_of(next(iter(stored.splits)))
    if labels is not None and condition.part(ClassLabel) is not None and not report.problems:
        report.problems += lonely(stored.classes, labels.tolist(), str(stored.root))
        report.classes = class_shares(stored.classes, labels.tolist())
