"""`variegate demo`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Demo:
    """Train three small models on drawn streets, measure them, write a report. About four minutes on two CPU cores."""

    out: Path = Path("demo")
    """folder for the models, metrics.json and report.html"""
    seed: int = 0
    quick: bool = False
    """a few steps only, to see that everything runs"""

    def run(self) -> None:
        from ..demos.streets import demo

        demo(self.out, self.seed, self.quick)
