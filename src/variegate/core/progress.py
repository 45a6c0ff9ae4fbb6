"""How far long work has come, and the time left, on standard error."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TypeVar

from rich.console import Console
from rich.errors import LiveError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .launch import first

T = TypeVar("T")
SILENCE = 5.0  # seconds
_quiet = ContextVar("quiet", default=False)


@contextmanager
def quietly(quiet: bool = True) -> Iterator[None]:
    """Within it, `watched` says nothing."""
    before = _quiet.set(quiet)
    try:
        yield
    finally:
        _quiet.reset(before)


def watched(items: Iterable[T], title: str, total: int) -> Iterator[T]:
    """The items, one by one; if all of them take longer than SILENCE, the first process says how far they are.

    Args:
        title: what is done with them, such as "drawing samples".
        total: their number.
    """
    started, line = time.monotonic(), None
    silent = _quiet.get() or not first()
    try:
        for done, item in enumerate(items):
            if not silent and line is None and time.monotonic() - started > SILENCE:
                line = ProgressLine(title, 0, total, started=started)
            if line is not None:
                line.to(done)
            yield item
        if line is not None:
            line.to(total)
    finally:
        if line is not None:
            line.close()


class ProgressLine:
    """A bar with rate and remaining time on a terminal; a line every ten seconds elsewhere."""

    def __init__(self, title: str, done: int, total: int, quiet: bool = False, started: float | None = None) -> None:
        self.title, self.done, self.total, self.quiet = title, done, total, quiet
        self.console = Console(stderr=True)
        self.started, self.first = time.monotonic() if started is None else started, done
        self.said = self.started
        self.bar: Progress | None = None
        if self.console.is_terminal and not quiet:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
            )
            bar = Progress(*columns, console=self.console)
            with suppress(LiveError):  # another bar is on the terminal
                bar.start()
                self.bar, self.task = bar, bar.add_task(title, total=total, completed=done, rate="", note="")

    def to(self, done: int, note: str = "") -> None:
        self.done = done
        elapsed = max(1e-9, time.monotonic() - self.started)
        rate = (done - self.first) / elapsed
        shown = f"{rate:.1f}/s" if rate >= 1 else f"{1 / max(rate, 1e-9):.1f} s each"
        if self.bar:
            self.bar.update(self.task, completed=done, rate=shown, note=note)
        elif not self.quiet and (time.monotonic() - self.said > 10 or done == self.total):
            self.said = time.monotonic()
            left = (self.total - done) / max(rate, 1e-9)
            self.console.out(f"{self.title}: {done}/{self.total}, {shown}, {left:.0f} s left {note}", highlight=False)

    def say(self, text: str) -> None:
        if not self.quiet:
            self.console.print(text, style="yellow", highlight=False)

    def close(self) -> None:
        if self.bar:
            self.bar.stop()
