"""Fréchet and kernel distances between sets of images, always named after the network whose features they compare."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from ...core.errors import DataError
from ...runs.measured import Measured
from .extractors import Extractor
from .features import Features

SUBSETS, SUBSET_SIZE = 100, 1000  # of the kernel distance (Binkowski et al. 2018)


class Given(nn.Module):
    """Passes precomputed features through in place of torchmetrics' network, so that two distances share one pass."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.num_features = features

    def forward(self, features: Tensor) -> Tensor:
        return features


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """||m1 - m2||^2 + Tr(C1 + C2 - 2 (C1 C2)^1/2) of features (N, D) (Heusel et al. 2017, eq. 6).

    The trace of the root is that of (C1^1/2 C2 C1^1/2)^1/2, whose matrices are symmetric: where images are alike, the
    eigenvalues of C1 C2, as in torchmetrics, may not be found.
    """
    (first, one), (second, two) = ((rows.double().mean(dim=0), rows.double().T.cov()) for rows in (real, fake))
    values, vectors = torch.linalg.eigh(one)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    both = torch.linalg.eigvalsh(root @ two @ root).clamp(min=0).sqrt().sum()
    return max(0.0, float((first - second).square().sum() + one.trace() + two.trace() - 2 * both))


def kernel_distance(
    real: Tensor, fake: Tensor, subsets: int = SUBSETS, size: int = SUBSET_SIZE, seed: int = 0
) -> float:
    """Unbiased squared MMD with the cubic kernel, mean over random subsets (Binkowski et al. 2018), by torchmetrics.

    With at most `size` images, subsets are the whole smaller set, and only the larger set is subsampled.
    """
    from torchmetrics.image.kid import KernelInceptionDistance

    size = min(size, len(real), len(fake))
    if size == len(real) == len(fake):
        subsets = 1
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # it warns about keeping all features in memory, which is intended
        # every process has all features already, so they must not be gathered
        options: dict[str, Any] = {"subsets": subsets, "subset_size": size, "sync_on_compute": False}
        metric = KernelInceptionDistance(feature=Given(real.shape[1]), **options)
        metric.update(real.double(), real=True)
        metric.update(fake.double(), real=False)
        torch.manual_seed(seed)  # torchmetrics draws its subsets from the global generator; fork_rng restores it
        return float(metric.compute()[0])


def set_distances(
    real: Features,
    fake: Features,
    extractor: Extractor,
    sets: str = "generated images against real images",
    seed: int = 0,
    biased: bool = True,
) -> dict[str, Measured]:
    """Fréchet and kernel distance of two sets of images, both from the same features.

    Args:
        extractor: the network that they are features of.
        sets: description of the images (papers compare with the training images); recorded in the protocol.
        biased: give a Fréchet distance even of fewer images than features.
    """
    features, others = real.values, fake.values
    smaller = min(len(features), len(others))
    if not (features.isfinite().all() and others.isfinite().all()):
        raise DataError("some features are NaN or infinite; check the images for NaN or infinity")
    counts = f"{sets}: {len(others)} against {len(features)}"
    protocol = extractor.protocol(
        real.size,
        own=(),
        name=extractor.frechet,
        metric="Fréchet distance of Gaussians fitted to features",
        notes=(counts, *extractor.notes, *bias(smaller, extractor.features)),
    )
    subset = min(SUBSET_SIZE, smaller)
    changes = {
        "name": extractor.kernel,
        "metric": f"squared MMD, cubic polynomial kernel, at most {SUBSETS} subsets of {subset}",
        "seed": seed,
        "notes": (counts, *extractor.notes),
    }
    kernel = kernel_distance(features, others, seed=seed)
    record = protocol.model_copy(update=changes)
    found = {extractor.kernel: Measured(value=kernel, n=smaller, unit="squared MMD", better="lower", protocol=record)}
    if smaller < extractor.features and not biased:
        return found
    frechet = frechet_distance(features, others)
    of_gaussians = Measured(value=frechet, n=smaller, unit="squared", better="lower", protocol=protocol)
    return {extractor.frechet: of_gaussians, **found}


def bias(images: int, features: int) -> tuple[str, ...]:
    """A warning if there are too few images for the covariance of the features."""
    if images >= 2 * features:
        return ()
    return (
        f"biased upward: {images} images for {features} features; take {2 * features} or more, "
        "and compare equal counts only",
    )
