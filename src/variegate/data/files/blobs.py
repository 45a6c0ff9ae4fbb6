"""Files within files: members of tar files, cells of tables. They are read like files on disk, each with one seek."""

from __future__ import annotations

import io
import os
import tempfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ...core.errors import DataError

OPEN = 64  # shards that a process holds open at once


class Blob(ABC):
    """A file within another; `str` gives its place, for messages.

    Attributes:
        path: where the file that was stored lay, relative to its folder.
        size: in bytes.
    """

    __slots__ = ()
    path: str
    size: int

    @abstractmethod
    def read(self) -> bytes:
        """Raises DataError if the file that holds it is missing or damaged."""

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.path).suffix

    def open(self) -> io.BytesIO:
        return io.BytesIO(self.read())


File = Path | Blob


@dataclass(frozen=True, eq=False)
class Shard:
    """A tar file whose members are read at known offsets; `size` in bytes is what it had when these were noted."""

    path: Path
    size: int

    def check(self) -> None:
        """Raises DataError if the file is missing, or has another size."""
        try:
            found = self.path.stat().st_size
        except OSError:
            raise DataError(
                f"{self.path}: this shard is missing; copy it there again, or pack the data again"
            ) from None
        if found != self.size:
            raise DataError(
                f"{self.path}: this shard has {found} bytes instead of {self.size}, so it was cut short or replaced; "
                "copy it again, or pack the data again"
            )

    def read(self, offset: int, length: int) -> bytes:
        try:
            file = _opened(self)
            content = _read(file, offset, length)
        except OSError as error:
            raise DataError(
                f"{self.path}: this shard cannot be read ({error.strerror}); copy it again, or pack the data again"
            ) from None
        if len(content) != length:
            raise DataError(f"{self.path}: this shard was cut short; copy it again, or pack the data again")
        return content


@dataclass(frozen=True, slots=True)
class Member(Blob):
    """A member of a shard.

    Attributes:
        offset: where its content begins.
        crc32: of the content; None if it was never computed.
    """

    shard: Shard
    path: str
    offset: int
    size: int
    crc32: int | None

    def __str__(self) -> str:
        return f"{self.shard.path}/{self.path}"

    def read(self) -> bytes:
        content = self.shard.read(self.offset, self.size)
        if self.crc32 is not None and zlib.crc32(content) != self.crc32:
            raise DataError(f"{self}: is not what was packed, so the shard is damaged; copy it again, or pack again")
        return content


def size_in_bytes(file: File) -> int:
    return file.size if isinstance(file, Blob) else file.stat().st_size


def read_bytes(file: File) -> bytes:
    return file.read() if isinstance(file, Blob) else file.read_bytes()


@contextmanager
def as_path(file: File) -> Iterator[Path]:
    """The path of a file, for libraries that read nothing else; a blob is written to a temporary one."""
    if isinstance(file, Path):
        yield file
        return
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, file.name)
        place.write_bytes(file.read())
        yield place


@lru_cache(maxsize=OPEN)
def _opened(shard: Shard) -> BinaryIO:
    """The file of a shard. It may be shared with forked processes and other threads, since reads give their offset."""
    return shard.path.open("rb", buffering=0)


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(file.fileno(), length, offset)
    with open(file.name, "rb") as own:  # Windows, where offsets belong to the open file
        own.seek(offset)
        return own.read(length)
