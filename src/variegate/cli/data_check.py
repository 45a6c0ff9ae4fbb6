"""`variegate data check`."""

from __future__ import annotations

from dataclasses import dataclass

from tyro.conf import Positional

from .parsing import Direction


@dataclass(frozen=True)
class Check:
    """Report what a folder of images contains, what is wrong with it, and how to fix it."""

    path: Positional[str]
    direction: Direction | None = None
    condition: str | None = None
    """how to derive conditions from plain images: edges, grey, self, superres:4, inpaint, inpaint:centre,
    inpaint:FOLDER (of masks, white inside the hole); or which conditions to read: landmarks, landmarks:HEAT, normals,
    class, vectors:FILE or none; join several with +, such as class+edges"""
    unpaired: bool = False
    """conditions and images are not paired"""
    white_level: int | None = None
    """the value that is white in 16-bit files, such as 4095 of 12 bits; 65535 unless given"""
    limit: int | None = None
    """open at most this many pairs per split"""

    def run(self) -> None:
        from ..data.checks.check import check

        report = check(self.path, self.direction, self.condition, self.limit, self.unpaired, self.white_level)
        print(report.text())
        if not report.ok:
            raise SystemExit(1)
