"""Tar files of named members: written whole or not at all, and equal byte for byte for equal members."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .files import replacing

Add = Callable[[str, bytes], int]


@contextmanager
def writing_tar(path: Path) -> Iterator[Add]:
    """Yield `add(name, content)`, which appends a member; the file replaces `path` if nothing is raised inside.

    `add` returns where the content begins, in bytes from the start of the file. Headers have no time and no owner.
    Readers of WebDataset expect the members `KEY.EXTENSION` of one sample one after the other.
    """
    with replacing(path) as aside, aside.open("wb") as file:

        def add(name: str, content: bytes) -> int:
            header = tarfile.TarInfo(name)
            header.size, header.mode = len(content), 0o644
            file.write(header.tobuf(tarfile.PAX_FORMAT))  # for names longer than ustar's, too
            begins = file.tell()
            file.write(content + bytes(-len(content) % tarfile.BLOCKSIZE))
            return begins

        yield add
        file.write(bytes(2 * tarfile.BLOCKSIZE))  # the end of a tar file
