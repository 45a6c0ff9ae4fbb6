"""Bulk sampling in this process, or in all that torchrun started."""

from __future__ import annotations

from datetime import timedelta
from itertools import chain
from typing import Any

import torch

from ..core.device import one_thread
from ..core.errors import VariegateError
from ..core.launch import number_here
from ..core.processes import by_first, number, shared, together
from ..core.progress import watched
from ..runs.lock import holding
from .drawing import Drawer
from .manifest import begin, finish
from .plan import Bulk

WAIT_FOR_OTHERS = timedelta(days=365)  # of a process that is done with those that are not
DRAWS = "draws into it"


def sample_shards(bulk: Bulk) -> dict[str, Any]:
    """Draw all shards of a folder that are not there yet; what its manifest says.

    Processes of torchrun share the shards. An error in one does not keep the others from finishing theirs.

    Raises:
        CheckpointError: there is no model, or it is damaged.
        ConfigError: the folder holds images of other settings or other files, or the model cannot draw so.
        DataError: a condition cannot be read; the images of all others are there.
        TrainingError: the disk is full.
    """
    with holding(bulk.out, DRAWS), together(WAIT_FOR_OTHERS), one_thread():
        pending = by_first(lambda: begin(bulk))
        errors = shared(range(number()), lambda rank: draw_own(bulk, pending[rank :: number()]))
        failed = [error for error in errors if error is not None]
        if failed:
            raise failed[0]
        return by_first(lambda: finish(bulk))


def draw_own(bulk: Bulk, shards: list[int]) -> VariegateError | None:
    """Draw some shards in this process; the error that ended it, if one did."""
    if not shards:
        return None
    total = sum(map(bulk.division.images, shards))
    try:
        drawer = Drawer(bulk, own_device(bulk.device))
        for _ in watched(chain.from_iterable(map(drawer.draw, shards)), "drawing images", total):
            pass
    except VariegateError as error:
        return error
    return None


def own_device(device: str) -> str:
    """`cuda` as the one of this process, of those that torchrun or srun started on this machine."""
    place = number_here()
    if device != "cuda" or place is None:
        return device
    return f"cuda:{place % max(1, torch.cuda.device_count())}"  # srun may show each task a card of its own
