"""A fixed panel of conditions and codes, sampled at every checkpoint: images to look at and metrics to watch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import torch

from ..core.capabilities import HasLevels, HasLikelihood, HasMemory
from ..core.images import sheet, to_float, to_pil, to_uint8
from ..core.interfaces import Batch, Generator, Objective
from ..core.sampling import decode_in_chunks
from ..data.dataset.pairs import Pairs
from ..runs.health import best_of_n, code_sensitivity, verdict
from ..runs.logs import Log

CONDITIONS, SAMPLES = 8, 8
HELD = 256  # held-out images whose likelihood or error is measured
SHOWN_CONDITIONS, SHOWN_SAMPLES = 4, 6


class Panel:
    """Held-out conditions and codes of seed 0.

    Attributes:
        note: shown next to the progress.
    """

    def __init__(self, pairs: Pairs, generator: Generator, objective: Objective) -> None:
        items = [pairs.raw(i) for i in range(min(CONDITIONS, len(pairs)))]
        self.pairs, self.condition, self.generator, self.objective = pairs, pairs.condition, generator, objective
        self.raw = torch.stack([condition for condition, _ in items])
        self.truth = torch.stack([image for _, image in items])
        self.codes = generator.draw([(0, i) for i in range(SAMPLES)])
        self.note = ""
        self.warned = False

    def look(self, folder: Path, step: int, log: Log) -> float:
        """Sample the panel, save the grid, log the metrics, and warn if the code is ignored.

        Returns:
            A score, lower is better: for generators with a likelihood, the negative log-likelihood of held-out pairs
            per pixel and colour not given, in nats; otherwise the objective's error on held-out pairs, if it has one;
            otherwise the best-of-8 error.
        """
        device = next(self.generator.parameters()).device
        images = decode_in_chunks(self.generator, self.condition.encode(self.raw.to(device)), self.codes)
        score = best_of_n(images, to_float(self.truth))
        sensitivity = code_sensitivity(images, self.condition.hole(self.raw))
        numbers = {"val/best_of_8": score, "val/code_sensitivity": sensitivity}
        log.numbers(step, {name: value for name, value in numbers.items() if math.isfinite(value)})
        self.note = f"code sensitivity {sensitivity:.2f}"
        if isinstance(self.generator, HasLikelihood):
            score = self.surprisal(self.generator, device)
            levels = isinstance(self.generator, HasLevels)
            shown, unit = (score / math.log(2), "bits_per_dim") if levels else (score, "nats")
            self.note = f"validation {shown:.4f} {'bits per dimension' if levels else 'nats per pixel and colour'}"
            log.numbers(step, {f"val/{unit}": shown})
        elif (error := self.held_out(device)) is not None:
            score = error
            log.numbers(step, {"val/error": error})
        # before a generator with a memory has stored images, its code has nothing to choose from
        read = 0 if isinstance(self.generator, HasMemory) else self.generator.code_size
        warning = verdict(sensitivity, read)
        if warning and not self.warned:
            log.say(f"step {step}: {warning}")
        self.warned = warning is not None
        rows = [
            [self.condition.to_image(raw), truth, *to_uint8(samples)[:SHOWN_SAMPLES]]
            for raw, truth, samples in zip(self.raw[:SHOWN_CONDITIONS], self.truth, images)
        ]
        page = sheet(rows)
        folder.mkdir(parents=True, exist_ok=True)
        to_pil(page).save(folder / f"step-{step:08d}.png")
        log.image(step, "samples", page)
        return score

    @torch.no_grad()
    def surprisal(self, generator: HasLikelihood, device: torch.device) -> float:
        """Mean negative log-likelihood of up to 256 held-out images, in nats per pixel and colour not given."""
        nats, values = [], []
        for batch in self.batches(device):
            nats.append(-generator.log_prob(batch.condition, batch.image))
            values.append(generator.values(batch.condition, batch.image))
        return float(torch.cat(nats).mean()) / max(1.0, float(torch.cat(values).double().mean()))

    @torch.no_grad()
    def held_out(self, device: torch.device) -> float | None:
        """Mean of the objective's error on up to 256 held-out images; None if it has none."""
        errors = []
        for batch in self.batches(device):
            error = self.objective.held_out(self.generator, batch)
            if error is None:
                return None
            errors.append(error)
        return float(torch.cat(errors).mean())

    def batches(self, device: torch.device) -> Iterator[Batch]:
        """Held-out pairs, whose keys are their numbers."""
        numbers = torch.arange(min(HELD, len(self.pairs)))
        for some in numbers.split(CONDITIONS):
            conditions, images = (torch.stack(parts).to(device) for parts in zip(*map(self.pairs.raw, some.tolist())))
            yield Batch(self.condition.encode(conditions), to_float(images), some.to(device), some.to(device))
