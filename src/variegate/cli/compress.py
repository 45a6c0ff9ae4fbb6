"""`variegate compress`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


@dataclass(frozen=True)
class Compress:
    """Compress images losslessly into about as many bits as the model's likelihood implies (gated-pixelcnn)."""

    run_directory: Positional[Path]
    images: Positional[tuple[Path, ...]]
    """8-bit images"""
    out: Path
    """a new file, such as pictures.vgz"""
    condition: tuple[str, ...] = ()
    """as for `variegate sample`: one for all images or one per image; stored in the file"""
    reduce: bool = False
    """round colours down to the model's levels if it has fewer than 256"""

    def run(self) -> None:
        from ..compression import compress
        from ..model.model import Model
        from .typed import conditions_of

        model = Model.load(self.run_directory)
        conditions = [source for _, source in conditions_of(self.run_directory, self.condition)]
        size = compress(model, self.images, self.out, conditions, self.reduce)
        beyond = 8 * size.images / size.information - 1
        print(
            f"{self.out}: {size.written} bytes, of which the images take {size.images}: "
            f"{8 * size.images / size.values:.3f} bits per value, {beyond:.2%} above the model's estimate"
        )
