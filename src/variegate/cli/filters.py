"""`variegate filters`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from .parsing import folder_for


@dataclass(frozen=True)
class Filters:
    """Show the sampled convolution filters of basisgan or filtergan: bases of several codes, and how few suffice."""

    run_directory: Positional[Path]
    seed: int = 0
    out: Path | None = None
    device: str = "cpu"

    def run(self) -> None:
        from ..evaluation.filters import sampled_filters, save_filters
        from ..model.model import Model

        out = folder_for(self.out, self.run_directory / "filters")
        found = sampled_filters(Model.load(self.run_directory, self.device), self.seed)
        save_filters(found, out)
        for one in found:
            print(f"{one.name}: effective rank {one.rank:.1f} of the filters of 100 codes")
        print(out)
