"""`variegate sequence`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from ..core.errors import ConfigError
from .parsing import folder_for, size_for


@dataclass(frozen=True)
class Sequence:
    """Render a sequence of layouts in one style or along a path of codes: images, a GIF, an MP4, and what changes."""

    run_directory: Positional[Path]
    conditions: Positional[tuple[str, ...]]
    """files or items such as test:0, in order; a folder of files; or an animated label map (GIF, PNG, TIFF)"""
    index: int = 0
    """which image of --seed, or of --codes, sets the style"""
    start: Annotated[int | None, arg(name="from")] = None
    """with --to: move from the style of this image of --seed to that of another"""
    end: Annotated[int | None, arg(name="to")] = None
    seed: int = 0
    codes: Path | None = None
    """codes.safetensors of earlier samples, to take styles from"""
    fixed_codes: bool = False
    """take them from the fixed codes of training (latent-dropout, crn)"""
    beside: Path | None = None
    """another run directory whose images of the same layouts, and differences between them, are shown below"""
    size: str | None = None
    """resize layouts to this; default: the training size; `native` to keep their own"""
    out: Path | None = None
    device: str = "cpu"

    def run(self) -> None:
        from ..core.images import to_pil
        from ..data.scenes.layouts import read_layouts
        from ..evaluation.pages.contact_sheets import films
        from ..model.model import Model
        from ..model.sequences import flicker
        from ..model.video import save_frames
        from .codes import given_codes, pick
        from .typed import conditions_of

        if (self.start is None) != (self.end is None):
            raise ConfigError("a path of codes needs both --from and --to; for a single code use --index")
        if self.start is not None and self.index:
            raise ConfigError("--index is for a single code, --from and --to for a path of codes; give one of them")
        if self.beside is not None and (self.codes is not None or self.fixed_codes):
            raise ConfigError(
                "--beside shows another model, which has codes of its own; omit --codes and --fixed-codes"
            )
        out = folder_for(self.out, self.run_directory / "sequence")
        model = Model.load(self.run_directory, self.device)
        sources = [condition for _, condition in conditions_of(self.run_directory, self.conditions)]
        layouts = read_layouts(sources, model.condition, size_for(self.size, model.size))
        codes = given_codes(model, self.codes, self.fixed_codes)
        if self.start is None or self.end is None:
            start, end = pick(model, codes, self.seed, "--index", self.index), None
        else:
            start = pick(model, codes, self.seed, "--from", self.start)
            end = pick(model, codes, self.seed, "--to", self.end)
        drawn = model.sequence(layouts, start, end=end)
        save_frames(drawn, out, "sequence")
        print(flicker(model, layouts, drawn.images, self.seed).text())
        shown = [drawn.images]
        if self.beside is not None:
            other = Model.load(self.beside, self.device)
            height, width = drawn.images.shape[-2:]
            again = read_layouts(sources, other.condition, (height, width))
            first = self.index if self.start is None else self.start
            shown.append(other.sequence(again, first, self.seed, end=self.end).images)
            print(f"\n{self.beside}", flicker(other, again, shown[-1], self.seed).text(), sep="\n")
        if len(layouts) > 1:
            to_pil(films([model.condition.to_image(raw) for raw in layouts], shown)).save(out / "differences.png")
        print(out)
