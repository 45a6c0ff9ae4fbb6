"""`variegate train`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from .options import typed_options
from .parsing import Direction, parse_size


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
    """64 or 96x128 (height x width); that of the images unless given"""
    steps: int | None = None
    seed: int = 0
    direction: Direction | None = None
    """which half of A|B images is the condition; found out unless given"""
    condition: str | None = None
    """how to derive conditions from plain images: edges, grey, self, superres:4, inpaint, inpaint:centre,
    inpaint:FOLDER (of masks, white inside the hole); or take landmarks, landmarks:HEAT or normals beside them;
    class, vectors:FILE or none; several joined by +, as in class+edges"""
    grey: bool = False
    """images of one channel; grey arrays give them without it"""
    unpaired: bool = False
    """conditions and images do not belong together, as in trainA and trainB of other names; munit needs no more"""
    white_level: int | None = None
    """the value that is white in 16-bit files, such as 4095 of 12 bits; 65535 unless given"""
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
        from ..runs.folder import RunFolder
        from ..training.train import train

        settings = {
            name: value for name, value in vars(self).items() if name not in ("method", "data", "out", "resume")
        }
        settings |= {"size": parse_size(self.size), "grey": self.grey or None, **typed_options(self.method, options)}
        folder = train(self.method, self.data, self.out, self.resume, **settings)
        if os.environ.get("RANK", "0") == "0":
            split = RunFolder(folder).pairs("held").split
            print(f"{folder}: look at {folder}/samples, then: variegate sample {folder} {split}:0 -n 16")
