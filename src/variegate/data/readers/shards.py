"""Shards: tar files that hold a folder of data, with an index that says where each file begins."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from ...core.errors import DataError
from ..conditions.spec import ConditionSpec, OfLandmarks, OfVector, Part
from ..files import images as image_files
from ..files.blobs import File, Member, Shard
from ..files.walk import is_hidden, walk
from .foreign_shards import foreign_index
from .items import Folder, Item, Splits
from .records import Columns, from_columns, from_record

INDEX = "variegate.json"
FORMAT, VERSION = "variegate shards", 1
TARS = ("*.tar", "*/*.tar")
UNPACKERS = {
    ".tar.gz": "gunzip",
    ".tgz": "gunzip",
    ".tar.bz2": "bunzip2",
    ".tbz2": "bunzip2",
    ".tar.xz": "unxz",
    ".txz": "unxz",
    ".tar.zst": "unzstd",
}
BARE = ("labels", "normals", "derived")  # kinds of folders whose images can be read without their conditions


def are_shards(root: Path) -> bool:
    """Whether a folder holds shards: its own index, or tar files and no images outside them."""
    if (root / INDEX).is_file():
        return True
    return bool(tars_in(root)) and not _has_images(root)


def refuse_compressed(root: Path) -> None:
    """Raise DataError if a folder without an index of its own has compressed tar files and no images."""
    patterns = [f"{level}*{suffix}" for suffix in UNPACKERS for level in ("", "*/")]
    found = [] if (root / INDEX).is_file() else tars_in(root, patterns)
    if found and not _has_images(root):
        unpacker = next(program for suffix, program in UNPACKERS.items() if found[0].name.endswith(suffix))
        raise DataError(
            f"{found[0]}: is compressed, so that its members cannot be read at an offset; unpack it to .tar "
            f"({unpacker}), or move it out of the folder"
        )


def tars_in(root: Path, patterns: Sequence[str] = TARS) -> list[Path]:
    """The tar files in a folder and its subfolders, without hidden ones."""
    files = (file for pattern in patterns for file in root.glob(pattern) if file.is_file())
    return image_files.in_order(file for file in files if not any(map(is_hidden, file.relative_to(root).parts)))


def _has_images(root: Path) -> bool:
    return any(file.suffix.lower() in image_files.SUFFIXES for file in walk(root))


def settings_of_shards(path: object) -> dict[str, Any]:
    """The options with which data were packed, such as --condition; empty for all other data.

    Raises:
        DataError: the index is damaged.
    """
    root = Path(path) if isinstance(path, str | Path) else Path()
    return dict(_index(root).get("settings", {})) if (root / INDEX).is_file() else {}


def read_shards(root: Path, spec: ConditionSpec | None, unpaired: bool) -> Folder:
    """The folder that was packed, with its files in the shards.

    Raises:
        DataError: a shard is missing or damaged, or was packed in another way than is asked for.
    """
    index, seen = (_index(root), None) if (root / INDEX).is_file() else foreign_index(root, tars_in(root))
    try:
        if seen is None:
            _stay_inside(index["shards"])
        shards = [Shard(root / one["name"], int(one["bytes"])) for one in index["shards"]]
        splits = {split: _items(table, shards) for split, table in index["splits"].items()}
        folder = replace(from_record(index["folder"], root, splits), seen=seen)
        folder.structure += f", in {len(shards)} shard{'s' * (len(shards) != 1)}"
        packed = index["reads"]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, MemoryError):
        raise _damaged(root) from None
    for shard in shards:
        shard.check()
    if unpaired != folder.unpaired:
        was, again = ("as pairs", "with") if unpaired else ("unpaired", "without")
        raise DataError(f"{root}: was packed {was}; pack the data again {again} --unpaired")
    alone = folder.kind == "derived" and not folder.classes
    asked, own = index.get("settings", {}).get("condition"), "class" if folder.classes else folder.kind
    if spec is None and (alone or (asked and asked != own)):
        how = f"was packed with --condition {packed}" if packed else "has images without conditions of their own"
        raise DataError(f"{root}: {how}; give --condition {packed or 'edges, grey, self, superres:4 or inpaint'}")
    return folder if spec is None or reads(spec) == packed else _with_other_condition(folder, spec, packed)


def reads(spec: ConditionSpec) -> str:
    """What a condition reads of the data, as the index has it."""
    return "+".join(map(_reads, spec.parts))


def _reads(part: Part) -> str:
    if isinstance(part, OfVector):
        return f"vectors:{part.file.name}"
    return "landmarks" if isinstance(part, OfLandmarks) else str(part)


def _with_other_condition(folder: Folder, spec: ConditionSpec, packed: str) -> Folder:
    """The images alone, if a condition is derived from them or there is none."""
    if spec.stored or spec.classes or spec.vectors is not None or folder.unpaired or folder.kind not in BARE:
        given = f"the condition {packed}" if packed else "no --condition"
        raise DataError(
            f"{folder.root}: was packed with {given}; omit --condition {spec}, or pack the data again with it"
        )
    splits: Splits = {name: [Item(item.image, box=item.box) for item in items] for name, items in folder.splits.items()}
    what = f"plain images with the condition {str(spec)!r}{' derived from each' * (spec.derived is not None)}"
    return replace(folder, kind="derived", splits=splits, structure=what, classes=(), length=None, labels=None)


def _stay_inside(shards: Sequence[Mapping[str, Any]]) -> None:
    """Raise ValueError for a shard outside of the folder; one in it may be a link, as in the hub's cache."""
    names = [PurePath(shard["name"]) for shard in shards]
    if any(name.is_absolute() or ".." in name.parts for name in names):
        raise ValueError("a shard lies outside of the folder")


def _items(table: Mapping[str, Any], shards: list[Shard]) -> Sequence[Item]:
    return from_columns(table["items"], {name: _members(one, shards) for name, one in table["files"].items()})


def _members(columns: Columns, shards: list[Shard]) -> list[File]:
    names = ("shard", "path", "offset", "size")
    checked = columns.get("crc32") or [None] * len(columns["path"])
    rows = list(zip(*(columns[name] for name in names), checked, strict=True))
    if not all(
        type(value) is int and value >= 0 for shard, _, offset, size, _ in rows for value in (shard, offset, size)
    ):
        raise ValueError("a place in a shard is no number")
    if not all(type(path) is str and (crc32 is None or type(crc32) is int) for _, path, _, _, crc32 in rows):
        raise ValueError("a member has no name, or no checksum")
    if any(offset + size > shards[shard].size for shard, _, offset, size, _ in rows):
        raise ValueError("a file ends after its shard")
    return [Member(shards[shard], path, offset, size, crc32) for shard, path, offset, size, crc32 in rows]


def _index(root: Path) -> dict[str, Any]:
    try:
        index = json.loads((root / INDEX).read_text(encoding="utf-8"))
        known = index["format"] == FORMAT, index["version"] == VERSION
        dict(index.get("settings", {})).get("condition")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _damaged(root) from None
    if not known[0]:
        raise _damaged(root)
    if not known[1]:
        raise DataError(
            f"{root / INDEX}: has version {index['version']} of the format, but version {VERSION} is read here; "
            "update variegate, or pack the data again"
        )
    return dict(index)


def _damaged(root: Path) -> DataError:
    return DataError(f"{root / INDEX}: is no index of shards, or is damaged; copy it again, or pack the data again")
