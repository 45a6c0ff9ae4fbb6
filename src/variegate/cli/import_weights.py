"""`variegate import`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional


@dataclass(frozen=True)
class Import:
    """Convert a generator trained with the public pix2pix or BicycleGAN repository into a model. Reads a .pth file."""

    file: Positional[Path]
    out: Path
    """folder for the model, as accepted by `variegate sample`"""
    code_size: int | None = None
    """length of BicycleGAN's code (0: pix2pix), if the file does not determine it"""
    noise: Literal["none", "dropout"] = "none"
    """pix2pix: dropout becomes the code"""

    def run(self) -> None:
        from ..model.imported import import_weights

        print(import_weights(self.file, self.out, self.code_size, self.noise))
        print(f"{self.out}: variegate sample {self.out} PICTURE")
