"""`variegate data landmarks`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


@dataclass(frozen=True)
class FindLandmarks:
    """Detect landmarks in images that each show one face. Writes landmarks.json next to them."""

    path: Positional[Path]
    """a folder of images, or one with train/, val/ and test/"""
    detector: Path
    """an ONNX network from RGB in [0, 1] to x, y as fractions of the sides; also looked up in VARIEGATE_WEIGHTS"""

    def run(self) -> None:
        from ..data.readers.geometry_search import find_landmarks
        from ..networks.detectors import OnnxLandmarks

        detector = OnnxLandmarks(self.detector)
        for file in find_landmarks(self.path, detector):
            print(f"{file}: {detector.points} landmarks per image, by {detector.name} ({detector.digest})")
