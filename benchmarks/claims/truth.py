"""What real images score where samples are measured: the LPIPS of a layout's true images, and of unrelated ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from variegate.core.images import to_float
from variegate.data.dataset.pairs import Pairs
from variegate.data.streets.scene import FACTORS
from variegate.data.streets.streets import Variant, draw_factors, paint
from variegate.evaluation.metrics.diversity import LPIPS, diversity
from variegate.evaluation.protocols import NamedProtocol, named_protocol

Odds = Variant | Literal["equal"]
QUICK = named_protocol("quick")


def lpips_of(groups: Iterable[Tensor], preset: NamedProtocol = QUICK) -> float:
    """Their LPIPS by the protocol; groups of images (S, 3, H, W) in [-1, 1], in the place of a condition's samples."""
    return diversity(groups, LPIPS(preset.net, preset.version), preset).value


def true_samples(held: Pairs, samples: int = QUICK.samples, odds: Odds = "plain") -> Iterator[Tensor]:
    """For every held-out street, its layout painted anew with factors drawn by such odds."""
    rng = np.random.default_rng(0)
    for i in range(len(held)):
        layout = held.raw(i)[0]
        drawn = [paint(layout, draw_factors(rng, odds) if odds != "equal" else equally(rng), j) for j in range(samples)]
        yield to_float(torch.stack(drawn))


def equally(rng: np.random.Generator) -> dict[str, float]:
    return {factor.name: int(rng.integers(len(factor.odds))) for factor in FACTORS}


def unrelated(held: Pairs, samples: int = QUICK.samples) -> Iterator[Tensor]:
    """Groups of held-out images of different conditions: the row "random real data" of MR-GAN's Table 1."""
    for first in range(0, len(held) - samples + 1, samples):
        yield to_float(torch.stack([held.raw(i)[1] for i in range(first, first + samples)]))
