"""What training reports: `metrics.jsonl`, a tracker and a line of progress."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.files import write_text
from ..core.progress import ProgressLine
from .trackers import Tracker

if TYPE_CHECKING:
    from torch import Tensor


class Log:
    """Metrics and images of one run; only the first process of a distributed run creates one.

    Every number is in `metrics.jsonl`, whatever becomes of the tracker. Lines of steps that a resumed run will repeat
    are first dropped from it.
    """

    def __init__(
        self,
        folder: Path,
        start_step: int,
        steps: int,
        title: str,
        quiet: bool = False,
        tracker: Tracker | None = None,
    ) -> None:
        self.path = folder / "metrics.jsonl"
        self.path.touch()
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        kept = [line.rstrip("\n") + "\n" for line in lines if step_of(line) <= start_step]
        if kept != lines:
            write_text(self.path, "".join(kept))
        self.tracker = tracker
        self.progress = ProgressLine(title, start_step, steps, quiet)

    def numbers(self, step: int, values: dict[str, float]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step, **{name: round(value, 6) for name, value in values.items()}}) + "\n")
        if self.tracker:
            self.tracker.numbers(step, values)

    def image(self, step: int, name: str, image: Tensor) -> None:
        """Log an image, uint8 (3, H, W)."""
        if self.tracker:
            self.tracker.image(step, name, image)

    def say(self, text: str) -> None:
        self.progress.say(text)

    def close(self) -> None:
        if self.tracker:
            self.tracker.close()
        self.progress.close()


def step_of(line: str) -> int:
    """The step of one line of metrics.jsonl; a line truncated by a crash counts as too late."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return sys.maxsize
