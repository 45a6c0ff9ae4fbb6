"""Training in two phases: parts of the generator and the optimisers are reset, and training continues more slowly.

Conditional IMLE re-initialises its noise encoder in this way, because it has by then overfitted the codes of its pool
(Li et al., ICCV 2019, released code). New weights are drawn on the CPU from the run's seed, so that a run resumed at
the restart repeats it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any

import torch
from torch import nn

from ..core.config import Restart
from ..core.errors import ConfigError
from ..core.interfaces import Generator

STREAM = 0x5EED  # makes the new weights differ from the initial ones of the same seed


class Fresh:
    """The modules of a generator and of its EMA that a restart re-initialises.

    Raises:
        ConfigError: there is no such module, or it cannot be re-initialised.
    """

    def __init__(self, restart: Restart, generator: Generator, ema: Generator) -> None:
        found = [(module_of(generator, name), module_of(ema, name)) for name in restart.modules if restart.at]
        self.pairs = [(one, two) for one, two in found if one is not None and two is not None]

    def restart(self, optimizers: Mapping[str, Any], seed: int) -> None:
        """Re-initialise the modules and reset the optimisers; uses the global random state, seeded for every step."""
        torch.manual_seed((seed << 16) ^ STREAM)
        for module, averaged in self.pairs:
            new = copy.deepcopy(module).cpu()
            new.reset()  # type: ignore[operator]
            for one in (module, averaged):
                one.load_state_dict(new.state_dict())
        forget(optimizers.values())


def module_of(generator: nn.Module, name: str) -> nn.Module | None:
    """The module with this dotted name; None if the network was built without it."""
    try:
        found = attrgetter(name)(generator)
    except AttributeError:
        raise ConfigError(
            f"training.restart.modules: this generator has no part {name!r}; name another, or set training.restart.at 0"
        ) from None
    if found is not None and not callable(getattr(found, "reset", None)):
        raise ConfigError(
            f"training.restart.modules: {name} cannot be re-initialised (it has no `reset`); name another part"
        )
    return found


def forget(optimizers: Iterable[Any]) -> None:
    """Drop all running means and step counts."""
    for optimizer in optimizers:
        optimizer.state.clear()
