"""List the files below a folder: hidden ones skipped, links followed without endless loops."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

LITTER = frozenset({"__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"})


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden or internal to a program: `.ipynb_checkpoints`, `__MACOSX`, `._1.png`."""
    return name.startswith(".") or name in LITTER


def walk(root: Path) -> Iterator[Path]:
    """Yield the files below a folder. Links to folders are followed, except links to one of their parents."""
    for folder, entry in _walk(root, frozenset()):
        yield folder / entry.name


def states(root: Path, before: str = "") -> Iterator[str]:
    """Name, size and time of change of each file below a folder, in words of one line each.

    Args:
        before: the beginning of each line.
    """
    last, place = root, before
    for folder, entry in _walk(root, frozenset()):
        if folder is not last:
            last, place = folder, f"{before}{folder.relative_to(root).as_posix()}/"
        yield state_of(f"{place}{entry.name}", entry)


def state_of(name: str, file: Path | os.DirEntry[str]) -> str:
    """A line with a name, and the size and time of change of its file."""
    state = file.stat()
    return f"{name}:{state.st_size}:{state.st_mtime_ns}"


def _walk(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[tuple[Path, os.DirEntry[str]]]:
    try:
        own = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:  # a broken link, or an unreadable folder
        return
    place = (own.st_dev, own.st_ino)
    if place in above:
        return
    for entry in entries:
        if is_hidden(entry.name):
            continue
        if entry.is_dir():
            yield from _walk(folder / entry.name, above | {place})
        elif entry.is_file():
            yield folder, entry
