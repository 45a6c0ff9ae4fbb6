"""Tensors that say they are on a GPU and hold nothing: what mixes devices fails as it would there, without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from math import prod
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode

DEVICE = torch.device("cuda", 0)
READS = {Tensor.numpy, Tensor.tolist, Tensor.item, Tensor.__bool__, Tensor.__int__, Tensor.__float__, Tensor.__index__}
FINDS = {Tensor.nonzero, torch.nonzero, Tensor.unique, torch.unique}


class Readings(TorchFunctionMode):
    """Answers in the place of values, which fake tensors lack, and counts how often they are read from the GPU.

    Numbers are 0, 1, 2 and so on, all conditions hold, and every place is found.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        first = args[0] if args else None
        masked = func is Tensor.__getitem__ and isinstance(args[1], Tensor) and args[1].dtype == torch.bool
        if isinstance(first, FakeTensor) and (func in READS or func in FINDS or masked):
            self.count += first.device.type == DEVICE.type
            if masked:
                return first.flatten(0, args[1].ndim - 1)
            return places(first) if func in FINDS else values(func, first)
        return func(*args, **(kwargs or {}))


def values(func: Any, fake: FakeTensor) -> Any:
    if func is Tensor.numpy:
        if fake.device.type == DEVICE.type:
            raise TypeError("a tensor on a GPU has no NumPy array; call .cpu() first")
        return np.arange(prod(fake.shape), dtype=np.float32).reshape(fake.shape)
    if func is Tensor.tolist:
        numbers = count()
        return nested(tuple(fake.shape), lambda: next(numbers))
    return True if func is Tensor.__bool__ or fake.dtype == torch.bool else 0


def nested(shape: tuple[int, ...], number: Any) -> Any:
    return [nested(shape[1:], number) for _ in range(shape[0])] if shape else number()


def places(fake: FakeTensor) -> Tensor:
    """Indices of every element, as `nonzero` gives those of some; of a flat tensor also what `unique` may give."""
    found = torch.zeros(prod(fake.shape), max(1, fake.ndim), dtype=torch.long, device=fake.device)
    return found[:, 0] if fake.ndim == 1 else found


def move(module: nn.Module, mode: FakeTensorMode, device: torch.device = DEVICE) -> None:
    """Put registered parameters and buffers on a fake device, as `Module.to` does; whatever else it holds stays."""
    moved: dict[int, Tensor] = {}
    for part in module.modules():
        for kept in (part._parameters, part._buffers):
            for name, old in kept.items():
                if old is None:
                    continue
                if id(old) not in moved:
                    fake = mode.from_tensor(old.detach(), static_shapes=True).to(device)
                    moved[id(old)] = nn.Parameter(fake, old.requires_grad) if isinstance(old, nn.Parameter) else fake
                kept[name] = moved[id(old)]  # type: ignore[assignment]


@contextmanager
def fake_gpu(*modules: nn.Module) -> Iterator[Readings]:
    """Run what follows with these modules on the fake GPU."""
    with without_values() as (mode, readings):
        for module in modules:
            move(module, mode)
        yield readings


@contextmanager
def without_values() -> Iterator[tuple[FakeTensorMode, Readings]]:
    """Run what follows on tensors that have shapes and devices only; autograd works on those of the processor.

    Networks are built before: initial weights may be drawn until they are as they should be, which asks for values.
    """
    as_one = patch.object(FakeTensor, "tolist", Tensor.tolist)  # which reads once; a fake's own reads every number
    with FakeTensorMode(allow_non_fake_inputs=True) as mode, as_one, Readings() as readings:
        yield mode, readings
