"""Tar files in the naming of WebDataset that other programs wrote: KEY.jpg beside KEY.cls, KEY.png or KEY.seg.png."""

from __future__ import annotations

import re
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
from ..files.walk import is_hidden, state_of
from .classes import NAMED_IN, names_in
from .columns import choose_columns
from .items import SPLITS, Folder, Item, Seen
from .names import SPLIT_WORDS, split_in
from .pairing import looks_like_labels
from .records import FILES, to_columns, to_record

SUFFIXES = tuple(suffix[1:] for suffix in image_files.SUFFIXES)
SPLIT_OF = {word: split for split, words in SPLIT_WORDS.items() for word in words}
CLASS = "cls"  # holds the number of a class, as text
ACCEPTED = "each sample needs KEY.jpg (or png, ...), and a KEY.cls, or a second image such as KEY.condition.png"
Sample = dict[str, Member]  # by what follows the key


def foreign_index(root: Path, tars: Sequence[Path]) -> tuple[dict[str, Any], Seen]:
    """The index of tar files without one; it is cached until one of them, or the names of the classes, change.

    Raises:
        DataError: a file is damaged, or its names are not recognised.
    """
    read = [*tars, *(root / name for name in NAMED_IN if (root / name).is_file())]
    lines = [state_of(file.relative_to(root).as_posix(), file) for file in read]
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
    for name in FILES:
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
    """The split that a tar file's name says, or that of a folder it lies in.

    Raises:
        DataError: a name has several.
    """
    for part in reversed(file.relative_to(root).with_suffix("").parts):
        words = [word.rstrip("0123456789") for word in re.split(r"[\s_.-]+", part.lower())]
        found = [*dict.fromkeys(SPLIT_OF[word] for word in words if word in SPLIT_OF)]
        if len(found) > 1:
            raise DataError(f"{file}: {part} has the splits {' and '.join(found)} in its name; keep one of them")
        split = found[0] if found else split_in(re.sub(r"[\s_.-]+\d+$", "", part))[0]
        if split is not None:
            return split
    return "train"


def _samples(shard: Shard) -> Iterator[Sample]:
    """The members of each sample, by what follows their key."""
    key, sample = "", Sample()
    for member in _members(shard):
        place = PurePosixPath(member.path)
        name, _, extension = place.name.partition(".")
        own = str(place.parent / name)
        skipped = not extension or name.startswith("__")  # by readers of WebDataset
        if skipped or any(map(is_hidden, place.parts)):
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
    """The spellings of a column, such as jpg and jpeg, without those that a sample has beside the column itself."""
    prefix = name.rpartition(".")[0]
    beside = {other for sample in samples if name in sample for other in sample} - {name}
    return tuple(
        {
            other: None
            for sample in samples
            for other in sample
            if other not in beside and other.rpartition(".")[0] == prefix and other.rpartition(".")[2] in SUFFIXES
        }
    )


def _item(
    sample: Sample, columns: Mapping[str, tuple[str, ...]], image: str, condition: str | None, classed: bool
) -> Item:
    def member(column: str) -> Member:
        found = [sample[name] for name in (column, *columns[column]) if name in sample]
        if not found:
            raise _lacking(column, sample)
        return found[0]

    own, other = member(image), None if condition is None else member(condition)
    if condition is not None and other is own:
        raise _lacking(condition, sample)
    return Item(own, other, metadata=Metadata(_class(sample) if classed else None))


def _lacking(column: str, sample: Sample) -> DataError:
    first = next(iter(sample.values()))
    return DataError(f"{first}: has no {column}, unlike the first sample; add it, or remove the sample")


def _class(sample: Sample) -> int:
    if CLASS not in sample:
        raise _lacking(CLASS, sample)
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
