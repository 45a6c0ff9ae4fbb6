"""`variegate evaluate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


@dataclass(frozen=True)
class Evaluate:
    """Measure a run on held-out pairs: metrics.json and report.html; of PixelCNNs likelihood.csv too."""

    run_directory: Positional[Path]
    data: str | None = None
    """other data than the run's own"""
    protocol: str = "default"
    """default, quick, likelihood (which draws nothing), or a paper's: bicyclegan, msgan, dsgan, mrgan, cimle,
    latent-dropout, latent-dropout-faces"""
    seed: int = 0
    perceptual: bool = True
    """metrics that need network weights (LPIPS, FID)"""
    detector: Path | None = None
    """ONNX file that finds landmarks: their distance to those of the condition"""
    embedding: Path | None = None
    """ONNX file that embeds faces, or a run of `variegate embed train`: how far the identity of samples spreads"""
    normals: Path | None = None
    """ONNX file that estimates surface normals: their angle to those of the real image"""
    json: bool = False
    """print the numbers to standard output as JSON, and nothing else there"""

    def run(self) -> None:
        from ..evaluation.evaluate import evaluate

        brought = {"detector": self.detector, "embedding": self.embedding, "normals": self.normals}
        content = evaluate(self.run_directory, self.data, self.protocol, self.seed, self.perceptual, **brought)
        if self.json:
            import json

            print(json.dumps(content, indent=2))
            return
        for name, metric in content["metrics"].items():
            if "_best_of_" in name or "_per_dim_class_" in name:  # the report has curves and a table of them
                continue
            interval = "[{:.4g}, {:.4g}]".format(*metric["ci"]) if metric.get("ci") else ""
            print(f"{name:24} {metric['value']:10.4g} {interval:24} {metric['unit']}, {metric['better']} is better")
        print(f"protocols and images: {self.run_directory / 'report.html'}")
