"""Trainer state on disk: one folder per step, written atomically; the last, the best and every N-th are kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..core.errors import CheckpointError
from ..core.files import saving


class Checkpoints:
    """The `checkpoints` folder of a run.

    Args:
        keeps: whether the checkpoint of a step is kept for good; by default only the last and the best are.
    """

    def __init__(self, folder: Path, keeps: Callable[[int], bool] = lambda step: False) -> None:
        self.folder, self.keeps = folder, keeps

    def steps(self) -> list[int]:
        """Steps with a complete checkpoint, in order."""
        names = (path.name.removeprefix("step-") for path in self.folder.glob("step-*"))
        return sorted(int(name) for name in names if name.isdecimal())

    def path(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}"

    def save(self, step: int, state: dict[str, Any], score: float | None) -> None:
        """Write a checkpoint; `score` (lower is better) decides which one is the best."""
        with saving(self.path(step)) as aside:
            torch.save(state, aside / "state.pt")
            (aside / "score.json").write_text(json.dumps({"step": step, "score": score}))
        self.prune()

    def best(self) -> int | None:
        scores = {step: self.score(step) for step in self.steps()}
        known = {step: score for step, score in scores.items() if score is not None}
        return min(known, key=lambda step: known[step]) if known else None

    def waited(self) -> int:
        """Steps from the best checkpoint to the last one."""
        best, steps = self.best(), self.steps()
        return 0 if best is None else steps[-1] - best

    def score(self, step: int) -> float | None:
        """The score of a step; None if it has none, or its file is damaged."""
        try:
            score = json.loads((self.path(step) / "score.json").read_text())["score"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return float(score) if isinstance(score, int | float) and not isinstance(score, bool) else None

    def prune(self) -> None:
        steps = self.steps()
        keep = {steps[-1], self.best(), *filter(self.keeps, steps)}
        for step in set(steps) - keep:
            shutil.rmtree(self.path(step))

    def load_last(self) -> dict[str, Any] | None:
        """The state of the last checkpoint, on the CPU; None if there is none.

        Raises:
            CheckpointError: the file is truncated; the message says which folder to remove and where training resumes.
        """
        steps = self.steps()
        where = f"step {steps[-2]}" if len(steps) > 1 else "the beginning"
        return self.load(steps[-1], f"resume again to continue from {where}") if steps else None

    def raw_weights(self, step: int) -> dict[str, Tensor] | None:
        """The generator's weights after a step, not averaged, on the CPU; None if that checkpoint was not kept.

        Raises:
            CheckpointError: its file is truncated.
        """
        if step not in self.steps():
            return None
        weights = self.load(step, "evaluate again without it").get("generator")
        if not isinstance(weights, dict):
            raise CheckpointError(f"{self.path(step)} has no weights of a generator; remove it and evaluate again")
        return weights

    def load(self, step: int, remedy: str) -> dict[str, Any]:
        """The state saved at a step, on the CPU."""
        path = self.path(step) / "state.pt"
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            state["step"] = int(state["step"])
        except Exception as error:  # torch raises many types for damaged files
            raise CheckpointError(
                f"{path} is cut short or damaged ({type(error).__name__}); remove {path.parent} and {remedy}"
            ) from None
        return state
