"""`variegate evaluate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from ..core.errors import ConfigError
from ..core.launch import first
from .parsing import sampler_of

DETAILED = ("_best_of_", "_per_dim_class_", "precision_of_")  # shown in the report as curves and tables


@dataclass(frozen=True)
class Evaluate:
    """Evaluate a run on held-out pairs and write metrics, a report and, for PixelCNNs, the likelihood of each image.

    Or evaluate images of any program: give --images and --reference instead of a run.
    """

    run_directory: Positional[Path | None] = None
    data: str | None = None
    """data to evaluate on; default: the run's own. A model alone, such as user/name on the hub, needs some"""
    images: Path | None = None
    """instead of a run: samples CONDITION-NUMBER.png of any program, or a folder of them for each condition"""
    reference: Path | None = None
    """with --images: the real image of each condition, CONDITION.png"""
    conditions: Path | None = None
    """with --images: the picture of each condition, CONDITION.png; adds the conditional metrics"""
    training: Path | None = None
    """with --images: images for the distances of sets; default: those of --reference"""
    protocol: str = "default"
    """how much is measured, by name: default, quick, or a paper's; see `variegate protocols`"""
    seed: int = 0
    perceptual: bool = True
    """metrics that need network weights (LPIPS, FID)"""
    extractor: Literal["auto", "inception", "squeezenet", "alexnet", "dinov2"] = "auto"
    """network whose features sets are compared by; auto: Inception if its weights are at hand, else SqueezeNet"""
    detector: Path | None = None
    """ONNX file that detects landmarks: measures their distance to those of the condition"""
    embedding: Path | None = None
    """ONNX file that embeds faces, or a run of `variegate embed train`: measures how much identity varies"""
    normals: Path | None = None
    """ONNX file that estimates surface normals: measures their angle to those of the real image"""
    segmenter: Path | None = None
    """ONNX file that gives every pixel a score for each class: compares them with the label map"""
    codes: Literal["both", "trained", "new"] = "both"
    """latent-dropout: the fixed codes of training first and then new ones, or only one kind"""
    guidance: float | None = None
    """flow: how far samples are led away from worse ones, 1: not at all; default: as trained"""
    guide: Literal["unconditional", "earlier"] | None = None
    """flow: what guidance leads away from: the network without condition, or as it was early in training"""
    guided_from: float | None = None
    """flow: the time, 0 noise and 1 image, before which nothing is guided; early guidance costs diversity"""
    solver_steps: int | None = None
    """flow: steps from noise to image; default: as trained"""
    temperature: float | None = None
    """PixelCNNs: below 1, likelier values and fewer different images; default: as trained, 1"""
    consistent: bool = False
    """super-resolution, inpainting: change samples so that, made small or around the hole, they are as given"""
    json: bool = False
    """print the results, and nothing else, to standard output as JSON"""

    def run(self) -> None:
        if self.images is not None:
            self.show(self.of_images(self.images))
            return
        if self.run_directory is None:
            raise ConfigError("give a run directory that `variegate train` wrote, or --images and --reference")
        from ..evaluation.evaluate import Brought, evaluate
        from ..evaluation.measuring.subject import results_folder

        given = Brought(
            detector=self.detector,
            embedding=self.embedding,
            normals=self.normals,
            segmenter=self.segmenter,
            extractor=self.extractor,
            codes=self.codes,
            sampler=sampler_of(self),
        )
        self.show(evaluate(self.run_directory, self.data, self.protocol, self.seed, self.perceptual, **given))
        if not self.json and first():
            print(f"protocols and images: {results_folder(self.run_directory) / 'report.html'}")

    def of_images(self, images: Path) -> dict[str, Any]:
        if self.reference is None or self.run_directory is not None:
            raise ConfigError("--images are measured beside the real images in --reference, without a run; give both")
        from ..evaluation.given import Beside, evaluate_images

        beside = Beside(
            training=self.training, conditions=self.conditions, perceptual=self.perceptual, extractor=self.extractor
        )
        return evaluate_images(images, self.reference, self.protocol, self.seed, **beside)

    def show(self, content: dict[str, Any]) -> None:
        if not first():
            return
        if self.json:
            import json

            print(json.dumps(content, indent=2))
            return
        for name, metric in content["metrics"].items():
            if any(part in name for part in DETAILED):
                continue
            interval = "[{:.4g}, {:.4g}]".format(*metric["ci"]) if metric.get("ci") else ""
            print(f"{name:24} {metric['value']:10.4g} {interval:24} {metric['unit']}, {metric['better']} is better")
