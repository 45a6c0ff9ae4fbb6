"""What torchrun or Slurm tells each process that it started, before they have joined."""

from __future__ import annotations

import os

from .errors import ConfigError


def processes() -> int:
    """How many processes torchrun started, or Slurm is to start."""
    return int(os.environ.get("WORLD_SIZE") or os.environ.get("SLURM_NTASKS") or 1)


def processes_here() -> int:
    """How many of them run on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE") or os.environ.get("SLURM_NTASKS_PER_NODE") or 1)


def first() -> bool:
    """Whether this process is the one that speaks and writes."""
    return int(os.environ.get("RANK") or os.environ.get("SLURM_PROCID") or 0) == 0


def number_here() -> int | None:
    """The number of this process among those of this machine; None if nothing started several."""
    number = os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID"))
    return None if number is None else int(number)


def by_slurm() -> bool:
    """Whether Slurm, and not torchrun, says how many processes there are."""
    return "WORLD_SIZE" not in os.environ


def lonely() -> bool:
    """Whether this is the only process of a Slurm job of several tasks, as where srun is missing."""
    return by_slurm() and processes() > 1 and "SLURM_STEP_ID" not in os.environ


def refuse_lonely_task() -> None:
    """Raise ConfigError for a Slurm job whose tasks would wait for each other forever, or cannot find their device."""
    if by_slurm() and processes() > 1 and "SLURM_NTASKS_PER_NODE" not in os.environ:
        raise ConfigError(
            f"Slurm started {processes()} tasks, but does not say how many of them on each machine; give "
            "--ntasks-per-node, and not --ntasks, in the job's script"
        )
    if lonely():
        raise ConfigError(f"this is one process of a Slurm job of {processes()} tasks; put srun before the command")
