"""`variegate moments`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from .parsing import folder_for, named_or_none, prefixes, size_for

SHOWN = 4  # most samples in a row of panel.png


@dataclass(frozen=True)
class Moments:
    """Show where a condition is ambiguous: mean and standard deviation of every pixel, predicted, sampled or both, as
    images and arrays, and beside samples in panel.png."""

    run_directory: Positional[Path]
    conditions: Positional[tuple[str, ...]]
    """image files, items of the run's data such as test:0 or val:3, or as for `variegate sample`"""
    n: Annotated[int, arg(aliases=["-n"])] = 32
    """number of samples, for models that have to be sampled"""
    seed: int = 0
    size: str | None = None
    mask: Path | None = None
    """inpainting: a mask for the single condition, white where it is to be filled"""
    out: Path | None = None
    device: str = "cpu"

    def run(self) -> None:
        from ..core.capabilities import HasMoments
        from ..core.images import to_pil
        from ..evaluation.pages.contact_sheets import Ambiguity, panel
        from ..model.model import Model
        from ..runs.folder import RunFolder
        from .typed import masked_conditions_of, real_image_of

        out = folder_for(self.out, self.run_directory / "moments")
        model = Model.load(self.run_directory, self.device)
        place = RunFolder(self.run_directory).predictor
        predictor = None if place is None else Model.load(place, self.device)
        texts = named_or_none(self.conditions, model)
        named = masked_conditions_of(self.run_directory, texts, self.mask)
        size, predicts, rows = size_for(self.size, model.size), isinstance(model.generator, HasMoments), []
        for text, prefix, (_, condition) in zip(texts, prefixes([name for name, _ in named]), named):
            sources = {"": model} if predictor is None else {"predicted-": predictor, "": model}
            found = {word: source.moments(condition, self.n, self.seed, size) for word, source in sources.items()}
            top = max(float(one.deviation.max()) for one in found.values())  # shared, to make the images comparable
            for word, one in found.items():
                one.save(out, f"{prefix}{word}", top)
            shown = 0 if predicts else min(SHOWN, self.n)
            samples = [*model.sample(condition, shown, self.seed, size=size).bytes()] if shown else []
            by = {"predicted" if word or predicts else "samples'": one for word, one in found.items()}
            seen = model.condition.to_image(model.condition.read(condition, size)) if model.condition.channels else None
            rows.append(Ambiguity(seen, real_image_of(self.run_directory, text), by, samples))
        to_pil(panel(rows)).save(out / "panel.png")
        print(out)
