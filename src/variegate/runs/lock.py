"""One training at a time in a run directory: a lock that the system drops with the process that holds it."""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path

from ..core.errors import ConfigError, TrainingError
from ..core.files import check_writable
from ..core.launch import first

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)
NAME = ".lock"
FULL = (errno.ENOSPC, errno.EDQUOT)
TAKEN = (errno.EWOULDBLOCK, errno.EACCES)  # NFS answers the second
_held: ContextVar[frozenset[Path]] = ContextVar("held", default=frozenset())
_open: set[int] = set()  # descriptors, for processes that are forked while they are held


@contextmanager
def holding(folder: Path, does: str = "trains in it") -> Iterator[None]:
    """Hold a folder, so that no other process trains in it; whoever only reads it asks for nothing.

    Of the processes that torchrun or Slurm started, the first holds it for all. The lock belongs to an open file: it
    ends with the process, also after `kill -9` or a power failure. Held folders can be held again inside.

    Args:
        does: what the others are told that the holder does.

    Raises:
        ConfigError: another process holds it; the message says which, where and since when.
        TrainingError: the folder cannot be written to.
        OSError: the disk is full.
    """
    place = folder.resolve()
    if place in _held.get() or not first():
        yield
        return
    new = not folder.exists()
    check_writable(folder)
    descriptor = take(folder, does)
    before = _held.set(_held.get() | {place})
    try:
        yield
    finally:
        _held.reset(before)
        if descriptor is not None:
            release(folder / NAME, descriptor)
        if new:
            with suppress(OSError):  # it is not empty: training began
                folder.rmdir()


def take(folder: Path, does: str) -> int | None:
    """Lock the folder's file, and write into it who holds it; None, with a warning, if nothing can be locked there."""
    path = folder / NAME
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            if error.errno in FULL:
                raise
            raise TrainingError(f"{path}: cannot be opened ({error.strerror}); remove it, then resume") from None
        try:
            lock(descriptor)
        except OSError as error:
            taken = error.errno in TAKEN
            holder = in_words(os.pread(descriptor, 1000, 0)) if taken else ""
            os.close(descriptor)
            if taken:
                raise ConfigError(f"{folder}: {holder} {does}; wait for it, or give another --out") from None
            why = (folder, error.strerror)
            logger.warning("%s: cannot be locked (%s), so nothing stops a second training; start only one", *why)
            return None
        if same(path, descriptor):  # otherwise its last holder removed it in between
            break
        os.close(descriptor)
    _open.add(descriptor)
    since = datetime.now().astimezone().isoformat(" ", "seconds")
    text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since})
    with suppress(OSError):  # on a full disk nobody is told who holds it
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
    return descriptor


def lock(descriptor: int) -> None:
    """Raises OSError: one of TAKEN, or what else the file system answers."""
    if fcntl is None:
        raise OSError(errno.ENOSYS, "this system has no flock")
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def release(path: Path, descriptor: int) -> None:
    """Remove the file, then end the lock."""
    if same(path, descriptor):
        with suppress(OSError):
            path.unlink()
    _open.discard(descriptor)
    os.close(descriptor)


def same(path: Path, descriptor: int) -> bool:
    """Whether the path still leads to the open file."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def in_words(holder: bytes) -> str:
    """Who holds a folder, as written in its file."""
    try:
        one = json.loads(holder)
        return f"process {one['pid']} on {one['host']}, since {one['since']},"
    except (ValueError, KeyError, TypeError):
        return "another process"


def forget() -> None:
    """Close what a forked process inherited: workers that outlive a killed training must not keep its lock."""
    for descriptor in _open:
        os.close(descriptor)
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)
