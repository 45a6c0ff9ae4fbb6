"""`variegate interpolate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from .parsing import folder_for, named_or_none, size_for


@dataclass(frozen=True)
class Interpolate:
    """Morph between two codes of one condition: a strip and a GIF (MP4 with imageio-ffmpeg)."""

    run_directory: Positional[Path]
    condition: Positional[str] = ""
    """as for `variegate sample`"""
    start: Annotated[int, arg(name="from")] = 0
    """index of an image of --seed, as used in the file names of `variegate sample`, or of a code of --codes"""
    end: Annotated[int, arg(name="to")] = 1
    frames: int = 24
    straight: bool = False
    """along the line between the codes, not the arc, for Gaussian codes; in the middle, images are duller"""
    seed: int = 0
    codes: Path | None = None
    """codes.safetensors of earlier samples, between two of which to morph"""
    fixed_codes: bool = False
    """between two of the fixed codes of training instead of new ones (latent-dropout, crn)"""
    size: str | None = None
    out: Path | None = None
    device: str = "cpu"

    def run(self) -> None:
        from ..core.codes import line
        from ..model.model import Model
        from ..model.video import save_frames
        from .codes import given_codes, pick
        from .typed import conditions_of

        out = folder_for(self.out, self.run_directory / "interpolation")
        model = Model.load(self.run_directory, self.device)
        given = named_or_none((self.condition,) if self.condition else (), model)
        [(_, condition)] = conditions_of(self.run_directory, given)
        size = size_for(self.size, model.size)
        codes = given_codes(model, self.codes, self.fixed_codes)
        start = pick(model, codes, self.seed, "--from", self.start)
        end = pick(model, codes, self.seed, "--to", self.end)
        if self.straight:
            drawn = model.sample(condition, codes=line(start, end, self.frames), size=size)
        else:
            drawn = model.interpolate(condition, start, end, self.frames, size=size)
        drawn.grid(columns=self.frames).save(save_frames(drawn, out) / "strip.png")
        print(out)
