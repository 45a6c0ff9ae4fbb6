"""Writes that fail, or after which the process is dead: what a child does to itself before it trains.

Operations are counted through Python's audit events (files opened for writing, folders made, names changed) and by
wrapping what these do not see (`fsync`, `torch.save` and `save_file`, which write in C++ and Rust).
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from variegate.runs import saved_model

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Operations:
    """Counts the writes of this process below a folder, and hands the number and kind of each to `act`."""

    def __init__(self, folder: Path, act: Callable[[int, str], None]) -> None:
        self.folder, self.act = str(folder), act
        self.seen: list[str] = []
        sys.addaudithook(self.hear)
        fsync, save, save_file = os.fsync, torch.save, saved_model.save_file

        def synced(descriptor: int) -> None:
            self.count("fsync")
            fsync(descriptor)

        def saved(write: Callable[..., Any], kind: str) -> Callable[..., None]:
            def counted(content: Any, path: Any, *more: Any, **named: Any) -> None:
                write(content, path, *more, **named)
                whole = Path(path).read_bytes()
                Path(path).write_bytes(whole[: len(whole) // 2])  # what a kill or a full disk would leave
                self.count(kind)
                Path(path).write_bytes(whole)

            return counted

        os.fsync = synced
        torch.save = saved(save, "torch.save")
        saved_model.save_file = saved(save_file, "save_file")  # type: ignore[assignment]

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool(flags & WRITING)
            if writes and self.below(path):
                self.count(f"open {Path(os.fsdecode(path)).suffix}")
        elif event in ("os.mkdir", "os.rename") and self.below(arguments[0]):
            self.count(event)

    def below(self, path: Any) -> bool:
        return isinstance(path, str | bytes | os.PathLike) and os.fsdecode(path).startswith(self.folder)

    def count(self, kind: str) -> None:
        self.seen.append(kind)
        self.act(len(self.seen), kind)


def fill_disk(folder: Path, number: int) -> Operations:
    """From the `number`-th write on, every one fails, as on a full disk."""

    def act(count: int, kind: str) -> None:
        if count >= number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))

    return Operations(folder, act)


def die_at_write(folder: Path, number: int) -> Operations:
    """The process is killed right before its `number`-th write."""

    def act(count: int, kind: str) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return Operations(folder, act)


def die_after_rename(number: int) -> None:
    """The process is killed right after its `number`-th `os.replace`."""
    replace, seen = os.replace, 0

    def replaced(old: Any, new: Any) -> None:
        nonlocal seen
        replace(old, new)
        seen += 1
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = replaced  # type: ignore[assignment]
