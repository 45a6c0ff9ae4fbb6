"""`variegate demo`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Demo:
    """Train three small models on synthetic streets, evaluate them and write a report. About 5 minutes on two cores."""

    out: Path = Path("demo")
    """folder for the models, metrics.json and report.html"""
    seed: int = 0
    quick: bool = False
    """only a few steps, to check that everything runs"""

    def run(self) -> None:
        from ..demos.streets import demo

        demo(self.out, self.seed, self.quick)
