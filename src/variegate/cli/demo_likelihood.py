"""`variegate demo likelihood`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DemoLikelihood:
    """Train a gated PixelCNN on handwritten digits, measure bits per dimension, draw each digit. About a minute."""

    out: Path = Path("likelihood")
    """run directory, for digits.png and report.html too"""
    seed: int = 0
    quick: bool = False
    """two steps only, to see that everything runs"""

    def run(self) -> None:
        from ..demos.likelihood import demo_likelihood

        demo_likelihood(self.out, self.seed, self.quick)
