"""Samples to measure, and the codes that they are drawn with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ...core.errors import ConfigError
from ...core.images import to_float, to_uint8
from ...core.interfaces import Generator
from ...core.processes import shared
from ...core.progress import watched
from ...data.dataset.pairs import Pairs
from ...data.dataset.sampling import sample_pair
from ..metrics.fidelity import pixels_of

WhichCodes = Literal["both", "trained", "new"]


def codes_for(generator: Generator, item: int, samples: int, seed: int, which: WhichCodes) -> Tensor:
    """The codes (S, D) of item `item`: fixed ones of training first, as in latent dropout codes, then new ones.

    Where a condition has only so many images, none comes twice before all came once.

    Raises:
        ConfigError: more trained codes are asked for than there are.
    """
    round_ = generator.alternatives or 1  # an item begins with a new round of all images
    first = item * -(-samples // round_) * round_
    if generator.alternatives is not None or generator.fixed_codes is None or which == "new":
        return generator.draw([(seed, first + s) for s in range(samples)])
    fixed = generator.fixed_codes[:samples].cpu()
    if which == "trained" and len(fixed) < samples:
        raise ConfigError(
            f"this protocol draws {samples} samples, but training had {len(fixed)} codes; give --codes both"
        )
    return torch.cat([fixed, generator.draw([(seed, first + s) for s in range(samples - len(fixed))])])


def words_of(generator: Generator, which: WhichCodes) -> str | None:
    """A note on the codes where they are not all new and independent."""
    if generator.alternatives is not None:
        return f"there are {generator.alternatives} images of a condition, drawn without repetition"
    if generator.fixed_codes is None:
        return None
    fixed = len(generator.fixed_codes)
    return {
        "both": f"codes: the {fixed} of training first, then new ones",
        "trained": f"codes: those of training, {fixed} in all",
        "new": f"codes: new ones only, not the {fixed} of training",
    }[which]


def as_rgb(images: Tensor) -> Tensor:
    """Images (..., C, H, W) with three channels: a grey channel is repeated, for measures that expect colour images."""
    return images.expand(*images.shape[:-3], 3, *images.shape[-2:])


@dataclass(frozen=True)
class Drawn:
    """S samples of every condition of a split, stored as 8-bit images; grey ones as RGB.

    Attributes:
        samples: of each condition, uint8 (S, 3, H, W).
        truth: the real image of each condition, uint8 (3, H, W).
        holes: the pixels (H, W) that a condition leaves open, bool; None: all.
        pictures: of each condition as people see it, uint8 (3, H, W); empty: there are none, or all are the same.
        seed: for choosing pairs and subsets.
    """

    samples: Sequence[Tensor]
    truth: Sequence[Tensor]
    holes: Sequence[Tensor | None]
    seed: int = 0
    pictures: Sequence[Tensor] = ()

    @property
    def fills_holes(self) -> bool:
        """Whether only holes are to be filled."""
        return any(hole is not None for hole in self.holes)

    def conditions(self, what: str = "measuring samples") -> Iterator[Tensor]:
        """Samples (S, 3, H, W) in [-1, 1], one condition at a time; `what` is done, for progress."""
        return (to_float(images) for images in watched(self.samples, what, len(self.samples)))

    def inside(self) -> Iterator[Tensor]:
        """The same; where only a hole is to be filled, its pixels as an image of one row (S, 3, 1, P)."""
        return map(pixels_of, self.conditions(), self.holes)

    def with_truth(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The same as (1, S, 3, H, W), each with the real image (1, 3, H, W)."""
        for images, truth in zip(self.conditions(), self.truth):
            yield images.unsqueeze(0), to_float(truth.unsqueeze(0))


def draw_samples(generator: Generator, pairs: Pairs, inputs: int, samples: int, seed: int, which: WhichCodes) -> Drawn:
    """Generate samples of the first conditions of a split; several processes share the work."""
    count = min(inputs, len(pairs))

    def draw(item: int) -> Tensor:
        codes = codes_for(generator, item, samples, seed, which)
        return as_rgb(to_uint8(sample_pair(generator, pairs, item, codes)))

    drawn = shared(watched(range(count), "drawing samples", count), draw)
    raws, truth = zip(*(pairs.raw(i) for i in range(count)))
    pictures = [pairs.condition.to_image(raw) for raw in raws]
    differ = any(not torch.equal(one, pictures[0]) for one in pictures)
    return Drawn(
        drawn,
        [as_rgb(one) for one in truth],
        [pairs.hole(i) for i in range(count)],
        seed,
        pictures if differ else [],
    )
