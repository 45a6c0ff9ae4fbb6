"""Everything that training changes: networks, their EMA, optimisers and the step."""

from __future__ import annotations

import copy
import logging
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.checkpoint import checkpoint

from ..core.capabilities import HasLikelihood, HasMemory, HasMoments, HasVelocity
from ..core.config import Training
from ..core.errors import CheckpointError, ConfigError
from ..core.interfaces import Generator, Shapes
from ..core.method import Method
from ..networks.checkpointing import checkpoint_activations
from ..networks.shared_norm import share_batch_norm
from ..runs.saved_model import load_weights
from ..runs.settings import ExecutionSettings
from .dividing import check_division
from .restart import Fresh

logger = logging.getLogger(__name__)


class State:
    """The training state of a method, either new or restored from a checkpoint.

    Attributes:
        generator: the network itself; training calls `wrapped`, which supports several processes.
        ema: the exponential moving average of its weights, in eval mode.
        players: name of the player, which has its own optimiser -> parameters.
    """

    def __init__(self, method: Method, shapes: Shapes, run: ExecutionSettings, saved: dict[str, Any] | None) -> None:
        torch.manual_seed(run.seed)
        self.step: int = saved["step"] if saved else 0
        self.method, self.accumulate = method, run.accumulate
        self.share = method.objective.steps_per_batch()
        self.generator = method.build_generator(shapes)
        if isinstance(self.generator, HasMemory):
            self.generator.get_ready()
        self.objective = method.build_objective(shapes)
        self.ema = copy.deepcopy(self.generator).requires_grad_(False).eval()
        if saved:  # before wrapping: Fabric can save wrapped modules but not load them
            saved = {"ema": saved.get("average"), **saved}  # its name in older checkpoints
            for name in ("generator", "ema", "objective"):
                restore(getattr(self, name), saved, name)
        if run.channels_last:
            for network in (self.generator, self.objective, self.ema):
                network.to(memory_format=torch.channels_last)
        if run.checkpoint_activations and not checkpoint_activations(self.generator):
            logger.warning("%s has no stages, so checkpoint_activations changes nothing", method.name)
        if run.compile:
            self.generator.compile()
        self.saved = saved
        self.optimizers: dict[str, Any] = {}

    def set_up(self, fabric: Fabric, settings: Training) -> None:
        """Move to the device, wrap the trained modules, and create the optimisers."""
        trained = {name: child for name, child in self.objective.named_children() if is_trained(child)}
        check_division(self.method, [self.generator, *trained.values()], fabric.world_size, self.accumulate)
        self.ema.to(fabric.device)
        self.wrapped = cast(Generator, wrap(fabric, self.generator))
        self.objective.to(fabric.device)
        for name, child in trained.items():
            setattr(self.objective, name, wrap(fabric, child))
        players = self.objective.players(self.generator)
        self.players = {name: list(parameters) for name, parameters in players.items()}
        if self.accumulate > 1 and self.objective.images_wait:  # with the inner values of every micro-batch
            setattr(self.generator, "forward", partial(checkpoint, self.generator.forward, use_reentrant=False))  # noqa: B010
        for name, parameters in self.players.items():
            groups = by_rate(self.generator, parameters, settings.rate_factors) if name == "generator" else parameters
            optimizer = optimizer_for(name, groups, settings)
            if self.saved:
                restore(optimizer, self.saved, f"optimizer/{name}")
            self.optimizers[name] = fabric.setup_optimizers(optimizer)
        held = settings.hold.parameters
        every = [name for name, _ in self.generator.named_parameters()]
        names = [name for name in every if any(fnmatchcase(name, pattern) for pattern in held)]
        for pattern in held:
            if not any(fnmatchcase(name, pattern) for name in every):
                raise ConfigError(f"hold.parameters: {pattern!r} matches nothing in the generator, such as {every[0]}")
        if names and len(names) == len(every):
            raise ConfigError("hold.parameters holds the whole generator, so that nothing could learn; leave some out")
        self.fresh = Fresh(settings.restart, self.generator, self.ema)
        self.held = {id(self.generator.get_parameter(name)) for name in names}
        self.saved = None
        self.generator.train()
        self.objective.train()

    def moving(self, settings: Training) -> dict[str, list[nn.Parameter]]:
        """Players without the parameters that are frozen at this step."""
        if not self.held or self.step / settings.steps >= settings.hold.until:
            return self.players
        return {name: [p for p in own if id(p) not in self.held] for name, own in self.players.items()}

    def to_save(self) -> dict[str, Any]:
        """Plain tensors and numbers, sufficient to continue exactly from here."""
        state = {"step": self.step, "generator": self.wrapped.state_dict(), "ema": self.ema.state_dict()}
        state["objective"] = self.objective.state_dict()
        return state | {f"optimizer/{name}": optimizer.state_dict() for name, optimizer in self.optimizers.items()}


def restore(part: Any, saved: dict[str, Any], name: str) -> None:
    """Load a part of a checkpoint.

    Raises:
        CheckpointError: it is missing, damaged or of another network.
    """
    try:
        part.load_state_dict(saved[name])
    except Exception as error:  # torch raises many types for what does not fit
        told = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise CheckpointError(
            f"checkpoint of step {saved.get('step')}: {name} does not fit this training ({told}); "
            "remove its folder in checkpoints/ and resume"
        ) from None


class InitialWeights(NamedTuple):
    """Weights of earlier training: the run's folder, and the result of `saved_model.read_weights`."""

    start: tuple[Path, dict[str, Tensor]] | None = None  # for the generator
    shared: bool = False  # whether to load only what both networks have with the same name and shape
    predictor: tuple[Path, dict[str, Tensor]] | None = None  # for the objective's predictor
    remedy: str = "give a run of the same network"  # what to do if weights do not fit

    def load_into(self, state: State) -> None:
        """Load the weights into the generator, its EMA and the predictor.

        Raises:
            CheckpointError: the weights belong to another network.
        """
        if self.start is not None:
            weights = state.generator.adopt(self.start[1])
            for network in (state.generator, state.ema):
                load_weights(network, weights, self.start[0], self.remedy, self.shared)
        if self.predictor is not None and state.objective.predictor is not None:
            load_weights(state.objective.predictor, self.predictor[1], self.predictor[0], "train another one")
            if state.method.objective.from_predicted() and isinstance(state.objective.predictor, HasMoments):
                weights = state.objective.predictor.centre_weights(state.generator.state_dict())
                for network in (state.generator, state.ema):
                    load_weights(network, weights, self.predictor[0], "train another one")


def is_trained(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


def wrap(fabric: Fabric, module: nn.Module) -> nn.Module:
    """Wrap a module for several processes; a generator's halves (MUNIT), moments and likelihood remain callable."""
    ready = fabric.setup_module(share_batch_norm(module, fabric.device))
    if isinstance(module, Generator):
        for name in ("encode", "decode"):
            ready.mark_forward_method(name)
        if isinstance(module, HasMoments):
            ready.mark_forward_method("moments")
        if isinstance(module, HasVelocity):
            ready.mark_forward_method("velocity_error")
        if isinstance(module, HasLikelihood):
            ready.mark_forward_method("log_prob")
    return ready


def by_rate(generator: nn.Module, parameters: list[nn.Parameter], factors: dict[str, float]) -> list[Any]:
    """The parameters, in groups by the factors of their learning rate if there are any.

    Raises:
        ConfigError: a pattern matches no name.
    """
    if not factors:
        return [*parameters]
    names = {id(parameter): name for name, parameter in generator.named_parameters()}
    for pattern in factors:
        if not any(fnmatchcase(name, pattern) for name in names.values()):
            raise ConfigError(
                f"training.rate_factors: no part of the generator matches {pattern!r}; its parts have names such as "
                f"{next(iter(names.values()))}"
            )
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter in parameters:
        own = [factor for pattern, factor in factors.items() if fnmatchcase(names.get(id(parameter), ""), pattern)]
        groups.setdefault(own[0] if own else 1.0, []).append(parameter)
    return [{"params": own, "factor": factor} for factor, own in groups.items()]


def optimizer_for(name: str, parameters: list[Any], settings: Training) -> Optimizer:
    rate, decay = settings.learning_rate[name], settings.weight_decay
    if settings.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=rate, weight_decay=decay)
    adam = {"lr": rate, "betas": settings.betas, "weight_decay": decay, "amsgrad": settings.optimizer == "amsgrad"}
    return torch.optim.Adam(parameters, **adam, fused=True)  # type: ignore[arg-type]
