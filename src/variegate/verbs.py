"""The verbs of the command line: dataclasses whose fields are options. Each imports what it needs when it runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from .errors import ConfigError

Direction = Literal["AtoB", "BtoA"]


@dataclass(frozen=True)
class Demo:
    """Train three small models on drawn streets, measure them, write a report. About four minutes on two CPU cores."""

    out: Path = Path("demo")
    """folder for the models, metrics.json and report.html"""
    seed: int = 0
    quick: bool = False
    """a few steps only, to see that everything runs"""

    def run(self) -> None:
        from .demo import demo

        demo(self.out, self.seed, self.quick)


@dataclass(frozen=True)
class Methods:
    """List the methods: paper, parts, and what data each wants."""

    json: bool = False

    def run(self) -> None:
        from .methods import listing

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
class Check:
    """Say what a folder of pictures is, what is wrong with it, and how to mend it."""

    path: Positional[str]
    direction: Direction | None = None
    condition: str | None = None
    """how to derive conditions from plain pictures: edges, grey, self, superres:4, inpaint, inpaint:centre,
    inpaint:FOLDER (of masks, white inside the hole)"""
    unpaired: bool = False
    """conditions and images do not belong together"""
    limit: int | None = None
    """open at most this many pairs of each split"""

    def run(self) -> None:
        from .data.check import check

        report = check(self.path, self.direction, self.condition, self.limit, self.unpaired)
        print(report.text())
        if not report.ok:
            raise SystemExit(1)


@dataclass(frozen=True)
class Export:
    """Write the streets as pictures: label maps, images and the factors of each."""

    out: Positional[Path]
    count: int = 200
    size: str = "64"
    seed: int = 0

    def run(self) -> None:
        from .data.streets import Streets, export

        size = parse_size(self.size) or (64, 64)
        held = max(1, self.count // 10)
        counts = {"train": self.count, "val": held, "test": held}
        print(export(self.out, *(Streets(size, n, self.seed, split) for split, n in counts.items())))


@dataclass(frozen=True)
class Train:
    """Train a method on pairs. Any setting of the method can follow, as in --noise input --generator.width 32."""

    method: Positional[str]
    """a name from `variegate methods`"""
    data: str
    """a folder of pairs, or streets, or streets:COUNT"""
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
    inpaint:FOLDER (of masks, white inside the hole)"""
    unpaired: bool = False
    """conditions and images do not belong together, as in trainA and trainB of other names; munit needs no more"""
    initial: Path | None = None
    """start from the weights of another run of the same method, trained at any size"""
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
        from .api import train
        from .training.run import Run

        names = ("save_every", "keep_every", "log_every", "workers", "device", "precision", "compile", "quiet")
        run = Run(**{name: getattr(self, name) for name in names})
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
            **options,
        )
        if os.environ.get("RANK", "0") == "0":
            print(f"{folder}: look at {folder}/samples, then: variegate sample {folder} test:0 -n 16")


@dataclass(frozen=True)
class Sample:
    """Draw many images for each condition: pictures, a grid and their codes."""

    run_directory: Positional[Path]
    conditions: Positional[tuple[str, ...]]
    """picture files, or items of the run's data such as test:0 or val:3"""
    n: Annotated[int, arg(aliases=["-n"])] = 16
    seed: int = 0
    size: str | None = None
    """resize conditions to this; the size of training unless given, `native` to keep theirs"""
    codes: Path | None = None
    """codes.safetensors of earlier samples: the same styles on other conditions"""
    like: Path | None = None
    """an image whose style to draw in; for methods that find an image's code (bicyclegan, munit)"""
    mask: Path | None = None
    """inpainting: white where the one condition is to be filled"""
    out: Path | None = None
    device: str = "cpu"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    channels_last: bool = False
    """memory layout; often faster, same pictures"""
    compile: bool = False
    """torch.compile: the first picture takes long, many go faster"""

    def run(self) -> None:
        from .api import conditions_of
        from .model import Model, read_codes

        switches = (self.precision, self.channels_last, self.compile)
        model = Model.load(self.run_directory, self.device, *switches)
        codes = read_codes(self.codes) if self.codes else model.invert(self.like) if self.like else None
        out = self.out or self.run_directory / "drawn"
        for name, condition in conditions_of(self.run_directory, self.conditions):
            condition = (condition, self.mask) if self.mask else condition
            drawn = model.sample(condition, self.n, self.seed, codes=codes, size=size_for(self.size, model.size))
            drawn.save(out, prefix_of(name, self.conditions))
        print(out)


@dataclass(frozen=True)
class Interpolate:
    """Morph between two codes of one condition: a strip and a GIF (MP4 with imageio-ffmpeg)."""

    run_directory: Positional[Path]
    condition: Positional[str]
    start: Annotated[int, arg(name="from")] = 0
    """index of an image of --seed, as in the file names of `variegate sample`"""
    end: Annotated[int, arg(name="to")] = 1
    frames: int = 24
    seed: int = 0
    size: str | None = None
    out: Path | None = None
    device: str = "cpu"

    def run(self) -> None:
        from .api import conditions_of
        from .model import Model
        from .video import save_frames

        model = Model.load(self.run_directory, self.device)
        [(_, condition)] = conditions_of(self.run_directory, (self.condition,))
        size = size_for(self.size, model.size)
        drawn = model.interpolate(condition, self.start, self.end, self.frames, self.seed, size)
        out = self.out or self.run_directory / "interpolation"
        drawn.grid(columns=self.frames).save(save_frames(drawn, out) / "strip.png")
        print(out)


@dataclass(frozen=True)
class Sequence:
    """One style over a sequence of layouts: the same code for each of them, as pictures and a GIF."""

    run_directory: Positional[Path]
    conditions: Positional[tuple[str, ...]]
    index: int = 0
    """which image of --seed gives the style"""
    seed: int = 0
    size: str | None = None
    out: Path | None = None
    device: str = "cpu"

    def run(self) -> None:
        from .api import conditions_of
        from .model import Model
        from .video import save_frames

        model = Model.load(self.run_directory, self.device)
        layouts = [condition for _, condition in conditions_of(self.run_directory, self.conditions)]
        drawn = model.sequence(layouts, self.index, self.seed, size_for(self.size, model.size))
        print(save_frames(drawn, self.out or self.run_directory / "sequence"))


@dataclass(frozen=True)
class Moments:
    """Where is this ambiguous? Mean and standard deviation of every pixel: predicted, of samples, or both."""

    run_directory: Positional[Path]
    conditions: Positional[tuple[str, ...]]
    """picture files, or items of the run's data such as test:0 or val:3"""
    n: Annotated[int, arg(aliases=["-n"])] = 32
    """samples, where the model has to be sampled"""
    seed: int = 0
    size: str | None = None
    mask: Path | None = None
    """inpainting: white where the one condition is to be filled"""
    out: Path | None = None
    device: str = "cpu"

    def run(self) -> None:
        from .api import conditions_of, load_predictor
        from .model import Model

        model, out = Model.load(self.run_directory, self.device), self.out or self.run_directory / "moments"
        predictor = load_predictor(self.run_directory, self.device)
        for name, condition in conditions_of(self.run_directory, self.conditions):
            condition = (condition, self.mask) if self.mask else condition
            prefix = prefix_of(name, self.conditions)
            sources = {"": model} if predictor is None else {"": model, "predicted-": predictor}
            size = size_for(self.size, model.size)
            found = {word: source.moments(condition, self.n, self.seed, size) for word, source in sources.items()}
            top = max(float(one.deviation.max()) for one in found.values())  # so that the pictures can be compared
            for word, one in found.items():
                one.save(out, f"{prefix}{word}", top)
        print(out)


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
        from .toy import ring

        ring(self.out, self.seed, self.steps, self.quick)


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
        from .api import import_weights

        print(import_weights(self.file, self.out, self.code_size, self.noise))
        print(f"{self.out}: variegate sample {self.out} PICTURE")


@dataclass(frozen=True)
class Evaluate:
    """Measure a run on held-out pairs: metrics.json and report.html."""

    run_directory: Positional[Path]
    data: str | None = None
    """other data than the run's own"""
    protocol: str = "default"
    """default, quick, or a paper's: bicyclegan, msgan, dsgan, mrgan, cimle"""
    seed: int = 0
    perceptual: bool = True
    """metrics that need network weights (LPIPS, FID)"""
    json: bool = False
    """print the numbers to standard output as JSON, and nothing else there"""

    def run(self) -> None:
        from .api import evaluate

        content = evaluate(self.run_directory, self.data, self.protocol, self.seed, self.perceptual)
        if self.json:
            import json

            print(json.dumps(content, indent=2))
            return
        for name, metric in content["metrics"].items():
            interval = "[{:.4g}, {:.4g}]".format(*metric["ci"]) if metric.get("ci") else ""
            print(f"{name:24} {metric['value']:10.4g} {interval:24} {metric['unit']}, {metric['better']} is better")
        print(f"protocols and pictures: {self.run_directory / 'report.html'}")


@dataclass(frozen=True)
class Doctor:
    """Say in words whether a run is healthy: is the code ignored, is training going on, is the model complete?"""

    run_directory: Positional[Path]

    def run(self) -> None:
        from .doctor import diagnose

        healthy, lines = diagnose(self.run_directory)
        print("\n".join(lines))
        if not healthy:
            raise SystemExit(1)


VERBS = {
    "demo": Demo,
    "methods": Methods,
    "data check": Check,
    "data export-streets": Export,
    "train": Train,
    "sample": Sample,
    "interpolate": Interpolate,
    "sequence": Sequence,
    "moments": Moments,
    "toy ring": ToyRing,
    "import": Import,
    "evaluate": Evaluate,
    "doctor": Doctor,
}


def parse_size(text: str | None) -> tuple[int, int] | None:
    """`64` or `96x128` (height x width)."""
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ConfigError(f"--size {text}: give one number, or height x width such as 96x128")
    return int(parts[0]), int(parts[-1])


def size_for(text: str | None, trained: tuple[int, int]) -> tuple[int, int] | None:
    return None if text == "native" else parse_size(text) or trained


def prefix_of(name: str, conditions: tuple[str, ...]) -> str:
    """File names start with the condition's name when there are several."""
    return f"{name}-" if len(conditions) > 1 else ""
