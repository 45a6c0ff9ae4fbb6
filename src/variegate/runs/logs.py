"""What training reports: `metrics.jsonl`, TensorBoard and a line of progress."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.progress import ProgressLine

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
