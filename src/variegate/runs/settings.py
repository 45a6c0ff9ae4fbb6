"""How a run is executed: seed, intervals, device."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from ..core.config import Config
from ..core.device import require_device

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Intervals(NamedTuple):
    log: int
    save: int


class ExecutionSettings(Config):
    """The seed, and settings that do not change what is trained."""

    seed: int = Field(0, ge=0, lt=2**22)
    log_every: int | None = Field(None, ge=1, description="steps between logged metrics; default: 200 times per run")
    save_every: int | None = Field(None, ge=1, description="steps between checkpoints; default: 10 per run")
    keep_every: int = Field(0, ge=0, description="keep checkpoints at multiples of it; 0: only the last and the best")
    workers: int = Field(0, ge=0, description="processes that read images")
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: str = Field("32-true", description="32-true or bf16-mixed")
    channels_last: bool = Field(True, description="memory layout; faster on most machines, same images")
    compile: bool = Field(False, description="torch.compile the generator; the first steps are slow")
    quiet: bool = False

    def intervals(self, steps: int) -> Intervals:
        return Intervals(self.log_every or max(1, steps // 200), self.save_every or max(1, steps // 10))

    def fabric(self) -> Fabric:
        """One process, or every process that torchrun or Slurm started.

        Raises:
            ConfigError: this machine has no such device.
        """
        from lightning_fabric import Fabric

        if self.device != "auto":
            require_device(self.device)
        world = processes()
        local = int(os.environ.get("LOCAL_WORLD_SIZE") or os.environ.get("SLURM_NTASKS_PER_NODE") or 1)
        fabric = Fabric(
            accelerator=self.device,
            devices=local,
            num_nodes=max(1, world // local),
            strategy="ddp" if world > 1 else "auto",
            precision=self.precision,  # type: ignore[arg-type]
        )
        fabric.launch()
        return fabric


def processes() -> int:
    """How many processes torchrun or Slurm started for this training."""
    return int(os.environ.get("WORLD_SIZE") or os.environ.get("SLURM_NTASKS") or 1)
