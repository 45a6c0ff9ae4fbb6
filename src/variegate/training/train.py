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
        method: a name listed by `variegate methods`, or a method built in Python.
        data: a folder, an .npz file, `streets`, `streets:COUNT`, `digits` or `cifar10`.
        out: the run directory; default: runs/METHOD-DATA.
        resume: continue the run in `out`.
        settings: those of `runs.config.run_config`: data settings (`size`, `condition`, ...), execution settings
            (`seed`, `quiet`, ... or all of them as `run`), `steps`, `initial`, `predictor`, and the method's own
            (`noise="input"`, `**{"generator.width": 16}`).

    Raises:
        VariegateError: the message says what is wrong and how to fix it.
        Interrupted: a signal stopped training; continue with `resume`.
    """
    config = run_config(method, data, **settings)
    folder = (
        Path(out) if out else Path("runs") / f"{config.method.name}-{Path(config.data.path.replace(':', '-')).name}"
    )
    start(config, folder, resume)
    return folder
