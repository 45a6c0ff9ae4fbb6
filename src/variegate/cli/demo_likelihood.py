"""`variegate demo likelihood`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DemoLikelihood:
    """Train a gated PixelCNN on handwritten digits, measure bits per dimension, sample each digit. About a minute."""

    out: Path = Path("likelihood")
    """run directory; also for digits.png and report.html"""
    seed: int = 0
    quick: bool = False
    """only two steps, to check that everything runs"""

    def run(self) -> None:
        from ..demos.likelihood import demo_likelihood

        demo_likelihood(self.out, self.seed, self.quick)
