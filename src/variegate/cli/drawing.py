"""Verbs that draw with a trained model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from ..core.errors import ConfigError
from .parsing import folder_for, named_or_none, parse_size, prefixes, size_for


@dataclass(frozen=True)
class Sample:
    """Draw many images for each condition: pictures, a grid and their codes."""

    run_directory: Positional[Path]
    conditions: Positional[tuple[str, ...]]
    """picture files, or items of the run's data such as test:0 or val:3; class:NAME, vector:FILE:ROW or none for models
    of these"""
    n: Annotated[int, arg(aliases=["-n"])] = 16
    seed: int = 0
    size: str | None = None
    """resize conditions to this; the size of training unless given, `native` to keep theirs"""
    codes: Path | None = None
    """codes.safetensors of earlier samples: the same styles on other conditions"""
    training_codes: bool = False
    """the fixed codes that were trained, instead of new ones (latent-dropout)"""
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
        from ..model.model import Model
        from ..model.samples import read_codes
        from .typed import conditions_of

        given = {"--codes": self.codes, "--training-codes": self.training_codes, "--like": self.like}
        sources = [name for name, value in given.items() if value]
        if len(sources) > 1:
            raise ConfigError(f"{' and '.join(sources)} each say which codes to draw with; give one of them")
        out = folder_for(self.out, self.run_directory / "drawn")
        switches = (self.precision, self.channels_last, self.compile)
        model = Model.load(self.run_directory, self.device, *switches)
        codes = read_codes(self.codes) if self.codes else model.invert(self.like) if self.like else None
        if self.training_codes:
            codes = model.training_codes()
        named = conditions_of(self.run_directory, named_or_none(self.conditions, model))
        for prefix, (_, condition) in zip(prefixes([name for name, _ in named]), named):
            condition = (condition, self.mask) if self.mask else condition
            drawn = model.sample(condition, self.n, self.seed, codes=codes, size=size_for(self.size, model.size))
            drawn.save(out, prefix)
        print(out)


@dataclass(frozen=True)
class Complete:
    """Keep the upper part of pictures and draw the rest: many endings of each (gated-pixelcnn and its kin)."""

    run_directory: Positional[Path]
    images: Positional[tuple[str, ...]]
    """picture files, or items of the run's data such as test:0, whose condition is then their own"""
    condition: tuple[str, ...] = ()
    """as in `variegate sample`: one for all pictures or one for each; auto-encoders read the whole picture unless
    given"""
    rows: int | None = None
    """how many are kept; half of them unless given"""
    pixels: int | None = None
    """how many are kept, in place of --rows: row by row from the top, each from the left"""
    n: Annotated[int, arg(aliases=["-n"])] = 16
    seed: int = 0
    size: str | None = None
    """resize pictures to this; theirs unless given"""
    out: Path | None = None
    device: str = "cpu"

    def run(self) -> None:
        from ..data.files.sources import for_each
        from ..model.model import Model
        from .typed import conditions_of, images_of

        if self.rows is not None and self.pixels is not None:
            raise ConfigError("--rows and --pixels each say how much is kept; give one of them")
        if not self.images:
            raise ConfigError("there are no pictures to complete; name at least one file, or an item such as test:0")
        out = folder_for(self.out, self.run_directory / "completed")
        model = Model.load(self.run_directory, self.device)
        named = images_of(self.run_directory, self.images)
        conditions: list[Any] = [own for *_, own in named]
        if self.condition:
            given = [source for _, source in conditions_of(self.run_directory, self.condition)]
            conditions = for_each(given, len(named), model.condition.noun)
        pictures = [model.pictures.read(picture, parse_size(self.size)) for _, picture, _ in named]
        kept = [self.kept(name, *picture.shape[1:]) for (name, *_), picture in zip(named, pictures)]
        for prefix, picture, keep, condition in zip(prefixes([name for name, *_ in named]), pictures, kept, conditions):
            model.complete(picture, condition, self.n, self.seed, keep).save(out, prefix)
        print(out)

    def kept(self, name: str, height: int, width: int) -> int | None:
        """Pixels of one picture."""
        if self.rows is None:
            return self.pixels
        if not 0 <= self.rows <= height:
            raise ConfigError(f"--rows {self.rows}: {name} has {height} rows; give 0 to {height}")
        return self.rows * width


@dataclass(frozen=True)
class Interpolate:
    """Morph between two codes of one condition: a strip and a GIF (MP4 with imageio-ffmpeg)."""

    run_directory: Positional[Path]
    condition: Positional[str] = ""
    """as in `variegate sample`"""
    start: Annotated[int, arg(name="from")] = 0
    """index of an image of --seed, as in the file names of `variegate sample`"""
    end: Annotated[int, arg(name="to")] = 1
    frames: int = 24
    seed: int = 0
    size: str | None = None
    out: Path | None = None
    device: str = "cpu"

    def run(self) -> None:
        from ..model.model import Model
        from ..model.video import save_frames
        from .typed import conditions_of

        out = folder_for(self.out, self.run_directory / "interpolation")
        model = Model.load(self.run_directory, self.device)
        given = named_or_none((self.condition,) if self.condition else (), model)
        [(_, condition)] = conditions_of(self.run_directory, given)
        size = size_for(self.size, model.size)
        drawn = model.interpolate(condition, self.start, self.end, self.frames, self.seed, size)
        drawn.grid(columns=self.frames).save(save_frames(drawn, out) / "strip.png")
        print(out)


@dataclass(frozen=True)
class Sequence:
    """One style over a sequence of layouts: the same code for each, or a path of codes; pictures, a GIF and an MP4."""

    run_directory: Positional[Path]
    conditions: Positional[tuple[str, ...]]
    """files or items such as test:0 in their order, a folder of them, or an animated label map (GIF, PNG, TIFF)"""
    index: int = 0
    """which image of --seed gives the style"""
    start: Annotated[int | None, arg(name="from")] = None
    """with --to: the style goes from this image of --seed to another"""
    end: Annotated[int | None, arg(name="to")] = None
    seed: int = 0
    size: str | None = None
    """resize layouts to this; the size of training unless given, `native` to keep theirs"""
    out: Path | None = None
    device: str = "cpu"

    def run(self) -> None:
        from ..data.scenes.layouts import read_layouts
        from ..model.model import Model
        from ..model.sequences import flicker
        from ..model.video import save_frames
        from .typed import conditions_of

        if (self.start is None) != (self.end is None):
            raise ConfigError("a path of codes needs both --from and --to; for one code give --index")
        out = folder_for(self.out, self.run_directory / "sequence")
        model = Model.load(self.run_directory, self.device)
        sources = [condition for _, condition in conditions_of(self.run_directory, self.conditions)]
        layouts = read_layouts(sources, model.condition, size_for(self.size, model.size))
        drawn = model.sequence(layouts, self.index if self.start is None else self.start, self.seed, end=self.end)
        save_frames(drawn, out, "sequence")
        print(flicker(model, layouts, drawn.images, self.seed).text(), out, sep="\n")


@dataclass(frozen=True)
class Edit:
    """Add, move, delete and change objects of a label map, and draw it again with the same code."""

    run_directory: Positional[Path]
    layout: Positional[str]
    """a label map, or an item of the run's data such as test:0"""
    steps: tuple[str, ...]
    """one after the other: move:X,Y:DX,DY delete:X,Y change:X,Y:CLASS add:CLASS:BOX add:CLASS:LAYOUT:BOX:X,Y; a box
    LEFT,TOP,RIGHT,BOTTOM may stand for the point X,Y of an object; all in pixels of the label map's file"""
    index: int = 0
    """which image of --seed, or of --codes, gives the style"""
    seed: int = 0
    codes: Path | None = None
    """codes.safetensors of earlier samples, to take the style from"""
    instances: Path | None = None
    """instance map of the layout, to tell touching objects of a class apart"""
    size: str | None = None
    """draw at this size; the size of training unless given, `native` for that of the layout"""
    out: Path | None = None
    device: str = "cpu"

    def run(self) -> None:
        from ..model.model import Model
        from .steps import apply, pick, save_edit, spared
        from .typed import conditions_of

        if not self.steps:
            raise ConfigError("--steps: there are none; give one or more, such as delete:X,Y")
        out = folder_for(self.out, self.run_directory / "edited")
        model = Model.load(self.run_directory, self.device)

        def find(text: str) -> Any:
            return spared(conditions_of(self.run_directory, (text,))[0][1], out)

        layout = find(self.layout)
        source = (layout, spared(self.instances, out)) if self.instances else layout
        scene = model.edit(source, size_for(self.size, model.size))
        code = model.codes(1, self.seed, self.index) if self.codes is None else pick(model, self.codes, self.index)
        was, before = scene.layout, scene.draw(codes=code)
        for step in self.steps:
            apply(scene, step, find)
        print(save_edit(out, scene, was, before))
