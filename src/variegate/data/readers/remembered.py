"""Folders of many files, recognised once: what was found is in the cache until a file is added, removed or changed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...core.errors import DataError
from ..conditions.spec import ConditionSpec
from ..files import cache
from ..files.blobs import File
from ..files.walk import state_of, states
from .classes import NAMED_IN
from .folders import existing, recognise
from .hub_datasets import is_hub_dataset, read_hub_dataset
from .items import Folder, Item, Rows, Seen
from .records import FILES, from_columns, from_record, to_columns, to_record
from .shards import are_shards, read_shards, refuse_compressed
from .two_sides import named_folders

MANY = 2000  # files from which it takes longer to look at each than at the cache


def recognise_any(path: str | Path, spec: ConditionSpec | None = None, unpaired: bool = False) -> Folder:
    """Work out what a folder is: shards, a table of images, or files; see `recognise`.

    Raises:
        DataError: the folder does not exist, is empty, or contains nothing that is recognised.
    """
    if named_folders(str(path)) is not None:
        return _remembered(path, spec, unpaired)
    root = existing(Path(path))
    if are_shards(root):
        refuse_compressed(root)
        return read_shards(root, spec, unpaired)
    if is_hub_dataset(root):
        return read_hub_dataset(root, spec, unpaired)
    try:
        return _remembered(path, spec, unpaired)
    except DataError:
        refuse_compressed(root)
        raise


def _remembered(path: str | Path, spec: ConditionSpec | None, unpaired: bool) -> Folder:
    roots = named_folders(str(path)) or (Path(path),)
    seen = _state_of(roots, spec, unpaired)
    if seen is None:
        return recognise(path, spec, unpaired)
    try:
        return replace(_from_saved(cache.load_json("folders", *seen), roots), seen=seen)
    except (KeyError, IndexError, TypeError, ValueError):  # never saved, or by another program
        folder = replace(recognise(path, spec, unpaired), seen=seen)
    if not folder.problems:
        _save(folder, roots, seen)
    return folder


def _state_of(roots: Sequence[Path], spec: ConditionSpec | None, unpaired: bool) -> Seen | None:
    """How a folder is read, and the state of its files; None if these are few."""
    lines = [line for number, root in enumerate(roots) for line in states(root, f"{number}/")]
    if len(lines) < MANY:
        return None
    more = [_base(roots) / name for name in NAMED_IN]  # in the folder that holds two that are given
    more += [spec.vectors] if spec is not None and spec.vectors is not None else []
    lines += [state_of(str(file), file) for file in more if file.is_file()]
    asked = [*(str(root.absolute()) for root in roots), str(spec), str(unpaired)]
    return Seen(cache.digest(asked), cache.digest(lines))


def _base(roots: Sequence[Path]) -> Path:
    """The root of a folder, or that of two, as `two_named` has it."""
    return roots[0] if len(roots) == 1 else Path(os.path.commonpath([root.resolve() for root in roots]))


def _save(folder: Folder, roots: Sequence[Path], seen: Seen) -> None:
    try:
        splits = {split: _to_table(items, roots) for split, items in folder.splits.items()}
    except ValueError:  # what records do not hold
        return
    cache.save_json("folders", *seen, {"folder": to_record(folder), "splits": splits})


def _from_saved(saved: Any, roots: Sequence[Path]) -> Folder:
    splits = {split: _from_table(table, roots) for split, table in saved["splits"].items()}
    return from_record(saved["folder"], _base(roots), splits)


def _to_table(items: Sequence[Item], roots: Sequence[Path]) -> dict[str, Any]:
    files = {name: [getattr(item, name) for item in items] for name in FILES}
    there = {name: column for name, column in files.items() if any(file is not None for file in column)}
    return {"items": to_columns(items), "files": {name: _to_names(column, roots) for name, column in there.items()}}


def _to_names(files: Sequence[Path], roots: Sequence[Path]) -> dict[str, Any]:
    """Paths relative to the first root that they all lie in. Raises ValueError if they lie in none."""
    for number, root in enumerate(roots):
        start = f"{root}/" if str(root) != "." else ""
        texts = [str(file) for file in files]
        if all(text.startswith(start) for text in texts):
            return {"root": number, "names": [text[len(start) :] for text in texts]}
    raise ValueError("files outside the folder")


def _from_table(table: Mapping[str, Any], roots: Sequence[Path]) -> Sequence[Item]:
    files: dict[str, Sequence[File]] = {
        name: Rows(column["names"], roots[column["root"]].joinpath) for name, column in table["files"].items()
    }
    return from_columns(table["items"], files)
