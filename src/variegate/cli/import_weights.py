"""`variegate import`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional


@dataclass(frozen=True)
class Import:
    """Make a model of a generator that was trained with the public pix2pix or BicycleGAN repository (a .pth file)."""

    file: Positional[Path]
    out: Path
    """folder of the model; `variegate sample` takes it"""
    code_size: int | None = None
    """numbers of BicycleGAN's code (0: pix2pix), where the file leaves it open"""
    noise: Literal["none", "dropout"] = "none"
    """pix2pix: dropout becomes the code"""

    def run(self) -> None:
        from ..model.imported import import_weights

        print(import_weights(self.file, self.out, self.code_size, self.noise))
        print(f"{self.out}: variegate sample {self.out} PICTURE")
