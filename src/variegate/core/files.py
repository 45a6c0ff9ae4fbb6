"""Atomic writes: next to the target, synced, then renamed, so no good file or folder is replaced by half of one.

The folder is synced too: after a power failure a rename that was not may be undone.
"""

from __future__ import annotations

import errno
import glob
import os
import shutil
import socket
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from .errors import TrainingError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path with the suffix of `path`, which replaces `path` if nothing is raised inside.

    Those of processes that were killed on this machine are removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    here = f"{zlib.crc32(socket.gethostname().encode()):08x}"
    for left in path.parent.glob(f".{glob.escape(path.stem)}.{here}-*.writing{glob.escape(path.suffix)}"):
        if not is_running(int(left.name.removesuffix(f".writing{path.suffix}").rpartition("-")[2])):
            left.unlink(missing_ok=True)
    aside = path.with_name(f".{path.stem}.{here}-{os.getpid()}.writing{path.suffix}")
    try:
        yield aside
        sync(aside)
        os.replace(aside, path)
        sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def is_running(process: int) -> bool:
    """Whether there is a process of this number, as far as the system tells without ending it."""
    try:
        if os.name == "posix":
            os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        pass
    return True


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder, which replaces `folder` if nothing is raised inside."""
    aside, old = beside(folder)
    tidy(folder)
    aside.mkdir(parents=True)
    try:
        yield aside
        for file in aside.rglob("*"):
            sync_folder(file) if file.is_dir() else sync(file)
        sync_folder(aside)
        if folder.exists():
            os.replace(folder, old)
        os.replace(aside, folder)
        sync_folder(folder.parent)
        sync_folder(folder.parent.parent)  # the parent may be as new
    finally:
        tidy(folder)


def tidy(folder: Path) -> None:
    """Remove what an interrupted replacement of a folder left beside it, after putting the old one back if needed."""
    aside, old = beside(folder)
    if old.exists() and not folder.exists():
        os.replace(old, folder)
    shutil.rmtree(aside, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def beside(folder: Path) -> tuple[Path, Path]:
    """Where the new folder is written, and where the old one is moved to."""
    return folder.with_name(f".{folder.name}.writing"), folder.with_name(f".{folder.name}.old")


@contextmanager
def saving(folder: Path) -> Iterator[Path]:
    """Like `replacing_folder`, for what training saves.

    Raises:
        TrainingError: the folder cannot be written; what was there before is untouched.
    """
    try:
        with replacing_folder(folder) as aside:
            yield aside
    except (OSError, SafetensorError, RuntimeError) as error:  # torch and safetensors raise their own types
        raise TrainingError(
            f"could not write {folder}: {error}; what was saved before is untouched; free some space and resume"
        ) from error


@contextmanager
def words_for_a_full_disk(
    folder: Path, good: str = "saved checkpoints are untouched", go_on: str = "resume"
) -> Iterator[None]:
    """Report a full disk, and what is still good, while small files (metrics, images) are written in place."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise TrainingError(f"could not write to {folder}: {error}; {good}; free some space and {go_on}") from error


def check_writable(folder: Path) -> None:
    """Raises TrainingError at once for a folder in which nothing can be written later; makes it if there is none."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise TrainingError(
            f"{folder}: cannot be written to ({error.strerror}); change that, or copy it elsewhere"
        ) from None


def write_text(path: Path, text: str) -> None:
    """Write a file completely, or leave what was there before."""
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def sync(path: Path) -> None:
    """Flush what was written to a file to disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flush to disk which files a folder has, so that a rename outlasts a power failure; where the system can do it."""
    if os.name == "nt":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # one that may be entered and written to, but not read
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
