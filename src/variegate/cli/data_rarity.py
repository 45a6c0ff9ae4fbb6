"""`variegate data rarity`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from .parsing import parse_size


@dataclass(frozen=True)
class Rarity:
    """Show the most common and the rarest images of each class, as `--rebalance` would weight them."""

    path: Positional[str]
    out: Path = Path("rarity")
    """folder for rarity.png and rarity.json"""
    size: str | None = None
    """training size: 64, or height x width such as 96x128; default: the images' own size"""
    count: int = 5
    """number of images at each end of a row"""
    classes: int = 5
    """number of classes to show, largest area first"""
    smallest: float = 0.001
    """share of the image up to which a class has no score, as --rebalance-smallest of training"""

    def run(self) -> None:
        from ..data.dataset.opening import open_data
        from ..data.statistics.rarity_sheet import explanation, rarity_sheet

        pairs = open_data(self.path, parse_size(self.size))
        written = rarity_sheet(pairs, self.out, self.count, self.classes, self.smallest)
        print(f"{pairs.description}\n{explanation(self.smallest)}\n{written}\n{written.with_suffix('.json')}")
