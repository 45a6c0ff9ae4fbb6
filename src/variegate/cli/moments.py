"""`variegate moments`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from .parsing import folder_for, named_or_none, prefixes, size_for


@dataclass(frozen=True)
class Moments:
    """Where is this ambiguous? Mean and standard deviation of every pixel: predicted, of samples, or both."""

    run_directory: Positional[Path]
    conditions: Positional[tuple[str, ...]]
    """image files, or items of the run's data such as test:0 or val:3, or as in `variegate sample`"""
    n: Annotated[int, arg(aliases=["-n"])] = 32
    """samples, where the model has to be sampled"""
    seed: int = 0
    size: str | None = None
    mask: Path | None = None
    """inpainting: white where the one condition is to be filled"""
    out: Path | None = None
    device: str = "cpu"

    def run(self) -> None:
        from ..model.model import Model
        from ..runs.folder import RunFolder
        from .typed import conditions_of

        out = folder_for(self.out, self.run_directory / "moments")
        model = Model.load(self.run_directory, self.device)
        place = RunFolder(self.run_directory).predictor
        predictor = None if place is None else Model.load(place, self.device)
        named = conditions_of(self.run_directory, named_or_none(self.conditions, model))
        for prefix, (_, condition) in zip(prefixes([name for name, _ in named]), named):
            condition = (condition, self.mask) if self.mask else condition
            sources = {"": model} if predictor is None else {"": model, "predicted-": predictor}
            size = size_for(self.size, model.size)
            found = {word: source.moments(condition, self.n, self.seed, size) for word, source in sources.items()}
            top = max(float(one.deviation.max()) for one in found.values())  # so that the images can be compared
            for word, one in found.items():
                one.save(out, f"{prefix}{word}", top)
        print(out)
