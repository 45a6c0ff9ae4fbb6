"""Train a method on data: the public `variegate.train`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from ..core.method import Method
from ..data.dataset.opening import DataConfig
from ..runs.config import RunConfig, run_config
from ..runs.folder import RunFolder
from .start import refuse_existing, start

logger = logging.getLogger(__name__)


def train(
    method: str | Method,
    data: str | Path | DataConfig,
    out: str | Path | None = None,
    resume: bool = False,
    minutes: float | None = None,
    **settings: Any,
) -> Path:
    """Train a method on pairs of condition and image; returns the run directory.

    Args:
        method: a name listed by `variegate methods`, or a method built in Python.
        data: a folder, an .npz file, `streets`, `streets:COUNT`, `digits` or `cifar10`.
        out: the run directory; default: runs/METHOD-DATA.
        resume: continue the run in `out`.
        minutes: choose width, batch, steps and, unless given, size so that training takes about so long here.
        settings: those of `runs.config.run_config`: data settings (`size`, `condition`, ...), execution settings
            (`seed`, `quiet`, ... or all of them as `run`), `steps`, `initial`, `predictor`, `teacher`, and the
            method's own (`noise="input"`, `**{"generator.width": 16}`).

    Raises:
        VariegateError: the message says what is wrong and how to fix it.
        Interrupted: a signal stopped training; continue with `resume`.
    """
    config = run_config(method, data, **settings)
    folder = (
        Path(out) if out else Path("runs") / f"{config.method.name}-{Path(config.data.path.replace(':', '-')).name}"
    )
    if minutes is not None:
        config = in_minutes(minutes, method, data, settings, folder, resume)
    start(config, folder, resume)
    return folder


def in_minutes(
    minutes: float, method: str | Method, data: Any, settings: dict[str, Any], folder: Path, resume: bool
) -> RunConfig:
    """What was planned when the run began, or a new plan."""
    from .minutes import plan  # imports the training loop

    if resume and RunFolder(folder).checkpoints.steps():
        return RunFolder(folder).config
    refuse_existing(folder)
    planned = plan(minutes, method, data, settings)
    logger.info("%g minutes: %s", minutes, planned)
    return planned.config
