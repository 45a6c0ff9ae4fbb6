"""`variegate data normals`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


@dataclass(frozen=True)
class EstimateNormals:
    """Estimate the surface normals of images. Writes them to normals/ in a folder of images, or train_normals/, ..."""

    path: Positional[Path]
    """a folder of images, or one with train/, val/ and test/"""
    estimator: Path
    """an ONNX network from RGB (ImageNet normalisation) to x, y, z (B, 3, H, W); also looked up in VARIEGATE_WEIGHTS"""

    def run(self) -> None:
        from ..data.readers.geometry_search import estimate_normals
        from ..networks.onnx import OnnxNetwork, OnnxNormals
        from ..networks.weights import network_file

        network = OnnxNetwork(network_file(self.estimator))
        for folder in estimate_normals(self.path, OnnxNormals(network)):
            print(f"{folder}: {len(list(folder.iterdir()))} maps of normals, by {network.path.name} ({network.digest})")
