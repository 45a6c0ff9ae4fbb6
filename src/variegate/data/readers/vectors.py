"""The vectors of a folder's images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..conditions.metadata import Metadata
from ..files import images as image_files
from ..files.vectors import matched, read_vectors
from .items import Folder


def add_vectors(folder: Folder, file: Path) -> None:
    """Give each item its vector; a file without names lists them in natural order of the paths, regardless of split."""
    items = sorted(
        (item for split in folder.splits.values() for item in split), key=lambda i: image_files.natural(i.path)
    )
    names = [item.path.relative_to(folder.root).as_posix() for item in items]
    rows = matched(read_vectors(file), names, str(folder.root))
    own = {item.image: row for item, row in zip(items, rows)}
    folder.length = rows.shape[1]
    for split, some in folder.splits.items():
        folder.splits[split] = [replace(i, metadata=Metadata(i.metadata.label, own[i.image])) for i in some]
