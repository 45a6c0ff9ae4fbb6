"""Pack a folder of data into shards: tar files that any reader of WebDataset reads, with an index for random access."""

from __future__ import annotations

import io
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import ConfigError, DataError
from ...core.files import replacing_folder
from ...core.progress import watched
from ...core.tars import writing_tar
from ..files.blobs import Blob, File, Member, Shard, read_bytes
from ..readers.arrays import find_arrays
from ..readers.foreign_shards import table_of
from ..readers.items import Folder, Item
from ..readers.records import FILES, to_record
from ..readers.remembered import recognise_any
from ..readers.shards import FORMAT, INDEX, VERSION, are_shards, reads
from .choice import STORED, depth_problems, folder_labels
from .opening import DataConfig, directed, is_streets, refuse_problems

SHARD_BYTES = 256 * 10**6
LONGEST = 60  # letters of a file's name in its key


@dataclass(frozen=True)
class Limits:
    """Where a shard ends: after `count` samples or as many `size` bytes, whichever comes first."""

    size: int = SHARD_BYTES
    count: int | None = None

    def __post_init__(self) -> None:
        if self.size < 1 or (self.count is not None and self.count < 1):
            raise ConfigError(
                "a shard must hold at least one sample; give --per-shard 1 or more, or --shard-size 256MB"
            )


def pack(config: DataConfig, out: Path, limits: Limits | None = None) -> str:
    """Pack a folder. `out` is written beside its place and renamed when it is whole, so half of it is never read.

    Returns:
        One sentence on what was written.

    Raises:
        DataError: the data have a problem, are no folder of files, or `out` holds anything.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: exists and is not empty; give a new folder, or empty that one")
    folder = _recognised(config)
    with replacing_folder(out) as aside:
        packer = _Packer(aside, limits or Limits())
        splits = {split: packer.pack(split, items) for split, items in folder.splits.items()}
        index = {
            "format": FORMAT,
            "version": VERSION,
            "settings": config.model_dump(mode="json", exclude_unset=True, exclude={"path"}),
            "reads": _read_by(config, folder),
            "folder": to_record(folder),
            "shards": [{"name": shard.path.name, "bytes": shard.size} for shard in packer.shards],
            "splits": {split: table_of(items, packer.shards) for split, items in splits.items()},
        }
        (aside / INDEX).write_text(json.dumps(index, separators=(",", ":"), allow_nan=False), encoding="utf-8")
    counts = ", ".join(f"{len(items)} {split}" for split, items in splits.items())
    size = sum(shard.size for shard in packer.shards)
    return f"{folder.structure}: {counts}, {size / 1e6:.1f} MB in {len(packer.shards)} shards"


def _recognised(config: DataConfig) -> Folder:
    """The folder, with all that opening finds by a look at its files."""
    if is_streets(config.path):
        raise DataError(f"{config.path}: is drawn, not read; export it first: variegate data export-streets DIR")
    if find_arrays(config.path) is not None:
        raise DataError(f"{config.path}: is arrays of images, which train as they are; pack a folder of files")
    folder = recognise_any(config.path, config.condition, config.unpaired)
    if isinstance(next(iter(folder.splits.values()))[0].image, Member) and are_shards(folder.root):
        raise DataError(f"{config.path}: is packed already; give the folder of its files")
    refuse_problems([*folder.problems, *depth_problems(folder, config.white_level)])
    directed(folder, config.direction, config.white_level)
    if folder.kind == "labels":
        labels, problems = folder_labels(folder)
        refuse_problems(problems)
        folder = replace(folder, labels=labels)
    return replace(folder, name=folder.name or folder.root.resolve().name)


def _read_by(config: DataConfig, folder: Folder) -> str:
    spec = config.condition or STORED.get(folder.kind)
    return reads(spec) if spec is not None else "class" if folder.classes else ""


class _Packer:
    """Writes samples one after the other, and begins a shard when one is full."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder, self.limits = folder, limits
        self.shards: list[Shard] = []

    def pack(self, split: str, items: Sequence[Item]) -> list[Item]:
        """The same items with their files in shards."""
        packed: list[Item] = []
        left = watched(items, f"packing {split}", len(items))
        while len(packed) < len(items):
            number = sum(shard.path.name.startswith(f"{split}-") for shard in self.shards)
            self._shard(self.folder / f"{split}-{number:06d}.tar", left, packed)
        return packed

    def _shard(self, path: Path, left: Iterator[Item], packed: list[Item]) -> None:
        shard, begun, members = Shard(path, 0), len(packed), []
        with writing_tar(path) as add:
            for item in left:
                files = _files_of(item, len(packed))
                written = {}
                for name, (file, content) in files.items():
                    offset = add(name, content)
                    if file is not None:
                        where = name.partition(".")[2].partition(".")[0]
                        written[where] = (_path_of(file), offset, len(content), zlib.crc32(content))
                members.append(written)
                packed.append(item)
                full = offset + len(content) >= self.limits.size
                if full or len(packed) - begun == self.limits.count:
                    break
        shard = Shard(path, path.stat().st_size)
        self.shards.append(shard)
        for number, written in enumerate(members, begun):
            moved: Any = {name: Member(shard, *place) for name, place in written.items()}
            packed[number] = replace(packed[number], **moved)


def _files_of(item: Item, number: int) -> dict[str, tuple[File | None, bytes]]:
    """The members of a sample by name: files as they are, and what other programs need of the rest."""
    stem = re.sub(r"[^\w-]+", "_", Path(item.image.name).stem)[:LONGEST]
    key = f"{number:08d}-{stem}"
    members: dict[str, tuple[File | None, bytes]] = {}
    for name in FILES:
        file: File | None = getattr(item, name)
        if file is not None:
            members[f"{key}.{name}{file.suffix.lower()}"] = (file, read_bytes(file))
    label, vector = item.metadata
    if label is not None:
        members[f"{key}.cls"] = (None, str(label).encode())
    if item.points is not None:
        points = [[None if np.isnan(value) else float(value) for value in point] for point in item.points]
        members[f"{key}.landmarks.json"] = (None, json.dumps(points).encode())
    if vector is not None:
        stream = io.BytesIO()
        np.save(stream, vector, allow_pickle=False)
        members[f"{key}.vector.npy"] = (None, stream.getvalue())
    return members


def _path_of(file: File) -> str:
    return file.path if isinstance(file, Blob) else f"{file.parent.name}/{file.name}"
