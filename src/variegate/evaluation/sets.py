"""Samples as a set beside training images: distances and neighbourhoods of their features, extracted once."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch

from ..core.images import to_float
from ..core.progress import watched
from ..data.dataset.pairs import Pairs
from .drawn import Drawn, as_rgb
from .frechet import Extractor, Features, extractor, features_of, set_distances
from .gathering import Gathered
from .neighbourhoods import neighbourhood_metrics

REAL_IMAGES = 2000  # maximum of training images
KEPT: WeakKeyDictionary[Pairs, dict[tuple[str, int], Features]] = WeakKeyDictionary()  # by network and seed


def set_metrics(gathered: Gathered, drawn: Drawn, real: Pairs, most: int | None = None) -> None:
    """Measure samples against training images: all of them, or REAL_IMAGES of the seed.

    Args:
        most: samples of each condition; default: all.
    """

    def features() -> tuple[Extractor, Features, Features]:
        network = extractor("auto")
        samples = (images[:most] for images in drawn.conditions("features of samples"))
        return network, features_of_training(real, network, drawn.seed), features_of(samples, network.network)

    found = gathered.attempt("FID and KID", features)
    if found is None:
        return
    network, of_real, of_samples = found
    each = min(len(drawn.samples[0]), most or len(drawn.samples[0]))
    sets = f"{f'the first {most} ' if most else ''}samples of held-out conditions, training images"
    gathered.add("FID and KID", lambda: set_distances(of_real, of_samples, network, sets, drawn.seed))
    gathered.add(
        "neighbourhoods of features", lambda: neighbourhood_metrics(of_real, of_samples, each, network, drawn.seed)
    )


def features_of_training(real: Pairs, network: Extractor, seed: int) -> Features:
    """Features of all training images, or of REAL_IMAGES of the seed; kept for as long as `real` is."""
    kept = KEPT.setdefault(real, {})
    if (network.frechet, seed) not in kept:
        chosen = torch.randperm(len(real), generator=torch.Generator().manual_seed(seed))[:REAL_IMAGES].split(32)
        parts = watched(chosen, "features of training images", len(chosen))
        batches = (to_float(torch.stack([as_rgb(real.raw(int(i))[1]) for i in some])) for some in parts)
        kept[network.frechet, seed] = features_of(batches, network.network)
    return kept[network.frechet, seed]
