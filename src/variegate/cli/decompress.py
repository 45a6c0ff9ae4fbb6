"""`variegate decompress`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


@dataclass(frozen=True)
class Decompress:
    """Restore the images of a compressed file, with the model that compressed them."""

    run_directory: Positional[Path]
    file: Positional[Path]
    out: Path
    """a new folder"""

    def run(self) -> None:
        from ..compression import decompress
        from ..model.model import Model

        for path in decompress(Model.load(self.run_directory), self.file, self.out):
            print(path)
