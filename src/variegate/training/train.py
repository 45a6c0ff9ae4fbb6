"""Train a method on data: the public `variegate.train`."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

from ..core.config import to_yaml
from ..core.errors import ConfigError
from ..core.files import words_for_a_full_disk, write_text
from ..core.method import Method
from ..core.progress import quietly
from ..data.dataset.opening import DataConfig
from ..runs.config import RunConfig, run_config
from ..runs.folder import RunFolder
from ..runs.lock import holding
from .start import refuse_existing, refuse_foreign, start

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
            (`seed`, `quiet`, ... or all of them as `run`), `steps` or `epochs` (visits of every pair), `initial`,
            `predictor`, `teacher`, and the method's own (`noise="input"`, `**{"generator.width": 16}`).

    Raises:
        VariegateError: the message says what is wrong and how to fix it.
        Interrupted: a signal stopped training; continue with `resume`.
    """
    epochs = settings.pop("epochs", None)
    config = run_config(method, data, **settings)
    folder = (
        Path(out) if out else Path("runs") / f"{config.method.name}-{Path(config.data.path.replace(':', '-')).name}"
    )
    if epochs is not None:
        if minutes is not None or settings.get("steps") is not None or "training.steps" in settings:
            raise ConfigError("--epochs, --steps and --minutes say the same thing in different ways; give one of them")
        config = run_config(method, data, **settings | {"steps": steps_of(config, epochs)})
    with quietly(config.run.quiet), words_for_a_full_disk(folder), holding(folder):
        if minutes is not None:  # a plan is written into the folder before training starts in it
            config = in_minutes(minutes, method, data, settings, folder, resume)
        start(config, folder, resume)
    return folder


def steps_of(config: RunConfig, epochs: float) -> int:
    """Steps that visit every pair so many times, on average where pairs are drawn independently."""
    if not 0 < epochs < math.inf:
        raise ConfigError(f"--epochs must be above 0, got {epochs:g}")
    method, pairs = config.method, config.data.open()
    batches = max(1, round(epochs * len(pairs) / method.training.batch_size))
    return batches * method.objective.steps_per_batch()


def in_minutes(
    minutes: float, method: str | Method, data: Any, settings: dict[str, Any], folder: Path, resume: bool
) -> RunConfig:
    """What was planned when the run began, or a new plan, which is written down before anything is trained by it."""
    from .minutes import as_planned, plan  # imports the training loop

    path = folder / "config.yaml"
    if resume and path.is_file():
        return as_planned(RunFolder(folder).config, method, data, settings)
    refuse_existing(folder)
    refuse_foreign(folder)
    planned = plan(minutes, method, data, settings)
    logger.info("%g minutes: %s", minutes, planned)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, to_yaml(planned.config))
    return planned.config
