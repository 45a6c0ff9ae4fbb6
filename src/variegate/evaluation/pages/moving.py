"""Elements of a report that readers move: samples over the steps of training, and two models under one slider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from .embedded import embed


@dataclass(frozen=True)
class Steps:
    """The images of each run at its checkpoints, one at a time."""

    title: str
    caption: str
    films: Mapping[str, Sequence[tuple[int, bytes]]]  # by run: steps, each with a PNG
    kind: ClassVar[str] = "steps"

    @property
    def frames(self) -> dict[str, list[tuple[int, str]]]:
        """The same with images for a page, without runs that have none."""
        return {name: [(step, embed(png)) for step, png in film] for name, film in self.films.items() if film}


@dataclass(frozen=True)
class Wipe:
    """Two of several images of one size, one over the other up to a line that readers move."""

    title: str
    caption: str
    images: Mapping[str, Tensor]  # uint8 (3, H, W)
    kind: ClassVar[str] = "wipe"

    @property
    def layers(self) -> dict[str, str]:
        return {name: embed(image) for name, image in self.images.items()}

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the images."""
        height, width = next(iter(self.images.values())).shape[-2:]
        return height, width
