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
    """Keep the upper part of images and draw the rest: many endings of each (gated-pixelcnn and its kin)."""

    run_directory: Positional[Path]
    images: Positional[tuple[str, ...]]
    """image files, or items of the run's data such as test:0, whose condition is then their own"""
    condition: tuple[str, ...] = ()
    """as in `variegate sample`: one for all images or one for each; auto-encoders read the whole image unless
    given"""
    rows: int | None = None
    """how many are kept; half of them unless given"""
    pixels: int | None = None
    """how many are kept, in place of --rows: row by row from the top, each from the left"""
    n: Annotated[int, arg(aliases=["-n"])] = 16
    seed: int = 0
    size: str | None = None
    """resize images to this; theirs unless given"""
    out: Path | None = None
    device: str = "cpu"

    def run(self) -> None:
        from ..data.files.sources import for_each
        from ..model.model import Model
        from .typed import conditions_of, images_of

        if self.rows is not None and self.pixels is not None:
            raise ConfigError("--rows and --pixels each say how much is kept; give one of them")
        if not self.images:
            raise ConfigError("there are no images to complete; name at least one file, or an item such as test:0")
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
        """Pixels of one image."""
        if self.rows is None:
            return self.pixels
        if not 0 <= self.rows <= height:
            raise ConfigError(f"--rows {self.rows}: {name} has {height} rows; give 0 to {height}")
        return self.rows * width
