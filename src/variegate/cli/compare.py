"""`variegate compare`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


@dataclass(frozen=True)
class Compare:
    """Measure runs on the same conditions with the same codes, and write tables and a page that puts them side by side.

    Numbers of different protocols are never put into one column; the page says why. Differences are tested by paired
    bootstrap over conditions.
    """

    runs: Positional[tuple[str, ...]]
    """run directories, and files of `variegate evaluate --json`"""
    out: Path = Path("comparison")
    """folder for report.html, comparison.json, .csv and .tex"""
    data: str | None = None
    """held-out data to use instead of that of the runs"""
    protocol: str = "default"
    """how much is measured, by name; see `variegate protocols`"""
    seed: int = 0
    perceptual: bool = True
    """metrics that need network weights (LPIPS, FID)"""

    def run(self) -> None:
        from ..evaluation.compare import compare

        content = compare(self.runs, self.out, self.data, self.protocol, self.seed, self.perceptual)
        for why in content["refused"].values():
            print(f"not compared: {why}")
        for metric, name in content["best"].items():
            if any(part in metric for part in ("_best_of_", "_top10", "precision_of_")):
                continue
            others = content["differences"].get(metric, {})
            even = [other for other, gap in others.items() if gap["low"] <= 0 <= gap["high"]]
            print(f"{metric:28} {name}" + (f" (as good: {', '.join(even)})" if even else ""))
        print(f"tables and images: {self.out / 'report.html'}")
