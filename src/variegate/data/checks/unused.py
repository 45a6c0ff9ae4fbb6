"""Files in a folder that training would not use, and how unusual ones among the others are read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ...core.progress import watched
from ..files import images as image_files
from ..files.blobs import File
from ..files.boxes import TABLES as BOXES
from ..files.image_lists import NAMES as LISTS
from ..files.walk import is_hidden

EXPECTED = frozenset(
    {"classes.txt", "classes.json", *LISTS, *BOXES, "thumbs.db", "desktop.ini"}
)  # read, or system files
BESIDE = frozenset({".txt", ".json", ".csv", ".pts", ".npy", ".exr", ".mat", ".xml"})  # read for some kinds of data
MOST = 6  # file types, or folders, named individually


def unused(root: Path, used: Iterable[Path], plain: bool) -> Iterator[str]:
    """One sentence about everything below a folder that training would not read.

    Args:
        used: the files that are.
        plain: only images are read, no other files.
    """
    known = {os.path.abspath(file) for file in used}
    loose: Counter[str] = Counter()
    images: dict[Path, list[Path]] = {}
    for place, entry in _everything(root):
        file = place / entry.name
        if entry.is_symlink() and not file.exists():
            yield f"{file}: is a link to {os.readlink(file)}, which does not exist; fix the link, or delete it"
        elif entry.is_dir():
            if is_hidden(entry.name):
                count = len(image_files.images_in(file, deep=True))
                if count:
                    yield f"{file}: is hidden, so its {_count(count)} not used"
            elif entry.is_symlink():
                above = file.resolve() in (place.resolve(), *place.resolve().parents)
                how = "which it lies in, so it is not followed" if above else "and is followed"
                yield f"{file}: is a link to the folder {file.resolve()}, {how}"
        elif (
            os.path.abspath(file) in known
            or is_hidden(entry.name)
            or entry.name.lower() in EXPECTED
            or file.stem.lower() == "readme"
        ):
            continue
        elif file.suffix.lower() in image_files.SUFFIXES:
            images.setdefault(place, []).append(file)
        elif plain or file.suffix.lower() not in BESIDE:
            loose[file.suffix.lower() or "no suffix"] += 1
    for place, files in list(images.items())[:MOST]:
        yield f"{place}: {_count(len(files))} not used, such as {files[0].name}"
    if loose:
        kinds = ", ".join(f"{count} of {kind}" for kind, count in loose.most_common(MOST))
        yield f"{root}: files of types that are not read: {kinds}"


def _everything(root: Path, above: frozenset[Path] = frozenset()) -> Iterator[tuple[Path, os.DirEntry[str]]]:
    """Folders and files below a folder; hidden folders, and links to a folder that leads to them, are not entered."""
    above |= {root.resolve()}
    try:
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    except OSError:  # no permission to read the folder
        return
    for entry in entries:
        yield root, entry
        if entry.is_dir() and not is_hidden(entry.name) and (root / entry.name).resolve() not in above:
            yield from _everything(root / entry.name, above)


def _count(number: int) -> str:
    return f"{number} images are" if number > 1 else "1 image is"


def decoded(files: Sequence[File]) -> Iterator[str]:
    """How files with an EXIF orientation or several frames are read."""
    turned, several = [], []
    for file in watched(files, "reading headers", len(files)):
        if image_files.is_turned(file):
            turned.append(file)
        if image_files.frames_of(file) > 1:
            several.append(file)
    if turned:
        yield f"{turned[0]}: is rotated upright according to its EXIF orientation{_others(turned)}"
    if several:
        yield f"{several[0]}: has {image_files.frames_of(several[0])} frames or pages, of which the first is used" + (
            _others(several)
        )


def _others(files: Sequence[File]) -> str:
    return f"; {len(files) - 1} more likewise" if len(files) > 1 else ""
