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
    """One style over a sequence of layouts: the same code for each, or a path of codes; images, a GIF and an MP4."""

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
