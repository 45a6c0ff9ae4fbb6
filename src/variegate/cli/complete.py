"""`variegate complete`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from ..core.errors import ConfigError
from .parsing import folder_for, parse_size, prefixes


@dataclass(frozen=True)
class Complete:
    """Keep the upper part of each image and sample many completions of the rest (gated-pixelcnn and its variants)."""

    run_directory: Positional[Path]
    images: Positional[tuple[str, ...]]
    """image files, or items of the run's data such as test:0, which bring their own condition"""
    condition: tuple[str, ...] = ()
    """as for `variegate sample`: one for all images or one per image; by default, auto-encoders encode the whole
    image"""
    rows: int | None = None
    """number of rows to keep; default: half of them"""
    pixels: int | None = None
    """number of pixels to keep, instead of --rows: row by row from the top, each row from the left"""
    n: Annotated[int, arg(aliases=["-n"])] = 16
    seed: int = 0
    size: str | None = None
    """resize images to this; default: their own size"""
    out: Path | None = None
    device: str = "cpu"

    def run(self) -> None:
        from ..data.files.sources import for_each
        from ..model.model import Model
        from .typed import conditions_of, images_of

        if self.rows is not None and self.pixels is not None:
            raise ConfigError("--rows and --pixels both set how much is kept; give only one of them")
        if not self.images:
            raise ConfigError("no images to complete; give at least one file or an item such as test:0")
        out = folder_for(self.out, self.run_directory / "completed")
        model = Model.load(self.run_directory, self.device)
        named = images_of(self.run_directory, self.images)
        conditions: list[Any] = [own for *_, own in named]
        if self.condition:
            given = [source for _, source in conditions_of(self.run_directory, self.condition)]
            conditions = for_each(given, len(named), model.condition.noun)
        images = [model.image_reader.read(image, parse_size(self.size)) for _, image, _ in named]
        kept = [self.kept(name, *image.shape[1:]) for (name, *_), image in zip(named, images)]
        for prefix, image, keep, condition in zip(prefixes([name for name, *_ in named]), images, kept, conditions):
            model.complete(image, condition, self.n, self.seed, keep).save(out, prefix)
        print(out)

    def kept(self, name: str, height: int, width: int) -> int | None:
        """Number of pixels of one image to keep; None for the default."""
        if self.rows is None:
            return self.pixels
        if not 0 <= self.rows <= height:
            raise ConfigError(f"--rows must be between 0 and {height}, the number of rows of {name}, got {self.rows}")
        return self.rows * width
