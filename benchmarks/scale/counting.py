"""Multiply-adds, operations and weights of the published networks, without their memory and without a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from variegate.core.config import Training
from variegate.core.interfaces import Batch, Generator, Objective, Shapes, Size
from variegate.core.method import Method
from variegate.methods import method
from variegate.training.moves import update

from ..fake import move, without_values
from ..gpu.cases import FAMILIES, Family, offline
from ..gpu.measure import CHUNK, CLASSES

COUNTED = ("pix2pix", "bicyclegan", "basisgan", "mrgan", "cimle", "latent-dropout", "flow", "gated-pixelcnn")
METHODS: dict[str, tuple[str, Family]] = {name: (name, FAMILIES[name]) for name in COUNTED} | {
    "flow at 64": ("flow", Family((64, 64), (64, 64), {"network": "large-64"}))
}
UNTRAINED = ("cimle", "latent-dropout")  # what their steps compute depends on values, which are not there
CPU = torch.device("cpu")
FEW: Size = (8, 8)  # at which a PixelCNN's operations are counted: each pixel has as many


class Operations(TorchDispatchMode):
    """Counts calls that compute, of which each is about one kernel on a GPU; views are not."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


def counted(task: Callable[[], object]) -> tuple[int, int]:
    """Multiply-adds and operations of a task on tensors without values."""
    with FlopCounterMode(display=False) as adds, Operations() as operations:
        task()
    return int(adds.get_total_flops()) // 2, operations.count


def counts(name: str) -> dict[str, Any]:
    """What drawing and training with a method's published networks take."""
    kind, family = METHODS[name]
    chosen = offline(method(kind, family.published))
    found = {"size": list(family.large), "options": family.published, "sampling": sampling(chosen, family.large)}
    if name not in UNTRAINED:
        found["training"] = training(chosen, family.large)
    return found


@torch.no_grad()
def sampling(chosen: Method, size: Size) -> dict[str, Any]:
    """Of a condition once, and of an image; operations of a chunk of images."""
    pixels = chosen.generator.kind == "pixelcnn"
    shapes = Shapes(CLASSES, 3, FEW if pixels else size)
    times = size[0] * size[1] // (FEW[0] * FEW[1]) if pixels else 1
    generator = chosen.build_generator(shapes).eval()
    with without_values() as (mode, _):
        move(generator, mode, CPU)
        condition, codes = torch.zeros(1, CLASSES, *shapes.size), torch.zeros(1, CHUNK, generator.code_size)
        encode, _ = counted(lambda: generator.encode(condition))
        features = generator.encode(condition)
        decode, operations = counted(lambda: generator.decode_all(features, codes))
    return {
        "multiply_adds_encode": encode * times,
        "multiply_adds_decode": decode * times // CHUNK,
        "operations": operations * times,
        "chunk": CHUNK,
        "parameters": sum(parameter.numel() for parameter in generator.parameters()),
    }


def training(chosen: Method, size: Size) -> dict[str, Any]:
    """Of a step, forwards and backwards, with everything that learns; optimisers are left out."""
    shapes, count = Shapes(CLASSES, 3, size), chosen.training.batch_size
    generator, objective = chosen.build_generator(shapes).train(), chosen.build_objective(shapes).train()
    with without_values() as (mode, _):
        move(generator, mode, CPU)
        move(objective, mode, CPU)
        condition = F.one_hot(torch.zeros(count, *size, dtype=torch.long), CLASSES).movedim(-1, 1).float()
        keys = torch.arange(count)
        batch = Batch(condition, torch.zeros(count, 3, *size), keys, keys)
        adds, operations = counted(lambda: step(generator, objective, batch, chosen.training))
    players = objective.players(generator).values()
    weights = {id(parameter): parameter.numel() for own in players for parameter in own}
    return {
        "batch": count,
        "steps": chosen.training.steps,
        "multiply_adds": adds,
        "operations": operations,
        "parameters": sum(weights.values()),
    }


def step(generator: Generator, objective: Objective, batch: Batch, training: Training) -> None:
    """All updates of a batch as the loop makes them, but for what optimisers do."""
    fabric = Fabric(accelerator="cpu", devices=1)
    players = {name: list(own) for name, own in objective.players(generator).items()}
    still = {name: Still(own) for name, own in players.items()}
    for losses in objective.updates(generator, batch, 0):
        update(fabric, losses, players, still, training)


class Still:
    """In the place of an optimiser."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        self.parameters = parameters

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    def step(self) -> None:
        return
