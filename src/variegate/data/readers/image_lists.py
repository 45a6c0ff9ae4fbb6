"""Folders of images with a `metadata.csv` or `metadata.jsonl`, as Hugging Face's `imagefolder` has them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from ...core.errors import DataError
from ..conditions.class_label import MOST
from ..conditions.metadata import Metadata, evenly
from ..conditions.spec import ConditionSpec, OfLabels
from ..files.image_lists import HOW, ImageList, Row, lists_in, place_of
from .columns import CLASS_NAMES, choose_columns
from .items import SPLITS, Folder, Item, Splits, unpair
from .names import role_of, split_in
from .pairing import looks_like_labels
from .vectors import add_vectors

NEEDED = f"{HOW}, and one of classes is called label"
PAIR = "name one condition_file_name and the other file_name"
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


class Listed(NamedTuple):
    """What is read of a row."""

    split: str
    image: Path
    condition: Path | None
    label: str


def read_listed(root: Path, spec: ConditionSpec | None, unpaired: bool) -> tuple[Folder | None, str]:
    """The folder as its lists have it, or None if they do not tell what is asked for; and which lists are not used.

    Raises:
        DataError: a list is damaged, or its columns leave open what they are.
    """
    lists, others = lists_in(root)
    unread = "; ".join(f"{file} is not used ({NEEDED})" for file in others)
    if not lists:
        return None, unread
    found = Lists(root, lists)
    stored = () if spec is None else spec.stored
    pairs = len(found.files) > 1 and (spec is None or stored == (OfLabels(),))
    classes = not pairs and (spec is None or spec.classes)
    if classes and found.label is None and len(found.files) > 1:
        raise DataError(f"{found.where}: has no column of classes; call it label, or omit --condition {spec}")
    if not pairs and (stored or (classes and found.label is None)):
        shown = ", ".join(found.columns)
        return None, f"{lists[0].file} is not used: its columns {shown} do not tell the condition ({NEEDED})"
    folder = found.pairs(spec) if pairs else found.images(spec, classes)
    if not folder.splits:
        raise DataError(folder.problems[0])
    if spec is not None and spec.vectors is not None:
        add_vectors(folder, spec.vectors)
    if unpaired:
        unpair(folder)
    return folder, unread


@dataclass
class Lists:
    """All lists of a folder, which have the same columns of files and classes.

    Raises:
        DataError: a column is missing, or several may have the classes.
    """

    root: Path
    lists: Sequence[ImageList]
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.where = str(self.lists[0].file)
        self.files: dict[str, str] = {}
        for one in self.lists:
            self.files = one.files | self.files
        self.columns = [*dict.fromkeys(name for one in self.lists for name in one.columns)]
        named = [name for name in self.columns if name.lower() in CLASS_NAMES]
        if len(named) > 1 and "label" not in named:
            shown = ", ".join(map(repr, named))
            raise DataError(f"{self.where}: has the columns of classes {shown}; rename the wanted one to 'label'")
        self.label = "label" if "label" in named else named[0] if named else None
        for column in (*self.files.values(), *([self.label] if self.label else [])):
            with_it = next(one for one in self.lists if column in one.columns)
            if without := [one for one in self.lists if column not in one.columns]:
                raise DataError(f"{without[0].file}: has no column {column!r}, unlike {with_it.file}; add it")

    def pairs(self, spec: ConditionSpec | None) -> Folder:
        """Raises DataError if the names and values of the columns do not tell which is the condition."""

        def is_labels(name: str) -> bool:
            return looks_like_labels([one.image for one in self.rows(self.files[name])])

        chosen = choose_columns([*self.files], self.where, is_labels, PAIR)
        assert chosen.condition is not None
        if spec is not None and chosen.kind != "labels":
            raise DataError(f"{self.where}: names no label maps; omit --condition {spec}")
        image, condition = self.files[chosen.image], self.files[chosen.condition]
        splits: dict[str, list[Item]] = {}
        for one in self.rows(image, condition):
            splits.setdefault(one.split, []).append(Item(one.image, one.condition))
        folder = self.folder(chosen.kind, splits, f"columns {condition} + {image}: {chosen.why}", (image, condition))
        folder.sides = (chosen.condition, chosen.image)
        folder.direction = "AtoB" if chosen.kind == "images" else None
        return folder

    def images(self, spec: ConditionSpec | None, classes: bool) -> Folder:
        """Images with their classes, or alone."""
        image = self.files[choose_columns([*self.files], self.where, lambda name: False, PAIR).image]
        label = self.label if classes else None
        rows: dict[str, list[Listed]] = {}
        for one in self.rows(image, label=label):
            rows.setdefault(one.split, []).append(one)
        names = () if label is None else self.classes(rows, label)
        numbers = {name: number for number, name in enumerate(names)}
        splits: Splits = {}
        for split, some in rows.items():
            items = [Item(one.image, metadata=Metadata(numbers.get(one.label))) for one in some]
            order = evenly([item.metadata.label or 0 for item in items]) if names else range(len(items))
            splits[split] = [items[i] for i in order]
        told = f"column {image}" if label is None else f"column {image} with the classes in {label}"
        told += "" if spec is None else f", with the condition {str(spec)!r}"
        folder = self.folder("derived", splits, told, (image,) if label is None else (image, label))
        folder.classes = names
        return folder

    def classes(self, rows: Mapping[str, Sequence[Listed]], column: str) -> tuple[str, ...]:
        """The classes in order; empty if there are no rows.

        Raises:
            DataError: there are too many, or a later split has one that the first lacks.
        """
        found = {split: {one.label for one in rows[split]} for split in SPLITS if split in rows}
        known = next(iter(found.values()), set())
        for split, some in found.items():
            if more := sorted(some - known):
                raise DataError(
                    f"{self.where}: {column} of {split} has {more[0]!r}, but no row of {next(iter(found))}; add some"
                )
        if len(known) > MOST:
            raise DataError(f"{self.where}: {column} has {len(known)} values, too many for classes; rename it")
        return tuple(sorted(known, key=lambda name: (int(name) if name.isdecimal() else MOST, name)))

    def rows(self, image: str, condition: str | None = None, label: str | None = None) -> Iterator[Listed]:
        """Some columns of all lists; a row that lacks a file or a class becomes a problem."""
        for row in (row for one in self.lists for row in one.rows):
            try:
                file = place_of(row, image, self.root)
                other = None if condition is None else place_of(row, condition, self.root)
                name = "" if label is None else class_in(row, label)
            except DataError as error:
                self.problems.append(str(error))
                continue
            yield Listed(self.split_of(row, file), file, other, name)

    def split_of(self, row: Row, image: Path) -> str:
        """The split that the folder of a list or of an image is called by; train if none is."""
        parts = [*row.file.parent.relative_to(self.root).parts, *image.parent.relative_to(self.root).parts]
        found = map(split_in, parts)
        return next((split for split, rest in found if split and (not rest or role_of(rest))), "train")

    def folder(
        self,
        kind: Literal["images", "labels", "derived"],
        splits: Mapping[str, Sequence[Item]],
        told: str,
        used: Sequence[str],
    ) -> Folder:
        ordered = {split: splits[split] for split in SPLITS if split in splits}
        folder = Folder(self.root, kind, ordered, f"images listed in {Path(self.where).name}, {told}")
        folder.problems = [*dict.fromkeys(self.problems)]
        others = ", ".join(name for name in self.columns if name not in used)
        if others:
            folder.notes.append(f"{self.where}: columns that are not used: {others}")
        return folder


def class_in(row: Row, column: str) -> str:
    """The class of a row: text, or a whole number.

    Raises:
        DataError: it has none, or another value.
    """
    value = row.cells.get(column)
    if value is None or str(value).strip() == "":
        raise DataError(f"{row}: has no {column}; add it, or remove the row")
    text = value.strip() if isinstance(value, str) else json.dumps(value)
    if text.isdecimal():
        return str(int(text))
    if isinstance(value, list | dict) or NUMBER.fullmatch(text):
        raise DataError(f"{row}: {column} is {text[:40]}, but a class is a name or a whole number; correct it")
    return text
