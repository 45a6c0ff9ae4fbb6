"""The gated stacks for one image, on a processor, with the pixels of a row drawn by code that Numba compiles.

Compiling takes seconds once; Numba keeps what it made beside this file or in the user's cache.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

import torch
from torch import Tensor

from .colour_head import ColourHead
from .gated_steps import GatedSteps
from .one_image import Floats, array
from .steps import bias_of, centre_of


@cache
def compiled() -> ModuleType | None:
    """The module `compiled_row`; None without Numba (`variegate[compiled]`), or where it can keep nothing."""
    try:
        from . import compiled_row
    except (ImportError, RuntimeError):
        return None
    return compiled_row


class CompiledSteps(GatedSteps):
    """See `GatedSteps`; `batch` must be 1, and everything in single precision on the CPU. A row is drawn at once."""

    def start(self, row: ModuleType, head: ColourHead, temperature: float) -> None:
        """Arrange the weights for `row`, the compiled module."""
        self.code, later = row, len(self.layers) - 1
        gates = self.left.unflatten(1, (self.colours, 3, self.group))[:, :, :2].flatten(1, 3)
        whole = torch.stack([*self.matrices, self.zeros(3 * self.maps, 3 * self.maps)])[:later]
        self.read = row.Layers(
            ahead=array(self.bases),
            left_first=self.plain(self.left_first),
            centre_first=self.plain(self.centre_first),
            left=self.plain(gates),
            matrices=self.plain(self.without_a(whole)),
            last=self.plain(self.without_a(self.carry(self.layers[-1]))),
            offset=self.plain(bias_of(self.layers[-1].output)),
        )
        hidden, logits = ((self.plain(centre_of(one)), self.plain(bias_of(one))) for one in (head.hidden, head.logits))
        self.head = row.Head(*hidden, *logits, array(torch.full((1, 1), temperature))[0])
        self.now = row.State(
            base=array(self.base),
            maps=self.plain(self.zeros(later + 1, 2 * self.maps)),
            past=array(self.past),
            shades=array(self.row_so_far),
            result=array(self.result),
            hidden=self.plain(self.zeros(head.hidden.out_channels)),
            sums=self.plain(self.zeros(head.levels)),
        )

    def plain(self, tensor: Tensor) -> Floats:
        found: Floats = tensor.detach().contiguous().numpy()
        return found

    def without_a(self, matrix: Tensor) -> Tensor:
        """Columns (..., 3p) of z and h alone, (..., 2p): nothing reads a."""
        return matrix.unflatten(-1, (self.colours, 3, self.group))[..., 1:, :].flatten(-3)

    def draw(self, levels: Tensor, uniform: Tensor, kept: int) -> None:
        """Draw the levels (W, C, 1) of a row that has begun, after its first `kept` pixels, by numbers (W, C, 1)."""
        self.code.draw_row(self.read, self.head, self.now, array(levels), array(uniform), kept)
