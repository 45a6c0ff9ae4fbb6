"""The training loop. One loop, every method: methods differ in `objective.updates`, never here.

Data order and noise are functions of (seed, step) alone, so a resumed run repeats an uninterrupted one, and two
processes together see what a single one would have seen.
"""

from __future__ import annotations

import contextlib
import math
import signal
from collections.abc import Callable, Iterator, Mapping
from itertools import repeat
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ..core.capabilities import HasMemory
from ..core.config import Training
from ..core.errors import CheckpointError, ConfigError, DataError, Interrupted, TrainingError
from ..core.files import tidy, words_for_a_full_disk
from ..core.images import is_constant
from ..core.interfaces import Batch, Generator
from ..core.memory import keep_freed_memory
from ..core.method import Method
from ..core.processes import gather_rows
from ..data.dataset.pairs import Pairs
from ..data.dataset.sampler import InfiniteSampler, ReplacementSampler, WeightedInfiniteSampler
from ..data.dataset.visits import Visits, collate, to_batch
from ..data.statistics.neighbours import neighbours
from ..data.statistics.rarity import Rarity
from ..runs.checkpoints import Checkpoints
from ..runs.config import RunConfig
from ..runs.logs import Log
from ..runs.saved_model import ModelRecord, read_record, versions, write_model
from ..runs.settings import ExecutionSettings
from ..runs.stop import Stop
from ..runs.trackers import open_tracker
from .moves import add_gradients, by_name, divide, take_step
from .panel import Panel
from .remembering import remember_images
from .state import InitialWeights, State

LOOK = 100  # updates of one batch between checks of its losses
ELSEWHERE = "another process could not read its data; its message says which"


def train(config: RunConfig, pairs: Pairs, folder: Path, fabric: Fabric, initial: InitialWeights | None = None) -> None:
    """Train until `method.training.steps`, or as long as its `patience` lasts, from the last checkpoint in `folder` on.

    Args:
        initial: weights of earlier training; ignored if there is a checkpoint.

    Raises:
        Interrupted: a signal stopped training; a checkpoint was written.
        TrainingError: a loss or weight is no longer finite, or the disk is full.
        CheckpointError: the last checkpoint is damaged.
    """
    keep_freed_memory()
    method, run, settings = config.method, config.run, config.method.training
    intervals = run.intervals(settings.steps)
    checkpoints, patience = Checkpoints(folder / "checkpoints", intervals.keeps), settings.patience * intervals.save
    saved = checkpoints.load_last()
    state = same_everywhere(fabric, State(method, pairs.shapes, run, saved), folder)
    if initial and not saved:
        initial.load_into(state)
    state.set_up(fabric, settings)
    begun, saved = saved is not None, None  # it holds every weight once more
    batches = stream(pairs, method, run, fabric, state.step)
    panel = Panel(pairs.validation(), state.ema, state.objective)
    log = log_of(config, folder, state.step) if fabric.is_global_zero else None

    def keep() -> None:
        """Evaluate the panel where that is due, then write the checkpoint and the model, each unless that was done."""
        check_finite(state.generator, state.step, checkpoints)
        if log and state.step:
            if state.step not in checkpoints.steps():
                score = panel.look(folder / "samples", state.step, log) if intervals.saves(state.step) else None
                checkpoints.save(state.step, state.to_save(), score)
            checkpoints.prune()  # a kill may have come right after saving
            best = settings.keep == "last" or checkpoints.best() in (state.step, None)
            keep_model(folder / "model", state, record_of(method, pairs, run.seed, state.step) if best else None)
        fabric.barrier()

    done = waited(fabric, checkpoints, patience, log)
    with Stop() as stop, words_for_a_full_disk(folder), contextlib.closing(log) if log else contextlib.nullcontext():
        if begun:
            keep()  # the model, if writing it failed
        while state.step < settings.steps and not done and not agree_to_stop(fabric, stop.asked > 0):
            batch = next_of(batches, fabric, keep)
            numbers = finite(fabric, one_step(fabric, state, batch, settings, run.seed), state.step, checkpoints)
            if log:
                if state.step % intervals.log == 0 or state.step == settings.steps:
                    log.numbers(state.step, numbers)
                log.progress.to(state.step, panel.note)
            if intervals.saves(state.step):
                keep()
                done = waited(fabric, checkpoints, patience, log)
        keep()
        done |= state.step >= settings.steps
        if log and done and isinstance(state.ema, HasMemory):
            log.say(f"{method.name} now stores its {len(pairs)} training images, which it copies from when sampling")
            remember_images(folder / "model", state.ema, pairs, fabric.device)
        fabric.barrier()
    if not done:
        told = f"{folder}: stopped at step {state.step}; continue with --resume"
        raise Interrupted(told, stop.asked or signal.SIGTERM)


def log_of(config: RunConfig, folder: Path, step: int) -> Log:
    run, method = config.run, config.method
    shown = open_tracker(run.tracker, folder, step, config, run.quiet)
    return Log(folder, step, method.training.steps, method.name, run.quiet, shown)


def next_of(batches: Iterator[Batch], fabric: Fabric, keep: Callable[[], None]) -> Batch:
    """The next batch. If a process cannot read its own, all keep the progress so far, then raise DataError."""
    batch, problem = None, None
    try:
        batch = next(batches)
    except DataError as error:
        problem = error
    stops = agree_to_stop(fabric, problem is not None)
    if stops:
        keep()
    if stops or batch is None:
        raise problem or DataError(ELSEWHERE)
    return batch


def keep_model(folder: Path, state: State, record: ModelRecord | None) -> None:
    """Write the model of a record, unless that was done, and remove what a kill left of an earlier one."""
    tidy(folder)
    if record is not None and saved_step(folder) != record.step:
        write_model(folder, state.ema, record, state.objective.inverter())


def saved_step(folder: Path) -> int | None:
    """The step of the saved model; None if there is none, or it is damaged."""
    try:
        return read_record(folder).step
    except CheckpointError:
        return None


def one_step(fabric: Fabric, state: State, batch: Batch, settings: Training, seed: int) -> dict[str, list[Tensor]]:
    """Every update of one step; returns the losses of each."""
    if state.step == settings.restart.step(settings.steps, state.share):
        state.fresh.restart(state.optimizers, seed)
    state.generator.reached(state.step, settings.steps, state.ema)
    factor = settings.rate_factor(state.step, state.share)
    torch.manual_seed((seed << 32) + state.step)
    logs: dict[str, list[Tensor]] = {}
    players = state.moving(settings)
    whole = state.accumulate * fabric.world_size
    parts = [
        state.objective.updates(state.wrapped, part, state.step) for part in divide(batch, state.accumulate, whole)
    ]
    while moved := add_gradients(fabric, parts, players, state.optimizers):
        set_rates(state.optimizers, settings, factor, moved)
        take_step(moved, players, state.optimizers, settings)
        for name, value in by_name(moved).items():
            logs.setdefault(name, []).append(value)
        if "generator" in moved:
            update_ema(state.ema, state.generator, settings.ema_decay_at(state.step))
        looked = [values[-1] for values in logs.values() if len(values) % LOOK == 0]
        if looked and agree_to_stop(fabric, not bool(torch.stack(looked).isfinite().all())):
            break  # the caller reports it; thousands of further inner steps would change nothing
    state.step += 1
    return logs


def record_of(method: Method, pairs: Pairs, seed: int, step: int) -> ModelRecord:
    return ModelRecord(
        method=method.model_dump(mode="json"),
        condition=pairs.condition.model_dump(mode="json"),
        condition_channels=pairs.condition.channels,
        image_channels=pairs.image_channels,
        size=pairs.size,
        data=pairs.name,
        step=step,
        seed=seed,
        versions=versions(),
        initial_share=method.training.initial_share(step),
    )


def stream(pairs: Pairs, method: Method, run: ExecutionSettings, fabric: Fabric, step: int) -> Iterator[Batch]:
    """Endless batches, one for each step from `step`, on the device."""
    settings, share = method.training, method.objective.steps_per_batch()
    even = settings.rebalance_masks == "even"
    given = (settings.rebalance_classes, even, settings.rebalance_smallest)
    rarity = Rarity(pairs, *given) if settings.rebalance != "none" else None
    served = rarity.served if rarity else []  # loss rebalancing also does nothing if no class has a score
    place = (settings.batch_size, run.seed, fabric.global_rank, fabric.world_size, step // share)
    order: InfiniteSampler
    if rarity and settings.rebalance in ("data", "both"):
        order = WeightedInfiniteSampler(rarity.scores[:, served], *place)
    else:
        order = (ReplacementSampler if settings.replacement else InfiniteSampler)(len(pairs), *place)
    others = None
    if settings.neighbours.threshold:
        with fabric.rank_zero_first(local=True):  # other processes of the machine find its cached result
            others = neighbours(pairs, settings.neighbours).others
    visits = Visits(pairs, settings.jitter, settings.flip, others, settings.fresh_holes)
    for visit in DataLoader(visits, order.per_rank, sampler=order, num_workers=run.workers, collate_fn=collate):
        broken, pools = isinstance(visit, DataError), method.objective.pools
        if pools and agree_to_stop(fabric, broken) and not broken:  # or it would wait for the others' part
            raise DataError(ELSEWHERE)
        if isinstance(visit, DataError):
            raise visit
        raw = fabric.to_device(visit)
        if pools:  # all processes hold the whole pool, and share the work on it
            raw = {name: gather_rows(rows) for name, rows in raw.items()}
        batch = to_batch(raw, pairs.condition, pools)
        if rarity and settings.rebalance in ("loss", "both"):
            batch = batch._replace(weight=rarity.weight(raw["condition"], raw["index"]))
        if run.channels_last:
            batch = laid_out(batch)
        yield from repeat(batch, share - step % share)
        step = 0


def laid_out(batch: Batch) -> Batch:
    """The batch with conditions, or what is encoded of them, channels last; constant planes stay views."""

    def last(planes: Tensor) -> Tensor:
        return planes if is_constant(planes) else planes.contiguous(memory_format=torch.channels_last)

    if (encode := batch.encode) is None:
        return batch._replace(condition=last(batch.condition))
    return batch._replace(encode=lambda read: last(encode(read)))


def set_rates(optimizers: Mapping[str, Any], settings: Training, factor: float, names: Mapping[str, Any]) -> None:
    for name in names:
        for group in optimizers[name].param_groups:
            group["lr"] = settings.learning_rate[name] * factor * group.get("factor", 1.0)


@torch.no_grad()
def update_ema(ema: Generator, generator: Generator, decay: float) -> None:
    """Exponential moving average of the weights; running statistics are copied."""
    torch._foreach_lerp_(list(ema.parameters()), list(generator.parameters()), 1 - decay)
    for old, new in zip(ema.buffers(), generator.buffers()):
        old.copy_(new)


def finite(fabric: Fabric, logs: dict[str, list[Tensor]], step: int, checkpoints: Checkpoints) -> dict[str, float]:
    """Losses as floats, averaged over updates and processes. Raises TrainingError if one is NaN or infinite."""
    means = torch.stack([torch.stack(values).float().mean() for values in logs.values()])
    values = fabric.all_reduce(means, reduce_op="mean")
    numbers = dict(zip(logs, torch.as_tensor(values).tolist()))
    broken = [name for name, value in numbers.items() if not math.isfinite(value)]
    if broken:
        raise TrainingError(f"{' and '.join(broken)} became {numbers[broken[0]]} at step {step}; {advice(checkpoints)}")
    return numbers


def check_finite(generator: nn.Module, step: int, checkpoints: Checkpoints) -> None:
    if not all(bool(p.isfinite().all()) for p in generator.parameters()):
        raise TrainingError(f"generator weights are no longer finite at step {step}; {advice(checkpoints)}")


def advice(checkpoints: Checkpoints) -> str:
    steps = checkpoints.steps()
    good = f"the last good checkpoint is {checkpoints.path(steps[-1])}" if steps else "there is no checkpoint yet"
    return f"{good}; lower the learning rate or set --training.clip_norm"


def waited(fabric: Fabric, checkpoints: Checkpoints, patience: int, log: Log | None) -> bool:
    """Whether the validation score has not improved for `patience` steps; 0: never."""
    over = patience > 0 and agree_to_stop(fabric, checkpoints.waited() >= patience)
    if over and log:
        log.say(f"the validation score has not improved since step {checkpoints.best()}, so training ends here")
    return over


def same_everywhere(fabric: Fabric, state: State, folder: Path) -> State:
    """The state; ConfigError if processes found different checkpoints, as machines do that do not share the disk."""
    found = sorted(set(gather_rows(torch.tensor([state.step], device=fabric.device)).tolist()))
    if len(found) > 1:
        raise ConfigError(
            f"{folder}: some processes found it at step {found[0]}, others at step {found[-1]}; "
            "give an --out on a disk that all machines share"
        )
    return state


def agree_to_stop(fabric: Fabric, asked: bool) -> bool:
    """Whether any process wants to stop."""
    if fabric.world_size == 1:
        return asked
    flag = fabric.all_reduce(torch.tensor(float(asked), device=fabric.device), reduce_op="sum")
    return bool(torch.as_tensor(flag) > 0)
