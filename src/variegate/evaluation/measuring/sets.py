"""Samples as a set beside training images: distances and neighbourhoods of their features, extracted once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ...core.progress import watched
from ...data.dataset.pairs import Pairs
from ..metrics.conditional import frechet_metrics, vendi_metrics
from ..metrics.extractors import Extractor, ExtractorName, extractor
from ..metrics.features import Features, kept_features
from ..metrics.frechet import set_distances
from ..metrics.neighbourhoods import neighbourhood_metrics
from .drawn import Drawn, as_rgb
from .gathering import Gathered

REAL_IMAGES = 2000  # maximum of training images, unless the network has more than half as many features


def set_metrics(
    gathered: Gathered, drawn: Drawn, real: Pairs, most: int | None = None, network: ExtractorName = "auto"
) -> None:
    """Measure samples against training images: all of them, or about REAL_IMAGES of the seed.

    Args:
        most: samples of each condition; default: all.
        network: whose features are compared.
    """

    def features() -> tuple[Extractor, list[int], Features, Features]:
        found = extractor(network)
        chosen = some_of(real, max(REAL_IMAGES, 2 * found.features), drawn.seed)
        samples = (images[:most] for images in watched(drawn.samples, "features of samples", len(drawn.samples)))
        return found, chosen, kept_features(images_of(real, chosen), found), kept_features(samples, found)

    found = gathered.attempt("FID and KID", features)
    if found is None:
        return
    by, chosen, of_real, of_samples = found
    each = min(len(drawn.samples[0]), most or len(drawn.samples[0]))
    sets = f"{f'the first {most} ' if most else ''}samples of held-out conditions, training images"
    biased = network != "auto"
    gathered.add("FID and KID", lambda: set_distances(of_real, of_samples, by, sets, drawn.seed, biased))
    few = {"samples": len(of_samples.values), "training images": len(of_real.values)}
    for what, count in few.items():
        if count < by.features and not biased:
            gathered.skip(
                f"{by.frechet}: {count} {what} are fewer than its {by.features} features, so it is mostly bias; take "
                f"more, or ask for it by name (--extractor {by.name}); {by.kernel} has no such bias"
            )
            break
    gathered.add("neighbourhoods of features", lambda: neighbourhood_metrics(of_real, of_samples, each, by, drawn.seed))
    if drawn.pictures:
        pictures, unbiased = torch.stack([*drawn.pictures]), biased or min(few.values()) >= by.features
        gathered.add("conditional Vendi scores", lambda: vendi_metrics(of_samples, pictures, by))
        if unbiased and not real.unpaired:
            told = bool(real.condition.channels)
            beside, shown = (of_real, pictures_of(real, chosen)) if told else (of_truth(drawn, by), pictures)
            gathered.add("conditional distance", lambda: frechet_metrics(beside, shown, of_samples, pictures, by))


def some_of(real: Pairs, count: int, seed: int) -> list[int]:
    """Indices of all pairs, or of so many of the seed."""
    order = torch.randperm(len(real), generator=torch.Generator().manual_seed(seed))
    return [int(i) for i in order[:count]]


def images_of(real: Pairs, chosen: Sequence[int], batch: int = 32) -> Iterator[Tensor]:
    """Real images, uint8 (n, 3, H, W) at a time."""
    starts = range(0, len(chosen), batch)
    for start in watched(starts, "features of training images", len(starts)):
        yield torch.stack([as_rgb(real.raw(i)[1]) for i in chosen[start : start + batch]])


def pictures_of(pairs: Pairs, chosen: Sequence[int]) -> Tensor:
    """Conditions as people see them, uint8 (n, 3, H, W)."""
    return torch.stack([pairs.condition.to_image(pairs.raw(i)[0]) for i in chosen])


def of_truth(drawn: Drawn, network: Extractor) -> Features:
    """Features of the real image of each condition."""
    return kept_features(torch.stack([*drawn.truth]).split(32), network)
