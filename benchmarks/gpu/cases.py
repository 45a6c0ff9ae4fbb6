"""Which rows there are: method families at a small and the published size, and what is switched on in each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from variegate.core.interfaces import Size
from variegate.core.method import Method
from variegate.core.overrides import override
from variegate.methods import method
from variegate.runs.config import budget_of

Task = Literal["training", "sampling"]
Switch = Literal["plain", "bf16", "contiguous", "graphs", "compile", "overhead"]
SWITCHES: dict[Switch, str] = {
    "plain": "float32, channels last, not compiled",
    "bf16": "bf16 autocast",
    "contiguous": "channels first",
    "graphs": "the decoder as a CUDA graph",
    "compile": "torch.compile",
    "overhead": 'the decoder by torch.compile(mode="reduce-overhead")',
}
ONLY_SAMPLING: tuple[Switch, ...] = ("graphs", "overhead")
POOL = {"objective.inner_steps": 8, "objective.updates_per_step": 8, "objective.inner_batch": 1, "batch_size": 8}


class Family(NamedTuple):
    """One method of a family.

    Attributes:
        published: options beyond the preset's own sizes.
        small, large: sizes; with those of `variegate.methods.budgets`, and as published.
    """

    small: Size
    large: Size
    published: dict[str, Any] = {}  # noqa: RUF012 of a named tuple, never changed


FAMILIES: dict[str, Family] = {
    "pix2pix": Family((64, 64), (256, 256)),
    "bicyclegan": Family((64, 64), (256, 256)),
    "basisgan": Family((64, 64), (256, 256)),
    "flow": Family((64, 64), (256, 256), {"network": "large-256"}),
    "cimle": Family((64, 64), (256, 512), POOL),
    "crn": Family((64, 64), (256, 512)),
    "gated-pixelcnn": Family((16, 16), (32, 32), {"network": "cifar10"}),
    "mrgan": Family((64, 64), (256, 256)),
    "latent-dropout": Family((64, 64), (96, 96)),
    "flow-student": Family((64, 64), (64, 64), {"scale": 4.0}),
    "srgan": Family((64, 64), (96, 96)),
    "glcic": Family((64, 64), (160, 160)),
    "munit": Family((64, 64), (256, 256)),
    "pix2pixhd": Family((64, 128), (512, 1024)),
}
COMPILED = ("pix2pix", "basisgan", "flow")  # compilation takes a minute or two of each
ALIKE = ("pix2pix", "basisgan", "flow", "cimle", "gated-pixelcnn")  # whose decoders are also tried as CUDA graphs
QUICK: dict[str, tuple[Size, dict[str, Any]]] = {
    "pix2pix": ((32, 32), {"width": 4}),
    "flow": ((16, 16), {"generator.widths": (8, 8)}),
    "cimle": ((16, 16), {**POOL, "widths": (8, 8, 6), "randomness.channels": 2, "randomness.hidden": 4}),
    "gated-pixelcnn": ((4, 4), {"layers": 2, "width": 6, "filter": 3}),
}


class Case(NamedTuple):
    """One row."""

    method: str
    size: Size
    published: bool
    task: Task
    switch: Switch
    quick: bool = False

    @property
    def id(self) -> str:
        height, width = self.size
        sizes = "published" if self.published else "small"
        return f"{self.method} {sizes} {height}x{width}, {self.task}, {self.switch}"

    def chosen(self) -> Method:
        """The method with its options."""
        if self.quick:
            options = QUICK[self.method][1]
        elif self.published:
            options = FAMILIES[self.method].published
        else:
            budget = budget_of(method(self.method))
            options = {**budget.options, **budget.rungs[0]}
        return offline(method(self.method, options), "laplacian" if self.quick else "random")


def offline(found: Method, perceptual: str = "random") -> Method:
    """A method whose perceptual loss needs no download: features of random networks cost as much as learned ones."""
    return override(found, {"objective.perceptual": perceptual}) if hasattr(found.objective, "perceptual") else found


def cases(switches: Sequence[Switch], quick: bool) -> list[Case]:
    """Every row, what matters most first: those that compile, which take longest, come last."""
    if quick:
        named = [(name, size, False) for name, (size, _) in QUICK.items()]
    else:
        named = [(name, family.large, True) for name, family in FAMILIES.items()]
        named += [(name, family.small, False) for name, family in FAMILIES.items()]
    return [
        Case(name, size, published, task, switch, quick)
        for switch in SWITCHES
        if switch in switches
        for name, size, published in named
        if measured_with(name, published, switch, quick)
        for task in (("sampling",) if switch in ONLY_SAMPLING else ("training", "sampling"))
    ]


def measured_with(name: str, published: bool, switch: Switch, quick: bool) -> bool:
    """Whether a family has rows with this switch at this size."""
    if switch in ("compile", "overhead"):
        return name == "pix2pix" if quick else name in COMPILED and published
    if switch == "graphs":
        return name == "pix2pix" if quick else name in ALIKE
    return switch != "contiguous" or published or quick
