"""What training reports: `metrics.jsonl`, TensorBoard and a progress line on standard error."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from torch import Tensor


class Log:
    """Metrics and images of one run; only the first process of a distributed run creates one.

    Lines of steps that a resumed run will repeat are first dropped from `metrics.jsonl`.
    """

    def __init__(self, folder: Path, start_step: int, steps: int, title: str, quiet: bool = False) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.path = folder / "metrics.jsonl"
        self.path.touch()
        kept = [line for line in self.path.read_text().splitlines(keepends=True) if step_of(line) <= start_step]
        self.path.write_text("".join(kept))
        self.board = SummaryWriter(str(folder), purge_step=start_step + 1)
        self.progress = ProgressLine(title, start_step, steps, quiet)

    def numbers(self, step: int, values: dict[str, float]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step, **{name: round(value, 6) for name, value in values.items()}}) + "\n")
        for name, value in values.items():
            self.board.add_scalar(name, value, step)

    def image(self, step: int, name: str, image: Tensor) -> None:
        """Log an image, uint8 (3, H, W)."""
        self.board.add_image(name, image, step)

    def say(self, text: str) -> None:
        self.progress.say(text)

    def close(self) -> None:
        self.board.close()
        self.progress.close()


def step_of(line: str) -> int:
    """The step of one line of metrics.jsonl; a line truncated by a crash counts as too late."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError):
        return sys.maxsize


class ProgressLine:
    """A bar with rate and remaining time on a terminal; a line every ten seconds elsewhere."""

    def __init__(self, title: str, done: int, total: int, quiet: bool = False) -> None:
        self.title, self.done, self.total, self.quiet = title, done, total, quiet
        self.console = Console(stderr=True)
        self.started, self.first, self.said = time.monotonic(), done, time.monotonic()
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
            self.bar = Progress(*columns, console=self.console)
            self.bar.start()
            self.task = self.bar.add_task(title, total=total, completed=done, rate="", note="")

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
