"""How several processes train one network: each keeps a whole copy, and the loop averages gradients between moves."""

from __future__ import annotations

import os
from datetime import timedelta

from lightning_fabric.strategies import DDPStrategy
from torch import distributed, nn

from ..core.rendezvous import join

WAIT_FOR_FIRST = timedelta(days=1)  # while it works; torchrun and srun end processes that wait for a dead one


class Together(DDPStrategy):
    """Fabric's processes and messages without DistributedDataParallel.

    That sends gradients as soon as every parameter has one, which is once a step for a network with one loss. Here a
    network takes part in moves of other players, some of its parameters may be held, and a move may add up the
    gradients of several micro-batches.
    """

    def __init__(self) -> None:
        super().__init__(timeout=WAIT_FOR_FIRST)

    def setup_module(self, module: nn.Module) -> nn.Module:  # type: ignore[override]
        return module

    def _setup_distributed(self) -> None:
        """Fabric joins the processes unless they have joined."""
        if "TORCHELASTIC_RUN_ID" in os.environ and not distributed.is_initialized():
            self._set_world_ranks()
            device = self.root_device if self.root_device.type != "cpu" else None
            join(self._get_process_group_backend(), WAIT_FOR_FIRST, device_id=device)
        super()._setup_distributed()
