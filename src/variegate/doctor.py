"""Is a run healthy? Reads its log and its model and answers in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .api import data_of
from .errors import VariegateError
from .evaluation.evaluate import sensitivity
from .model import Model
from .training.checkpoints import Checkpoints
from .training.health import verdict
from .training.start import saved_config


def diagnose(run: str | Path) -> tuple[bool, list[str]]:
    """(healthy, sentences) about one run directory."""
    folder = Path(run)
    config = saved_config(folder)
    wanted = config["method"]["training"]["steps"]
    lines, healthy = [], True
    steps = Checkpoints(folder / "checkpoints").steps()
    done = steps[-1] if steps else 0
    if done < wanted:
        lines.append(f"Training stopped at step {done} of {wanted}; the same command with --resume goes on.")
    else:
        lines.append(f"Training finished at step {done}.")
    lines += progress(read_log(folder))
    try:
        model, held = Model.load(folder), data_of(folder, "held")
        if len(held) < 2:
            return healthy, [*lines, "One held-out pair cannot tell whether the code is used; hold out more."]
        value = sensitivity(model.generator, held).value
    except VariegateError as error:
        return False, [*lines, f"The model cannot be used: {error}"]
    warning = verdict(value, model.generator.code_size)
    if warning:
        return False, [*lines, warning[0].upper() + warning[1:]]
    if model.generator.code_size == 0:
        lines.append("The method has no code: it draws one picture per condition, by design.")
    else:
        lines.append(f"The code is used: pictures of one condition differ by {value:.0%} of what conditions differ by.")
    return healthy, lines


def read_log(folder: Path) -> list[dict[str, Any]]:
    path = folder / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def progress(log: list[dict[str, Any]]) -> list[str]:
    """Is the best-of-8 error on held-out pairs still falling?"""
    errors = [line["val/best_of_8"] for line in log if "val/best_of_8" in line]
    if len(errors) < 4:
        return []
    half = len(errors) // 2
    before, after = min(errors[:half]), min(errors[half:])
    if after < 0.98 * before:
        return [f"The best-of-8 error still falls ({before:.3f} to {after:.3f}): more steps will help."]
    return [f"The best-of-8 error no longer falls ({before:.3f} to {after:.3f}): more steps will help little."]
