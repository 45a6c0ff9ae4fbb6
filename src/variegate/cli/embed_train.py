"""`variegate embed train`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from .parsing import parse_size


@dataclass(frozen=True)
class EmbedTrain:
    """Learn face embeddings with the triplet loss: those of one person end up closer than those of different people."""

    folder: Positional[Path]
    """one sub-folder per person, with at least two images: PERSON/*.jpg"""
    out: Path
    """run directory"""
    size: str = "64"
    """resize images to this: 64, or height x width such as 96x128"""
    steps: int = 3000
    seed: int = 0
    length: int = 128
    """embedding dimension"""
    width: int = 32
    """channels of the first convolution"""
    people: int = 24
    """people per batch"""
    pictures: int = 4
    """images per person in a batch, or as many as there are"""
    margin: float = 0.2
    learning_rate: float = 1e-3
    resume: bool = False
    """continue the run in --out, exactly as if it had not been stopped"""
    device: Literal["cpu", "cuda", "mps"] = "cpu"
    quiet: bool = False

    def run(self) -> None:
        import json

        from ..core.config import from_mapping
        from ..embedding import train_embedding
        from ..embedding.saved import Settings
        from ..runs.settings import ExecutionSettings

        names = ("steps", "seed", "length", "width", "people", "pictures", "margin", "learning_rate")
        values = {"size": parse_size(self.size), **{name: getattr(self, name) for name in names}}
        execution = ExecutionSettings(device=self.device, quiet=self.quiet)
        settings = from_mapping(Settings, values, "options")
        run = train_embedding(self.folder, self.out, settings, self.resume, execution)
        content = json.loads((run / "metrics.json").read_text())
        for name, metric in content["metrics"].items():
            print(f"{name:20} {metric['value']:.4f}  pairs: {content['protocol'][name]['pairs']}")
        print(f"{run}: variegate embed apply {run} FOLDER --out vectors.npz")
