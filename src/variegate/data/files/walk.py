"""Files below a folder, as a person would count them: nothing hidden, links followed, nothing twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

LITTER = frozenset({"__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"})


def is_hidden(name: str) -> bool:
    """Whether a file or folder is kept by a program for itself: `.ipynb_checkpoints`, `__MACOSX`, `._1.png`."""
    return name.startswith(".") or name in LITTER


def walk(root: Path) -> Iterator[Path]:
    """Files below a folder. Links to folders are followed, but not into a folder that leads to them."""
    yield from _walk(root, frozenset())


def _walk(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    try:
        own = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:  # a link without target, or a folder that may not be read
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
            yield folder / entry.name
