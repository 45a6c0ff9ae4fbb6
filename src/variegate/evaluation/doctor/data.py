"""Can these data teach diversity at all? Looks at pairs of which no model knows yet."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...data.dataset.opening import DataConfig
from ...data.dataset.pairs import Pairs
from ..metrics.conditional import SIDE, embed_conditions
from ..metrics.neighbourhoods import distances

LOOKED = 400  # pairs, evenly spaced
FEWEST = 10  # pairs that tell something
OFTEN = 0.5  # share of pairs that must share their condition with another, before it says something of the data
ALIKE = 0.02  # of the distance of any two images, below which two are the same
LITTLE = 0.15  # below which the most alike conditions leave little to vary


def examine(path: str, **settings: Any) -> tuple[bool, list[str]]:
    """(healthy, sentences) about a data set; `settings` are those of `DataConfig`."""
    pairs = DataConfig(path=path, **settings).open()
    healthy, told = diversity_of(pairs)
    height, width = pairs.size
    return healthy, [f"{pairs.name}: {len(pairs):,} training pairs at {width}x{height}.", told]


def diversity_of(pairs: Pairs) -> tuple[bool, str]:
    """(diverse, sentence): do images differ where their conditions do not?"""
    count = min(LOOKED, len(pairs))
    if count < FEWEST:
        return True, f"{count} pairs are too few to tell whether images of a condition differ; give {FEWEST} or more."
    chosen = [i * len(pairs) // count for i in range(count)]
    images = torch.cat([reduced(pairs.raw(i)[1]) for i in chosen])
    raws = torch.stack([pairs.raw(i)[0] for i in chosen])
    apart = distances(images, images)
    usual = float(apart.sum() / (count * (count - 1)))
    if usual < 1e-3:
        return False, "All images are the same, so there is nothing to learn; give other data."
    if pairs.condition.channels == 0:
        return True, "There are no conditions; images differ."
    if pairs.unpaired:
        return True, "Images and conditions are not paired, so it is unknown how much images of a condition differ."
    same = equal_rows(raws).fill_diagonal_(False)
    often = int(same.any(dim=1).sum())
    if often >= OFTEN * count:
        share = float(apart[same].mean()) / usual
        told = (
            f"{often} of {count} pairs share their condition with another, and their images differ {share:.0%} as much"
        )
        if share < ALIKE:
            return False, (
                f"{told} as any two: a condition has one image only. No method can learn diversity from these data; "
                "pix2pix or pix2pixhd gives that image."
            )
        return True, f"{told} as any two: there is diversity to learn."
    shown = torch.cat([embed_conditions(pairs.condition.to_image(raw)[None]) for raw in raws])
    near = (
        distances(shown, shown).masked_fill(same, torch.inf).fill_diagonal_(torch.inf)
    )  # pairs that occur twice aside
    share = float(apart[torch.arange(count), near.argmin(dim=1)].mean()) / usual
    told = f"Hardly a condition occurs twice. Images of the most alike ones differ {share:.0%} as much as any two, at "
    told += f"{SIDE}x{SIDE} pixels and on average"
    if share < LITTLE:
        return False, (
            f"{told}: conditions leave little open, so that samples of one condition will hardly differ, by right. A "
            "condition that tells less (edges, labels, a smaller image) leaves more."
        )
    return True, f"{told}: about so much is left to vary, besides finer detail."


def reduced(image: Tensor) -> Tensor:
    """An image, uint8 (C, H, W), as one row of small pixels."""
    return embed_conditions(image.expand(3, -1, -1)[None])


def equal_rows(raws: Tensor) -> Tensor:
    """Which of (n, ...) are equal, bool (n, n)."""
    keys = [raw.numpy().tobytes() for raw in raws]
    found = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    numbers = torch.tensor([found[key] for key in keys])
    return numbers[:, None] == numbers[None]
