"""Tar files in the naming of WebDataset that other programs wrote: KEY.jpg beside KEY.cls, KEY.png or KEY.seg.png."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ...core.errors import DataError
from ...core.progress import watched
from ..conditions.metadata import Metadata, evenly
from ..files import cache
from ..files import images as image_files
from ..files.blobs import Member, Shard
from .classes import names_in
from .columns import choose_columns
from .items import SPLITS, Folder, Item, Seen
from .names import split_in
from .pairing import looks_like_labels
from .records import to_columns, to_record

SUFFIXES = tuple(suffix[1:] for suffix in image_files.SUFFIXES)
CLASS = "cls"  # holds the number of a class, as text
ACCEPTED = "each sample needs KEY.jpg (or png, ...), and a KEY.cls, or a second image such as KEY.condition.png"
Sample = dict[str, Member]  # by what follows the key


def foreign_index(root: Path, tars: Sequence[Path]) -> tuple[dict[str, Any], Seen]:
    """The index of tar files without one; it is cached until a file changes.

    Raises:
        DataError: a file is damaged, or its names are not recognised.
    """
    states = [(file.relative_to(root).as_posix(), file.stat()) for file in tars]
    lines = [f"{name}:{state.st_size}:{state.st_mtime_ns}" for name, state in states]
    seen = Seen(cache.digest(["foreign shards", str(root.resolve())]), cache.digest(lines))
    index = cache.load_json("shards", *seen)
    if index is None:
        index = _indexed(root, tars)
        cache.save_json("shards", *seen, index)
    return index, seen


def _indexed(root: Path, tars: Sequence[Path]) -> dict[str, Any]:
    shards = [Shard(file, file.stat().st_size) for file in tars]
    samples: dict[str, list[Sample]] = {}
    for shard in watched(shards, "indexing shards", len(shards)):
        samples.setdefault(_split_of(shard.path, root), []).extend(_samples(shard))
    samples = {split: samples[split] for split in SPLITS if samples.get(split)}
    folder = _folder(root, samples)
    return {
        "reads": "class" if folder.classes else folder.kind if folder.kind == "labels" else "",
        "folder": to_record(folder),
        "shards": [{"name": shard.path.relative_to(root).as_posix(), "bytes": shard.size} for shard in shards],
        "splits": {split: table_of(items, shards) for split, items in folder.splits.items()},
    }


def table_of(items: Sequence[Item], shards: Sequence[Shard]) -> dict[str, Any]:
    """The items of a split, whose files are all in shards, as columns of the index."""
    numbers = {id(shard): number for number, shard in enumerate(shards)}
    files = {}
    for name in ("image", "condition", "instances"):
        column = [one for item in items if isinstance(one := getattr(item, name), Member)]
        if column:
            files[name] = {
                "shard": [numbers[id(one.shard)] for one in column],
                "path": [one.path for one in column],
                "offset": [one.offset for one in column],
                "size": [one.size for one in column],
                "crc32": [one.crc32 for one in column],
            }
    return {"items": to_columns(items), "files": files}


def _split_of(file: Path, root: Path) -> str:
    """The split that a tar file's name says, or that of a folder it lies in."""
    parts = file.relative_to(root).with_suffix("").parts
    return next((split for part in reversed(parts) if (split := split_in(part)[0]) is not None), "train")


def _samples(shard: Shard) -> Iterator[Sample]:
    """The members of each sample, by what follows their key."""
    key, sample = "", Sample()
    for member in _members(shard):
        place = PurePosixPath(member.path)
        name, _, extension = place.name.partition(".")
        own = str(place.parent / name)
        if not extension or name.startswith("__"):  # what readers of WebDataset skip
            continue
        if own != key and sample:
            yield sample
            sample = Sample()
        if extension.lower() in sample:
            raise DataError(f"{shard.path}: has {member.path} twice; write each member once")
        key = own
        sample[extension.lower()] = member
    if sample:
        yield sample


def _members(shard: Shard) -> Iterator[Member]:
    try:
        with tarfile.open(shard.path, "r:") as tar:
            for header in tar:
                if header.isreg():
                    yield Member(shard, header.name, header.offset_data, header.size, None)
                tar.members.clear()  # type: ignore[attr-defined]
            if tar.offset >= shard.size:
                raise tarfile.ReadError("no end mark")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DataError(f"{shard.path}: is no tar file, or was cut short ({error}); copy it again") from None


def _folder(root: Path, samples: Mapping[str, list[Sample]]) -> Folder:
    """What the samples are, by what follows their keys."""
    every = [sample for some in samples.values() for sample in some]
    if not every:
        raise DataError(f"{root}: its tar files hold no samples; {ACCEPTED}")
    names = list(every[0])
    columns = {name: _columns_like(name, every) for name in names if name.rpartition(".")[2] in SUFFIXES}
    if not columns:
        raise DataError(f"{root}: its samples have {', '.join(names)}, but no image; {ACCEPTED}")

    def is_labels(name: str) -> bool:
        return name.endswith("png") and looks_like_labels([sample[name] for sample in every if name in sample])

    chosen = choose_columns([*columns], str(root), is_labels)
    classes = _classes(root, every) if CLASS in names and chosen.condition is None else ()
    kind = {"labels": "label maps + images", "images": "pairs of images", "derived": "images"}[chosen.kind]
    told = f"{len(classes)} classes, " if classes else ""
    folder = Folder(root, chosen.kind, {}, f"WebDataset shards of {kind}, {told}{chosen.why}", classes=classes)
    if chosen.condition is not None:
        folder.sides, folder.direction = (chosen.condition, chosen.image), "AtoB"
    for split, some in samples.items():
        items = [_item(sample, columns, chosen.image, chosen.condition, bool(classes)) for sample in some]
        order = evenly([item.metadata.label or 0 for item in items]) if classes else range(len(items))
        folder.splits[split] = [items[i] for i in order]
    return folder


def _columns_like(name: str, samples: Sequence[Sample]) -> tuple[str, ...]:
    """The spellings of a column, such as jpg, png and jpeg, where no sample has two of them."""
    prefix = name.rpartition(".")[0]
    return tuple(
        {
            other: None
            for sample in samples
            for other in sample
            if other.rpartition(".")[0] == prefix and other.rpartition(".")[2] in SUFFIXES
        }
    )


def _item(
    sample: Sample, columns: Mapping[str, tuple[str, ...]], image: str, condition: str | None, classed: bool
) -> Item:
    def member(column: str) -> Member:
        found = [sample[name] for name in (column, *columns[column]) if name in sample]
        if not found:
            first = next(iter(sample.values()))
            raise DataError(f"{first}: has no {column}, unlike the first sample; add it, or remove the sample")
        return found[0]

    label = _class(sample) if classed else None
    return Item(member(image), None if condition is None else member(condition), metadata=Metadata(label))


def _class(sample: Sample) -> int:
    if CLASS not in sample:
        first = next(iter(sample.values()))
        raise DataError(f"{first}: has no {CLASS}, unlike the first sample; add it, or remove the sample")
    text = sample[CLASS].read().decode("utf-8", errors="replace").strip()
    if not text.isdecimal():
        raise DataError(f"{sample[CLASS]}: holds {text[:20]!r}, but a class is a whole number, such as 3")
    return int(text)


def _classes(root: Path, samples: Sequence[Sample]) -> tuple[str, ...]:
    """The names of the classes: those in classes.json or classes.txt beside the shards, or else their numbers."""
    count = max(map(_class, samples)) + 1
    named = tuple(names_in(root))
    if named and len(named) < count:
        raise DataError(f"{root}: names {len(named)} classes, but samples have classes up to {count - 1}; name each")
    return named or tuple(map(str, range(count)))
