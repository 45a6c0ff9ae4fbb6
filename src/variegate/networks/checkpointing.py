"""Activation checkpointing (Chen et al., 2016): parts of a network keep only what they read for the backward pass.

What is inside them is computed a second time when gradients need it. All randomness of generators is in their codes, so
it has the same bits, and batch norm counts a batch once.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def run(part: nn.Module, *given: Any, again: bool) -> Any:
    """Run a part of a network; if `again`, and gradients will be asked for, without keeping what is inside it."""
    if not again or not torch.is_grad_enabled():
        return part(*given)
    contexts = partial(first_and_second, part)
    return checkpoint(part, *given, use_reentrant=False, preserve_rng_state=False, context_fn=contexts)


def first_and_second(part: nn.Module) -> tuple[Any, Any]:
    """What the two runs of a part are wrapped in."""
    return contextlib.nullcontext(), Uncounted(part)


class Uncounted:
    """Batch norms inside add the batch to a copy of their running statistics, which is thrown away; can be entered
    again, as when several losses go backwards through a part."""

    def __init__(self, part: nn.Module) -> None:
        self.part = part
        self.counted: list[tuple[nn.Module, dict[str, Any]]] = []

    def __enter__(self) -> None:
        norms = [module for module in self.part.modules() if isinstance(module, _BatchNorm) and module.training]
        self.counted = [(norm, dict(norm._buffers)) for norm in norms]
        for norm, own in self.counted:
            norm._buffers.update({name: None if kept is None else kept.clone() for name, kept in own.items()})

    def __exit__(self, *_: object) -> None:
        for norm, own in self.counted:
            norm._buffers.update(own)


def checkpoint_activations(network: nn.Module) -> bool:
    """Use it in all parts of a network that are made for it; False if there are none."""
    made_for_it = [module for module in network.modules() if hasattr(type(module), "checkpoints")]
    for module in made_for_it:
        module.checkpoints = True  # type: ignore[assignment]
    return bool(made_for_it)
