"""Train a method on data: the public `variegate.train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.method import Method
from ..data.dataset.opening import DataConfig
from ..runs.config import run_config
from .start import start


def train(
    method: str | Method,
    data: str | Path | DataConfig,
    out: str | Path | None = None,
    resume: bool = False,
    **settings: Any,
) -> Path:
    """Train a method on pairs of condition and image; returns the run directory.

    Args:
        method: a name of `variegate methods`, or a method made in Python.
        data: a folder, an .npz file, `streets`, `streets:COUNT`, `digits` or `cifar10`.
        out: the run directory; runs/METHOD-DATA unless given.
        resume: go on with the run in `out`.
        settings: those of `runs.config.run_config`: of the data (`size`, `condition`, ...), of the execution (`seed`,
            `quiet`, ... or all of them as `run`), `steps`, `initial`, `predictor`, and the method's own
            (`noise="input"`, `**{"generator.width": 16}`).

    Raises:
        VariegateError: in words, what is wrong and what would be right.
        Interrupted: a signal stopped the training; `resume` goes on.
    """
    config = run_config(method, data, **settings)
    folder = (
        Path(out) if out else Path("runs") / f"{config.method.name}-{Path(config.data.path.replace(':', '-')).name}"
    )
    start(config, folder, resume)
    return folder
