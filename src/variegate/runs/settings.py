"""How a run is executed: seed, intervals, device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from ..core.config import Config
from ..core.device import require_device
from ..core.launch import processes, processes_here, refuse_lonely_task
from .trackers import Kind

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Intervals(NamedTuple):
    """Steps between logged metrics, and between checkpoints; further ones are kept for good at multiples of `keep`."""

    log: int
    save: int
    keep: int
    last: int

    def saves(self, step: int) -> bool:
        """Whether training that is not interrupted writes a checkpoint after a step."""
        return step % self.save == 0 or self.keeps(step) or step == self.last

    def keeps(self, step: int) -> bool:
        """Whether the checkpoint of a step is kept for good."""
        return self.keep > 0 and step % self.keep == 0


class ExecutionSettings(Config):
    """The seed, and settings that do not change what is trained."""

    seed: int = Field(0, ge=0, lt=2**22)
    log_every: int | None = Field(None, ge=1, description="steps between logged metrics; default: 200 times per run")
    save_every: int | None = Field(None, ge=1, description="steps between checkpoints; default: 10 per run")
    keep_every: int = Field(0, ge=0, description="keep checkpoints at multiples of it; 0: only the last and the best")
    accumulate: int = Field(
        1, ge=1, description="micro-batches of a process's batch; memory holds one at a time, gradients are of all"
    )
    workers: int = Field(0, ge=0, description="processes that read images")
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: str = Field("32-true", description="32-true or bf16-mixed")
    channels_last: bool = Field(True, description="memory layout; faster on most machines, same images")
    compile: bool = Field(False, description="torch.compile the generator; the first steps are slow")
    checkpoint_activations: bool = Field(
        False, description="compute what is inside a network's stages twice instead of keeping it; same training"
    )
    quiet: bool = False
    tracker: Kind = Field("tensorboard", description="what shows metrics: tensorboard, trackio, wandb or none")

    def intervals(self, steps: int) -> Intervals:
        log, save = self.log_every or max(1, steps // 200), self.save_every or max(1, steps // 10)
        return Intervals(log, save, self.keep_every, steps)

    def fabric(self) -> Fabric:
        """One process, or every process that torchrun or Slurm started.

        Raises:
            ConfigError: this machine has no such device.
        """
        from lightning_fabric import Fabric

        from .strategy import Together

        refuse_lonely_task()
        if self.device != "auto":
            require_device(self.device)
        world = processes()
        local = processes_here()
        fabric = Fabric(
            accelerator=self.device,
            devices=local,
            num_nodes=max(1, world // local),
            strategy=Together() if world > 1 else "auto",
            precision=self.precision,  # type: ignore[arg-type]
        )
        fabric.launch()
        return fabric
