"""`variegate data landmarks`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


@dataclass(frozen=True)
class FindLandmarks:
    """Find landmarks in images that each show one face, and write landmarks.json beside them."""

    path: Positional[Path]
    """a folder of images, or of train/, val/ and test/"""
    detector: Path
    """an ONNX network, RGB in [0, 1] to x, y as shares of the sides; a name is looked for in VARIEGATE_WEIGHTS too"""

    def run(self) -> None:
        from ..data.readers.landmark_search import find_landmarks
        from ..networks.detectors import OnnxLandmarks

        detector = OnnxLandmarks(self.detector)
        for file in find_landmarks(self.path, detector):
            print(f"{file}: {detector.points} landmarks of each image, by {detector.name} ({detector.digest})")
