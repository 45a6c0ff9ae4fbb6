"""Bulk sampling on Ray: Ray Data gives shards to actors, and gives those of an actor that died to another."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.errors import ConfigError, VariegateError
from ..core.memory import keep_freed_memory
from ..core.progress import ProgressLine
from ..runs.lock import holding
from .bulk import DRAWS
from .drawing import Drawer
from .manifest import begin, finish, is_finished
from .plan import Bulk
from .ray_start import connected

MOST_BLOCKS = 1000  # that the shards are handed out in
Rows = dict[str, NDArray[Any]]


class ShardActor:
    """Draws the shards that it is given; one row for each, with the error that ended it, or no text."""

    def __init__(self, bulk: Bulk) -> None:
        torch.set_num_threads(1)
        keep_freed_memory()
        self.bulk, self.error = bulk, ""
        self.drawer: Drawer | None = None
        try:
            self.drawer = Drawer(bulk)
        except VariegateError as error:
            self.error = str(error)

    def __call__(self, rows: Rows) -> Iterator[Rows]:
        for shard in rows["shard"].tolist():
            error = self.error
            if self.drawer is not None and not is_finished(self.bulk, shard):
                try:
                    for _ in self.drawer.draw(shard):
                        pass
                except VariegateError as failure:
                    error = str(failure)
            yield {"shard": np.array([shard]), "error": np.array([error])}


def sample_shards_on_ray(bulk: Bulk, address: str = "local", actors: int | None = None) -> dict[str, Any]:
    """As `bulk.sample_shards`, by actors of a Ray cluster; all machines must see the run, conditions and folder.

    Args:
        address: see `ray_start.connected`.
        actors: how many draw at once; default: one for every processor, or GPU, that the cluster has.

    Raises:
        ConfigError: as `sample_shards`; or Ray is missing, none answers at the address, or it is too small.
        VariegateError: as `sample_shards`.
    """
    if actors is not None and actors < 1:
        raise ConfigError(f"--ray-actors must be at least 1, got {actors}")
    bulk = replace(bulk, run=_everywhere(bulk.run), out=bulk.out.absolute(), codes=bulk.codes and bulk.codes.absolute())
    with holding(bulk.out, DRAWS), connected(address) as ray:
        needed = {"num_gpus": 1} if bulk.device.startswith("cuda") else {"num_cpus": 1}
        there = int(ray.cluster_resources().get("GPU" if "num_gpus" in needed else "CPU", 0))
        if there < (actors or 1):
            kind = "GPUs" if "num_gpus" in needed else "processors"
            raise ConfigError(f"--ray {address}: has {there} {kind}, which is too few for {actors or 1} actors")
        Drawer(replace(bulk, compile=False), "cpu")  # raises what would be raised in each actor
        pending = begin(bulk)
        if pending:
            _draw(ray, bulk, pending, min(actors or there, len(pending)), needed)
        return finish(bulk)


def _everywhere(run: Path) -> Path:
    """A run as another process finds it, in whichever folder it works."""
    return run.absolute() if run.exists() else run


def _draw(ray: Any, bulk: Bulk, pending: list[int], actors: int, needed: dict[str, int]) -> None:
    """Raises VariegateError, when all are tried, for a shard that could not be drawn."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    shards = ray.data.from_items(
        [{"shard": shard} for shard in pending], override_num_blocks=min(len(pending), MOST_BLOCKS)
    )
    pool = ray.data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=1)
    drawn = shards.map_batches(ShardActor, fn_constructor_args=(bulk,), batch_size=1, compute=pool, **needed)
    line, done, errors = ProgressLine("drawing images", 0, sum(map(bulk.division.images, pending))), 0, []
    try:
        for row in drawn.iter_rows():
            done += bulk.division.images(row["shard"])
            errors += [row["error"]] * bool(row["error"])
            line.to(done)
    finally:
        line.close()
    if errors:
        raise VariegateError(errors[0])
