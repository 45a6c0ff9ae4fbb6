"""`variegate embed train`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from .parsing import parse_size


@dataclass(frozen=True)
class EmbedTrain:
    """Learn vectors of faces by the triplet loss: those of one person are nearer than those of two."""

    folder: Positional[Path]
    """a folder for each person, with two images or more: PERSON/*.jpg"""
    out: Path
    """run directory"""
    size: str = "64"
    """images are resized to this: 64, or height x width such as 96x128"""
    steps: int = 3000
    seed: int = 0
    length: int = 128
    """numbers of a vector"""
    width: int = 32
    """channels of the first convolution"""
    people: int = 24
    """in a batch"""
    pictures: int = 4
    """of each of them, or as many as there are"""
    margin: float = 0.2
    learning_rate: float = 1e-3
    resume: bool = False
    """go on with the run in --out, exactly as if it had not been stopped"""
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
