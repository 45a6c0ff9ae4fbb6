"""`variegate data neighbours`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from .parsing import Direction, parse_size


@dataclass(frozen=True)
class Neighbours:
    """Show which other images training would accept as answers to a condition, to help choose a threshold."""

    path: Positional[str]
    out: Path = Path("neighbours")
    """folder for neighbours.png and neighbours.json"""
    size: str | None = None
    """training size: 64, or height x width such as 96x128; default: the images' own size"""
    threshold: float | None = None
    """distance between conditions below which pairs are neighbours; default: one at which half of the pairs have
    one"""
    most: int = 7
    """maximum number of images per condition, including its own"""
    count: int = 6
    """number of pairs to show"""
    direction: Direction | None = None
    condition: str | None = None
    """as for `variegate data check`"""

    def run(self) -> None:
        from ..data.dataset.opening import open_data
        from ..data.statistics.neighbours_sheet import neighbours_sheet

        pairs = open_data(self.path, parse_size(self.size), direction=self.direction, condition=self.condition)
        written = neighbours_sheet(pairs, self.out, self.threshold, self.most, self.count)
        print(f"{pairs.description}\n{written.text}\n{written.image}\n{written.image.with_suffix('.json')}")
