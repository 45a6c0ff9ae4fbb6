"""Verbs that make models: train, import, and the two that need no data."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from .parsing import Direction, parse_size


@dataclass(frozen=True)
class Demo:
    """Train three small models on drawn streets, measure them, write a report. About four minutes on two CPU cores."""

    out: Path = Path("demo")
    """folder for the models, metrics.json and report.html"""
    seed: int = 0
    quick: bool = False
    """a few steps only, to see that everything runs"""

    def run(self) -> None:
        from ..demos.streets import demo

        demo(self.out, self.seed, self.quick)


@dataclass(frozen=True)
class DemoLikelihood:
    """Train a gated PixelCNN on handwritten digits, measure bits per dimension, draw each digit. About a minute."""

    out: Path = Path("likelihood")
    """run directory, for digits.png and report.html too"""
    seed: int = 0
    quick: bool = False
    """two steps only, to see that everything runs"""

    def run(self) -> None:
        from ..demos.likelihood import demo_likelihood

        demo_likelihood(self.out, self.seed, self.quick)


@dataclass(frozen=True)
class Train:
    """Train a method on pairs. Any setting of the method can follow, as in --noise input --generator.width 32."""

    method: Positional[str]
    """a name from `variegate methods`"""
    data: str
    """a folder of pairs or of classes, an .npz file, or streets, streets:COUNT, digits, cifar10"""
    out: Path | None = None
    """run directory; runs/METHOD-DATA unless given"""
    size: str | None = None
    """64 or 96x128 (height x width); that of the pictures unless given"""
    steps: int | None = None
    seed: int = 0
    direction: Direction | None = None
    """which half of A|B pictures is the condition; found out unless given"""
    condition: str | None = None
    """how to derive conditions from plain pictures: edges, grey, self, superres:4, inpaint, inpaint:centre,
    inpaint:FOLDER (of masks, white inside the hole); or take landmarks, landmarks:HEAT or normals beside them;
    class, vectors:FILE or none; several joined by +, as in class+edges"""
    grey: bool = False
    """images of one channel; grey arrays give them without it"""
    unpaired: bool = False
    """conditions and images do not belong together, as in trainA and trainB of other names; munit needs no more"""
    initial: Path | None = None
    """start from the weights of another run of the same method, trained at any size; cimle also from one of crn"""
    predictor: Path | None = None
    """mrgan with a proxy: the run of a moment-predictor; one is trained first unless given"""
    resume: bool = False
    """go on with the run in --out"""
    save_every: int | None = None
    keep_every: int = 0
    log_every: int | None = None
    workers: int = 0
    device: str = "auto"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    compile: bool = False
    """torch.compile the generator"""
    quiet: bool = False

    def run(self, options: dict[str, str]) -> None:
        from ..api import data_of, train
        from ..core.config import from_mapping
        from ..runs.settings import Run

        names = ("save_every", "keep_every", "log_every", "workers", "device", "precision", "compile", "quiet")
        run = from_mapping(Run, {name: getattr(self, name) for name in names}, "options")
        folder = train(
            self.method,
            self.data,
            self.out,
            parse_size(self.size),
            self.steps,
            self.seed,
            self.resume,
            self.direction,
            self.condition,
            self.initial,
            run,
            self.unpaired,
            self.predictor,
            self.grey or None,
            **options,
        )
        if os.environ.get("RANK", "0") == "0":
            split = data_of(folder, "held").split
            print(f"{folder}: look at {folder}/samples, then: variegate sample {folder} {split}:0 -n 16")


@dataclass(frozen=True)
class Import:
    """Make a model of a generator that was trained with the public pix2pix or BicycleGAN repository (a .pth file)."""

    file: Positional[Path]
    out: Path
    """folder of the model; `variegate sample` takes it"""
    code_size: int | None = None
    """numbers of BicycleGAN's code (0: pix2pix), where the file leaves it open"""
    noise: Literal["none", "dropout"] = "none"
    """pix2pix: dropout becomes the code"""

    def run(self) -> None:
        from ..api import import_weights

        print(import_weights(self.file, self.out, self.code_size, self.noise))
        print(f"{self.out}: variegate sample {self.out} PICTURE")


@dataclass(frozen=True)
class ToyRing:
    """MR-GAN's toy: ten GANs learn eight points on a ring; a picture shows which modes each finds. About 2 minutes."""

    out: Path = Path("ring")
    """folder for ring.png and ring.json"""
    seed: int = 0
    steps: int | None = None
    quick: bool = False
    """a few steps only, to see that it runs"""

    def run(self) -> None:
        from ..demos.ring import ring

        ring(self.out, self.seed, self.steps, self.quick)
