"""Verbs that keep pictures in the bits that a model's likelihood says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


@dataclass(frozen=True)
class Compress:
    """Keep pictures without loss in about as many bits as the model's likelihood says (gated-pixelcnn)."""

    run_directory: Positional[Path]
    images: Positional[tuple[Path, ...]]
    """8-bit pictures"""
    out: Path
    """a new file, such as pictures.vgz"""
    condition: tuple[str, ...] = ()
    """as in `variegate sample`: one for all pictures or one for each; it is kept in the file"""
    reduce: bool = False
    """round colours down to the levels of a model that knows fewer than 256"""

    def run(self) -> None:
        from ..compression import compress
        from ..model.model import Model
        from .typed import conditions_of

        model = Model.load(self.run_directory)
        conditions = [source for _, source in conditions_of(self.run_directory, self.condition)]
        size = compress(model, self.images, self.out, conditions, self.reduce)
        beyond = 8 * size.pictures / size.information - 1
        print(
            f"{self.out}: {size.written} bytes, of which the pictures take {size.pictures}: "
            f"{8 * size.pictures / size.values:.3f} bits per value, {beyond:.2%} more than the model says"
        )


@dataclass(frozen=True)
class Decompress:
    """Get the pictures of a compressed file back, with the model that compressed them."""

    run_directory: Positional[Path]
    file: Positional[Path]
    out: Path
    """a new folder"""

    def run(self) -> None:
        from ..compression import decompress
        from ..model.model import Model

        for path in decompress(Model.load(self.run_directory), self.file, self.out):
            print(path)
