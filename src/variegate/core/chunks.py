"""How many codes are decoded at a time, so that memory depends neither on the size of images nor on their number.

Small images are decoded 16 at a time. Of large ones the first is decoded alone, and what it takes tells how many of the
others fit into the budget.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .capabilities import Completes
from .interfaces import Generator

CHUNK = 16  # the most images of one condition that are decoded at a time, unless told otherwise
SMALL = 128 * 128  # pixels up to which as many are
BUDGET = 2**29  # bytes of all maps that are alive at a time; on a GPU it is a quarter of what is free


class Peak(TorchDispatchMode):
    """While it is active, the bytes of tensors that are made from others are counted as long as they live.

    Attributes:
        bytes: the most that were alive at a time; scratch space inside an operation is not counted.
        read: bytes of the tensors that others were made from, by storage.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes, self.alive, self.known = 0, 0, set[int]()
        self.read: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        storages = [x.untyped_storage() for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        given = {storage._cdata: storage.nbytes() for storage in storages}
        self.read |= {storage: size for storage, size in given.items() if storage not in self.known}
        for made in tree_leaves(out) if given else ():
            if not isinstance(made, Tensor):
                continue
            storage = made.untyped_storage()
            if storage._cdata not in given and storage._cdata not in self.known:
                self.known.add(storage._cdata)
                self.alive += storage.nbytes()
                weakref.finalize(storage, self.free, storage._cdata, storage.nbytes())
        self.bytes = max(self.bytes, self.alive)
        return out

    def free(self, storage: int, size: int) -> None:
        self.known.discard(storage)
        self.alive -= size

    def __enter__(self) -> Self:
        super().__enter__()
        return self


def at_once(peak: Peak, generator: Generator, device: torch.device) -> int:
    """How many codes fit into the budget, 1 to 16, after one was decoded. Others need a copy of the features each."""
    weights = {tensor.untyped_storage()._cdata for tensor in (*generator.parameters(), *generator.buffers())}
    taken, budget = peak.bytes + sum(size for one, size in peak.read.items() if one not in weights), BUDGET
    if device.type == "cuda":
        budget = torch.cuda.mem_get_info(device)[0] // 4
    return max(1, min(CHUNK, budget // max(1, taken)))


def in_parts(
    generator: Generator, codes: Tensor, pixels: int, device: torch.device, draw: Callable[[Tensor], Tensor]
) -> Iterator[Tensor]:
    """What `draw` makes of codes (S, D), part by part: of at most 16, or of as many as fit into the budget."""
    compiled = "decode" in vars(generator)
    if pixels <= SMALL or compiled or isinstance(generator, Completes):
        yield from map(draw, codes.split(max(1, CHUNK * SMALL // pixels) if compiled and pixels > SMALL else CHUNK))
        return
    with Peak() as peak:  # never while this is suspended: other code would run in it
        first = draw(codes[:1])
    together = at_once(peak, generator, device)
    yield first
    del first
    if len(codes) > 1:
        yield from map(draw, codes[1:].split(together))
