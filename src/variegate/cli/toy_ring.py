"""`variegate toy ring`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ToyRing:
    """MR-GAN's toy: train ten GANs on eight modes on a ring, and show which modes each one covers. About 2 minutes."""

    out: Path = Path("ring")
    """folder for ring.png and ring.json"""
    seed: int = 0
    steps: int | None = None
    quick: bool = False
    """only a few steps, to check that it runs"""

    def run(self) -> None:
        from ..demos.ring import ring

        ring(self.out, self.seed, self.steps, self.quick)
