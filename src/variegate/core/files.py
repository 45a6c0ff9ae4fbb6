"""Writing so that a good file or folder is never replaced by half of one: beside the target, synced, then renamed."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from .errors import TrainingError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write a file, with the suffix of `path`, whose place it takes if nothing is raised inside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.stem}.{os.getpid()}.writing{path.suffix}")
    try:
        yield aside
        sync(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """A new folder, which takes the place of `folder` if nothing is raised inside."""
    aside, old = (folder.with_name(f".{folder.name}.{word}") for word in ("writing", "old"))
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        yield aside
        for file in aside.rglob("*"):
            if file.is_file():
                sync(file)
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            os.replace(folder, old)
        os.replace(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def saving(folder: Path) -> Iterator[Path]:
    """As `replacing_folder`, for what training saves.

    Raises:
        TrainingError: it cannot be written; what was there before is untouched.
    """
    try:
        with replacing_folder(folder) as aside:
            yield aside
    except (OSError, SafetensorError, RuntimeError) as error:  # torch and safetensors have types of their own
        raise TrainingError(
            f"could not write {folder}: {error}; what was saved before is untouched; free some space and resume"
        ) from error


@contextmanager
def words_for_a_full_disk(folder: Path) -> Iterator[None]:
    """Small files (numbers, images) are written in place; when the disk is full, say so and what is still good."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise TrainingError(
            f"could not write into {folder}: {error}; saved checkpoints are untouched; free some space and resume"
        ) from error


def write_text(path: Path, text: str) -> None:
    """All of it, or what was there before."""
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def sync(path: Path) -> None:
    """Have the disk hold what was written to a file."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
