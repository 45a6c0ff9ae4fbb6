"""`variegate data export-streets`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from ..core.errors import ConfigError, DataError
from .parsing import parse_size


@dataclass(frozen=True)
class Export:
    """Write the streets as images: label maps, images and the factors of each; or one street with a moving car."""

    out: Positional[Path]
    """a new folder; with --frames a new file such as moving.gif"""
    count: int = 200
    """streets to train on; a tenth as many are added for validation and for testing each"""
    size: str = "64"
    """64 or 64x128 (height x width), multiples of 8"""
    seed: int = 0
    frames: int | None = None
    """write one GIF of so many label maps instead, in which a car drives through a street; for `variegate sequence`"""

    def run(self) -> None:
        from ..data.scenes.layouts import save_animation
        from ..data.streets.streets import PALETTE, Streets, export, moving_car

        size = parse_size(self.size) or (64, 64)
        if self.frames is not None:
            if self.out.exists():
                raise DataError(f"{self.out} already exists; choose a new file for the animated label map.")
            print(save_animation(self.out, moving_car(size, self.frames, self.seed), PALETTE))
            return
        if self.out.suffix.lower() == ".gif":
            raise ConfigError(f"{self.out}: is the name of an animated label map; add --frames 8, or name a folder")
        held = max(1, self.count // 10)
        counts = {"train": self.count, "val": held, "test": held}
        print(export(self.out, *(Streets(size, n, self.seed, split) for split, n in counts.items())))
