"""`variegate data export-streets`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from ..core.errors import ConfigError, DataError
from .parsing import parse_size


@dataclass(frozen=True)
class Export:
    """Export synthetic streets: label maps, images and the factors of each; or one street with a moving car."""

    out: Positional[Path]
    """a new folder; with --frames, a new file such as moving.gif"""
    count: int = 200
    """number of training streets; a tenth as many each are added for validation and testing"""
    size: str = "64"
    """64 or 64x128 (height x width), multiples of 8"""
    seed: int = 0
    frames: int | None = None
    """instead, write a GIF of this many label maps in which a car drives through a street; for `variegate sequence`"""

    def run(self) -> None:
        from ..data.scenes.layouts import save_animation
        from ..data.streets.streets import PALETTE, Streets, export, moving_car

        size = parse_size(self.size) or (64, 64)
        if self.frames is not None:
            if self.out.exists():
                raise DataError(f"{self.out}: already exists; choose a new file for the animated label map")
            print(save_animation(self.out, moving_car(size, self.frames, self.seed), PALETTE))
            return
        if self.out.suffix.lower() == ".gif":
            raise ConfigError(f"{self.out}: names a GIF, but a folder is expected; give a folder, or add --frames 8")
        held = max(1, self.count // 10)
        counts = {"train": self.count, "val": held, "test": held}
        print(export(self.out, *(Streets(size, n, self.seed, split) for split, n in counts.items())))
