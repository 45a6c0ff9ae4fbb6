"""Folders that `save_to_disk` of Hugging Face `datasets` wrote: two columns of images, or images and classes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import DataError
from ..conditions.metadata import Metadata, evenly
from ..conditions.spec import ConditionSpec, OfLabels
from ..files import cache
from ..files.tables import Cell, Table, require_datasets
from ..files.walk import states
from .columns import CLASS_NAMES, choose_columns
from .items import SPLITS, Folder, Item, Seen, Splits, unpair
from .names import split_in
from .pairing import looks_like_labels

SPLIT_LIST, ONE = "dataset_dict.json", ("dataset_info.json", "state.json")
WITHOUT = "give --condition edges, grey, self, superres:4, inpaint or none, or add a column of conditions"


def is_hub_dataset(root: Path) -> bool:
    return (root / SPLIT_LIST).is_file() or all((root / name).is_file() for name in ONE)


def read_hub_dataset(root: Path, spec: ConditionSpec | None, unpaired: bool) -> Folder:
    """Read the columns of images and classes, recognised by their names and types.

    Raises:
        DataError: the package `datasets` is missing, the folder is damaged, or its columns leave open what they are.
    """
    require_datasets(root)
    tables = _tables(root)
    found = _Columns.of(next(iter(tables.values())), root)
    for split, table in tables.items():
        if missing := [name for name in found.names if name not in table.features]:
            raise DataError(f"{root}: {split} has no column {missing[0]!r}, unlike the first split; add it")
    pairs = spec is None or spec.parts == (OfLabels(),)
    folder = _pairs(root, tables, found, spec) if pairs and len(found.images) > 1 else None
    folder = folder or _images(root, tables, found, spec)
    if unpaired:
        unpair(folder)
    stamp = cache.digest(states(root))
    folder.seen = Seen(cache.digest(["dataset", str(root.absolute()), str(spec)]), stamp)
    return folder


@dataclass(frozen=True)
class _Columns:
    """What the columns are: those of images, and those of classes with their names."""

    where: Path
    images: tuple[str, ...]
    classes: Mapping[str, tuple[str, ...]]  # no names for plain integers

    @staticmethod
    def of(table: Table, where: Path) -> _Columns:
        from datasets import ClassLabel, Image, Value

        features = table.features
        images = tuple(name for name, kind in features.items() if isinstance(kind, Image))
        if not images:
            kinds = ", ".join(f"{name} ({type(kind).__name__})" for name, kind in features.items())
            raise DataError(f"{where}: has no column of images, only {kinds}; cast one to datasets.Image()")
        classes = {name: tuple(kind.names) for name, kind in features.items() if isinstance(kind, ClassLabel)}
        whole = [name for name, kind in features.items() if isinstance(kind, Value) and "int" in kind.dtype]
        return _Columns(where, images, classes or {name: () for name in whole if name.lower() in CLASS_NAMES})

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.images, *self.classes)

    def label(self) -> str | None:
        """The column of classes; None if there is none. Raises DataError if there are several."""
        named = [name for name in self.classes if name.lower() in CLASS_NAMES]
        found = named if len(named) == 1 else [*self.classes]
        if len(found) > 1:
            shown = ", ".join(map(repr, found))
            raise DataError(f"{self.where}: has the columns of classes {shown}; rename the wanted one to 'label'")
        return found[0] if found else None


def _pairs(root: Path, tables: Mapping[str, Table], found: _Columns, spec: ConditionSpec | None) -> Folder:
    first = next(iter(tables.values()))
    cells: dict[str, Sequence[Cell]] = {}

    def is_labels(name: str) -> bool:
        cells.setdefault(name, first.images(name))
        return looks_like_labels(cells[name])

    chosen = choose_columns(found.images, str(root), is_labels)
    assert chosen.condition is not None
    if spec is not None and chosen.kind != "labels":
        raise DataError(f"{root}: has no label maps; omit --condition {spec}")
    splits: Splits = {
        split: [Item(*pair) for pair in zip(table.images(chosen.image), table.images(chosen.condition))]
        for split, table in tables.items()
    }
    told = f"a Hugging Face dataset, columns {chosen.condition} + {chosen.image}: {chosen.why}"
    folder = Folder(root, chosen.kind, splits, told, sides=(chosen.condition, chosen.image))
    folder.direction = "AtoB" if chosen.kind == "images" else None
    if found.classes:
        folder.notes.append(f"{root}: the classes in {', '.join(found.classes)} are not used")
    return folder


def _images(root: Path, tables: Mapping[str, Table], found: _Columns, spec: ConditionSpec | None) -> Folder:
    """Images with their classes, or alone if the condition is derived from them."""
    if spec is not None and (spec.stored or spec.vectors is not None):
        raise DataError(f"{root}: is a Hugging Face dataset, which has no {spec.parts[0]}; give another --condition")
    column = found.label() if spec is None or spec.classes else None
    if column is None and (spec is None or spec.classes):
        raise DataError(f"{root}: has images in {found.images[0]!r}, but no classes or conditions; {WITHOUT}")
    image = choose_columns(found.images, str(root), lambda name: False).image
    names = found.classes[column] if column is not None else ()
    splits: Splits = {}
    for split, table in tables.items():
        items = [Item(cell) for cell in table.images(image)]
        if column is not None:
            labels = table.numbers(column)
            names = names or tuple(map(str, range(int(labels.max(initial=-1)) + 1)))
            if len(labels) and not 0 <= labels.min() <= labels.max() < len(names):
                raise DataError(
                    f"{root}: {column} of {split} has values outside of 0 to {len(names) - 1}; correct them"
                )
            items = [Item(items[i].image, metadata=Metadata(int(labels[i]))) for i in evenly(labels)]
        splits[split] = items
    what = f"{image} with the classes in {column}" if column is not None else f"images in {image}"
    told = f"a Hugging Face dataset, {what}" + (f", with the condition {str(spec)!r}" if spec is not None else "")
    return Folder(root, "derived", splits, told, classes=names)


def _tables(root: Path) -> dict[str, Table]:
    """The table of each split."""
    if not (root / SPLIT_LIST).is_file():
        return {"train": Table(root)}
    try:
        names = list(json.loads((root / SPLIT_LIST).read_text(encoding="utf-8"))["splits"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{root / SPLIT_LIST}: is damaged; save or copy the dataset again") from None
    found = {split_in(name)[0] or ("train" if len(names) == 1 else name): Table(root / name) for name in names}
    if len(found) < len(names) or any(split not in SPLITS for split in found):
        raise DataError(f"{root}: has the splits {', '.join(names)}; name them train, validation and test")
    return {split: found[split] for split in SPLITS if split in found}
