"""One move: the gradients of every player that it names, over all parts of the batch and all processes, then a step.

The parts of a batch go through an objective's updates side by side: each one's losses are propagated before the next
one's are computed, so that memory holds the networks' inner values for one part at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ..core.config import Training
from ..core.interfaces import Batch, Losses
from ..core.processes import average_over_processes

Players = dict[str, list[nn.Parameter]]
Means = dict[str, dict[str, Tensor]]  # player -> term -> its mean over the parts of a batch


def update(
    fabric: Fabric, losses: Losses, players: Players, optimizers: Mapping[str, Any], settings: Training
) -> dict[str, Tensor]:
    """One simultaneous move on a whole batch: the losses by player and term."""
    means = add_gradients(fabric, [iter([losses])], players, optimizers)
    take_step(means, players, optimizers, settings)
    return by_name(means)


def add_gradients(
    fabric: Fabric, parts: Sequence[Iterator[Losses]], players: Players, optimizers: Mapping[str, Any]
) -> Means:
    """Advance the updates of every part to the next move, and leave its gradients in the parameters.

    Returns:
        The mean losses; nothing when there is no further move.
    """
    means: Means = {}
    for part in parts:
        if (losses := next(part, None)) is None:
            continue
        if not means:
            for name in losses:
                optimizers[name].zero_grad()
        backward(fabric, losses, players, len(parts))
        for name, terms in losses.items():
            sums = means.setdefault(name, {})
            for term, value in terms.items():
                share = value.detach() / len(parts) if len(parts) > 1 else value.detach()
                sums[term] = sums[term] + share if term in sums else share
    average_over_processes([p.grad for name in means for p in players[name] if p.grad is not None])
    return means


def backward(fabric: Fabric, losses: Losses, players: Players, parts: int) -> None:
    """Add the gradients of every player named in `losses` for its own sum, over the number of parts.

    A term that several players share (the same tensor) is backpropagated once, into all of them.
    """
    sharers: dict[int, tuple[Tensor, list[str]]] = {}
    for name, terms in losses.items():
        for value in terms.values():
            sharers.setdefault(id(value), (value, []))[1].append(name)
    totals: dict[tuple[str, ...], list[Tensor]] = {}
    for value, names in sharers.values():
        totals.setdefault(tuple(names), []).append(value)
    for i, (together, values) in enumerate(totals.items()):
        inputs = [parameter for name in together for parameter in players[name]]
        total = torch.stack(values).sum()
        fabric.backward(total / parts if parts > 1 else total, inputs=inputs, retain_graph=i < len(totals) - 1)


def take_step(means: Means, players: Players, optimizers: Mapping[str, Any], settings: Training) -> None:
    """Clip the gradients of every player of a move, then let all of them step."""
    for name in means:
        if settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(players[name], settings.clip_norm)
        if settings.clip_value is not None:
            nn.utils.clip_grad_value_(players[name], settings.clip_value)
        optimizers[name].step()


def by_name(means: Means) -> dict[str, Tensor]:
    return {f"{name}/{term}": value for name, terms in means.items() for term, value in terms.items()}


def divide(batch: Batch, count: int, whole: int) -> list[Batch]:
    """A batch as `count` parts, of `whole` in all processes; part i has rows i, i + count, ..., as processes do."""
    rows = [slice(i, None, count) for i in range(count)]
    fields = ("condition", "image", "index", "key", "weight", "neighbours", "present")

    def part(own: slice) -> dict[str, Any]:
        given = {name: getattr(batch, name) for name in fields}
        return {name: value[own] for name, value in given.items() if value is not None}

    return [batch._replace(**part(own), parts=whole) for own in rows] if count > 1 else [batch._replace(parts=whole)]
