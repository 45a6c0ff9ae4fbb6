"""`variegate edit`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tyro.conf import Positional

from ..core.errors import ConfigError
from .parsing import folder_for, size_for


@dataclass(frozen=True)
class Edit:
    """Add, move, delete and change objects in a label map, and re-render it with the same code."""

    run_directory: Positional[Path]
    layout: Positional[str]
    """a label map, or an item of the run's data such as test:0"""
    steps: tuple[str, ...]
    """applied in order: move:X,Y:DX,DY delete:X,Y change:X,Y:CLASS add:CLASS:BOX add:CLASS:LAYOUT:BOX:X,Y; a box
    LEFT,TOP,RIGHT,BOTTOM can replace the point X,Y of an object, and a class name stands for all of its pixels in
    delete:CLASS and change:CLASS:CLASS; all in pixels of the label map file"""
    index: int = 0
    """which image of --seed, or of --codes, sets the style"""
    seed: int = 0
    codes: Path | None = None
    """codes.safetensors of earlier samples, to take the style from"""
    instances: Path | None = None
    """instance map of the layout, to tell touching objects of a class apart"""
    size: str | None = None
    """output size; default: the training size; `native` for that of the layout"""
    out: Path | None = None
    device: str = "cpu"

    def run(self) -> None:
        from ..model.model import Model
        from .codes import given_codes, pick
        from .steps import apply, refuse_replacing, save_edit
        from .typed import conditions_of

        if not self.steps:
            raise ConfigError("--steps is empty; give at least one step, such as delete:X,Y")
        out = folder_for(self.out, self.run_directory / "edited")
        model = Model.load(self.run_directory, self.device)

        def find(text: str) -> Any:
            return refuse_replacing(conditions_of(self.run_directory, (text,))[0][1], out)

        layout = find(self.layout)
        source = (layout, refuse_replacing(self.instances, out)) if self.instances else layout
        scene = model.edit(source, size_for(self.size, model.size))
        code = pick(model, given_codes(model, self.codes), self.seed, "--index", self.index)
        was, before = scene.layout, scene.draw(codes=code[None])
        for step in self.steps:
            apply(scene, step, find)
        print(save_edit(out, scene, was, before))
