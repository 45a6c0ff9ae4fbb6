"""`variegate train`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from ..core.errors import ConfigError
from ..core.launch import first
from .options import typed_options
from .parsing import Direction, parse_size


@dataclass(frozen=True)
class Train:
    """Train a method on pairs. Any setting of the method can follow, such as --noise input --generator.width 32."""

    method: Positional[str]
    """a name from `variegate methods`, or `recommended`"""
    data: str
    """a folder of pairs or of classes, an .npz file, or streets, streets:COUNT, digits, cifar10"""
    out: Path | None = None
    """run directory; default: runs/METHOD-DATA"""
    size: str | None = None
    """64 or 96x128 (height x width); default: the images' own size"""
    steps: int | None = None
    epochs: float | None = None
    """instead of --steps: how many times every pair is visited"""
    minutes: float | None = None
    """train for about so long: width, batch, steps and (unless given) size are chosen by timing a few steps here"""
    seed: int = 0
    direction: Direction | None = None
    """which half of A|B images is the condition; default: detected"""
    condition: str | None = None
    """how to derive conditions from plain images: edges, grey, self, superres:4, inpaint, inpaint:centre,
    inpaint:FOLDER (of masks, white inside the hole); or which conditions to read: landmarks, landmarks:HEAT, normals,
    class, vectors:FILE or none; join several with +, such as class+edges"""
    grey: bool = False
    """train on single-channel images; not needed for grey arrays"""
    unpaired: bool = False
    """conditions and images are not paired, such as trainA and trainB with different names; enough for munit"""
    white_level: int | None = None
    """the value that is white in 16-bit files, such as 4095 of 12 bits; 65535 unless given"""
    initial: Path | None = None
    """start from the weights of another run of the same method, or of a model on the hub, trained at any size; cimle
    can also start from crn"""
    predictor: Path | None = None
    """mrgan with a proxy: a moment-predictor run; default: one is trained first"""
    teacher: Path | None = None
    """flow-student: a flow run; default: one is trained first"""
    resume: bool = False
    """continue the run in --out"""
    save_every: int | None = None
    keep_every: int = 0
    log_every: int | None = None
    accumulate: int = 1
    """divide the batch of each process into so many parts, of which memory holds one at a time"""
    workers: int = 0
    device: str = "auto"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    compile: bool = False
    """torch.compile the generator"""
    checkpoint_activations: bool = False
    """less memory: the generator computes the inside of its stages twice instead of keeping it; the same training"""
    tracker: Literal["tensorboard", "trackio", "wandb", "none"] = "tensorboard"
    """what shows metrics and samples while it trains; metrics.jsonl is written in any case"""
    quiet: bool = False

    def run(self, options: dict[str, str]) -> None:
        from ..runs.folder import RunFolder
        from ..training.train import train

        given = {"method", "data", "out", "resume"}
        settings = {name: value for name, value in vars(self).items() if name not in given}
        typed = typed_options(self.method, options)
        if taken := sorted({"run", *given} & set(typed)):
            raise ConfigError(f"--{taken[0]}: is no option of a method; see variegate train {self.method} --help")
        settings |= {"size": parse_size(self.size), "grey": self.grey or None, **typed}
        folder = train(self.method, self.data, self.out, self.resume, **settings)
        if first():
            split = RunFolder(folder).pairs("held").split
            print(f"{folder}: see {folder}/samples, then run: variegate sample {folder} {split}:0 -n 16")
