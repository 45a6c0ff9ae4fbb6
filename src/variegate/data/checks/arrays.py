"""Describe arrays of images and report everything that is wrong with them, by decompressing them."""

from __future__ import annotations

from ...core.errors import DataError
from ..conditions import ClassLabel, ImageCondition
from ..dataset.arrays import array_condition, describe, rows_of
from ..dataset.opening import DataConfig
from ..files.arrays import ArrayDataset
from .report import Report
from .words import class_shares, details, lonely


def check_arrays(report: Report, dataset: ArrayDataset, config: DataConfig) -> None:
    """Fill in the report."""
    report.description = describe(dataset)
    splits = rows_of(dataset)
    report.splits = {split: len(rows) for split, rows in splits.items()}
    if len(dataset.splits) < len(splits):
        report.description += "; val is held out of train"
    report.problems += dataset.problems
    if config.unpaired:
        report.problems.append(f"{dataset.root}: arrays of images cannot be unpaired; leave --unpaired out")
    for parts in dataset.splits.values():
        for one in parts:
            height, width = one.size
            report.sizes[f"{width}x{height}"] += one.count
            try:
                one.images()
            except DataError as error:
                report.problems.append(str(error))
                continue
            report.opened += one.count
    try:
        condition, _ = array_condition(dataset, config.condition, None, dataset.size)
        part = condition.part(ImageCondition)
        derived = None if part is None else part.derived
        report.condition = condition.describe()
        if derived is not None:
            derived.check(dataset.size, report.path)
        report.condition += details(derived, dataset.size)
    except DataError as error:
        report.problems.append(str(error))
        return
    labels = dataset.labels_of(next(iter(dataset.splits)))
    if labels is not None and condition.part(ClassLabel) is not None and not report.problems:
        report.problems += lonely(dataset.classes, labels.tolist(), str(dataset.root))
        report.classes = class_shares(dataset.classes, labels.tolist())
