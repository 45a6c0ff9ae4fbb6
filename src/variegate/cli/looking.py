"""Verbs that look at methods and runs: what there is, how good it is, whether it is healthy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from .parsing import folder_for, named_or_none, prefixes, size_for


@dataclass(frozen=True)
class Methods:
    """List the methods: paper, parts, and what data each wants."""

    json: bool = False

    def run(self) -> None:
        from ..methods import listing

        rows = listing()
        if self.json:
            import json

            print(json.dumps(rows, indent=2))
            return
        for row in rows:
            print(f"{row['name']:20} {row['summary']}")
            print(f"{'':20} {row['generator']} + {row['randomness']} + {row['objective']}; wants {row['condition']}")
            print(f"{'':20} {row['paper']}\n")


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
        from ..api import evaluate

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
        print(f"protocols and pictures: {self.run_directory / 'report.html'}")


@dataclass(frozen=True)
class Doctor:
    """Say in words whether a run is healthy: is the code ignored, is training going on, is the model complete?"""

    run_directory: Positional[Path]

    def run(self) -> None:
        from ..evaluation.doctor import diagnose

        healthy, lines = diagnose(self.run_directory)
        print("\n".join(lines))
        if not healthy:
            raise SystemExit(1)


@dataclass(frozen=True)
class Moments:
    """Where is this ambiguous? Mean and standard deviation of every pixel: predicted, of samples, or both."""

    run_directory: Positional[Path]
    conditions: Positional[tuple[str, ...]]
    """picture files, or items of the run's data such as test:0 or val:3, or as in `variegate sample`"""
    n: Annotated[int, arg(aliases=["-n"])] = 32
    """samples, where the model has to be sampled"""
    seed: int = 0
    size: str | None = None
    mask: Path | None = None
    """inpainting: white where the one condition is to be filled"""
    out: Path | None = None
    device: str = "cpu"

    def run(self) -> None:
        from ..api import load_predictor
        from ..model.model import Model
        from .typed import conditions_of

        out = folder_for(self.out, self.run_directory / "moments")
        model = Model.load(self.run_directory, self.device)
        predictor = load_predictor(self.run_directory, self.device)
        named = conditions_of(self.run_directory, named_or_none(self.conditions, model))
        for prefix, (_, condition) in zip(prefixes([name for name, _ in named]), named):
            condition = (condition, self.mask) if self.mask else condition
            sources = {"": model} if predictor is None else {"": model, "predicted-": predictor}
            size = size_for(self.size, model.size)
            found = {word: source.moments(condition, self.n, self.seed, size) for word, source in sources.items()}
            top = max(float(one.deviation.max()) for one in found.values())  # so that the pictures can be compared
            for word, one in found.items():
                one.save(out, f"{prefix}{word}", top)
        print(out)
