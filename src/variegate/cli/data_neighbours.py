"""`variegate data neighbours`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from .parsing import Direction, parse_size


@dataclass(frozen=True)
class Neighbours:
    """Show which other images training would take as answers to a condition, to choose a threshold by."""

    path: Positional[str]
    out: Path = Path("neighbours")
    """the folder for neighbours.png and neighbours.json"""
    size: str | None = None
    """the size of training: 64, or height x width such as 96x128; the images' own unless given"""
    threshold: float | None = None
    """distance of conditions below which pairs are neighbours; half of the pairs have one unless given"""
    most: int = 7
    """images of one condition, its own included"""
    count: int = 6
    """pairs that are shown"""
    direction: Direction | None = None
    condition: str | None = None
    """as in `variegate data check`"""

    def run(self) -> None:
        from ..data.dataset.opening import open_data
        from ..data.statistics.neighbours_sheet import neighbours_sheet

        pairs = open_data(self.path, parse_size(self.size), direction=self.direction, condition=self.condition)
        written = neighbours_sheet(pairs, self.out, self.threshold, self.most, self.count)
        print(f"{pairs.description}\n{written.text}\n{written.image}\n{written.image.with_suffix('.json')}")
