"""Fidelity and coverage of sets of images by nearest neighbours of features, and how many images a set is worth.

Precision and recall (Kynkäänniemi et al., NeurIPS 2019), density and coverage (Naeem et al., ICML 2020): a ball around
each image reaches to its k-th nearest neighbour in the same set. Clipped density and coverage (Salvy et al. 2025): no
ball is larger than the median one, no image counts more than one, and the scale is the share of good samples. Vendi
score (Friedman, Dieng, TMLR 2023): the exponential of the entropy of the eigenvalues of the images' similarities, 1 if
all are equal and n if all differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...core.errors import DataError
from ...runs.measured import Better, Measured, Protocol
from .extractors import Extractor
from .features import Features

NEAREST = 5  # k, as in the public code of density and coverage
MOST = 2000  # images of each set; more cost quadratic time and change little


def distances(first: Tensor, second: Tensor) -> Tensor:
    """Euclidean distances (N, M), exactly zero between equal features."""
    return torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")


class Distances(NamedTuple):
    """Distances among N real images, among M fakes, and of every real image to every fake."""

    real: Tensor  # (N, N)
    fake: Tensor  # (M, M)
    across: Tensor  # (N, M)

    @classmethod
    def of(cls, real: Tensor, fake: Tensor) -> Distances:
        """Those of features (N, D) and (M, D)."""
        return cls(distances(real, real), distances(fake, fake), distances(real, fake))


def radii(apart: Tensor, k: int = NEAREST) -> Tensor:
    """Distance of each image to its k-th nearest neighbour among the others, by their distances (N, N): (N,)."""
    if len(apart) <= k:
        raise DataError(f"nearest neighbours need more than {k} images in each set, got {len(apart)}")
    return apart.kthvalue(k + 1, dim=1).values


def neighbourhoods(apart: Distances, k: int = NEAREST) -> dict[str, float]:
    """Precision, recall, density and coverage.

    precision: share of fakes inside any ball of a real image; recall: share of real images inside any ball of a fake;
    density: mean number of balls of real images around a fake, over k; coverage: share of balls of real images with a
    fake inside.
    """
    near = apart.across < radii(apart.real, k)[:, None]
    found = {
        "precision": near.any(dim=0),
        "recall": (apart.across < radii(apart.fake, k)).any(dim=1),
        "density": near.sum(dim=0).double() / k,
        "coverage": near.any(dim=1),
    }
    return {name: float(values.double().mean()) for name, values in found.items()}


def clipped(apart: Distances, k: int = NEAREST) -> dict[str, float]:
    """Clipped density and clipped coverage, both from 0 to 1."""
    reach = radii(apart.real, k)
    balls = reach.clamp(max=float(reach.quantile(0.5)))[:, None]
    inside = (apart.across <= balls).sum(dim=0)
    own = (apart.real <= balls).sum(dim=0) - 1  # every real image is in its own ball
    covered = (apart.across < reach[:, None]).sum(dim=1).clamp(max=k) / k
    density = (inside / k).clamp(max=1).mean() / (own / k).clamp(max=1).mean().clamp(min=1e-12)
    real, fake = apart.across.shape
    expected = expected_coverage(real, fake, k)
    good = torch.searchsorted(expected, covered.double().mean()) / len(expected)
    return {"clipped_density": float(density.clamp(max=1)), "clipped_coverage": float(good)}


def expected_coverage(real: int, fake: int, k: int) -> Tensor:
    """Mean of min(J, k) / k for J of 0 .. `fake` good samples in a ball of k of `real` images: (fake + 1,), rising."""
    from scipy.stats import betabinom

    good = np.arange(fake + 1)
    missing = sum((1 - j / k) * betabinom.pmf(j, good, k, real - k) for j in range(k))
    return torch.from_numpy(1 - missing)


def similarities(features: Tensor) -> Tensor:
    """Cosines of features (n, D): (n, n)."""
    unit = F.normalize(features.double(), dim=1)
    return unit @ unit.T


def entropy_of(kernel: Tensor) -> Tensor:
    """Entropy of the eigenvalues of a kernel (n, n) with ones on its diagonal, over n."""
    return torch.special.entr(torch.linalg.eigvalsh(kernel / len(kernel)).clamp(min=0)).sum()


def vendi(features: Tensor) -> float:
    """The Vendi score of n features (n, D), by their cosines: from 1 to n."""
    return float(entropy_of(similarities(features)).exp())


METRICS: dict[str, tuple[str, Better]] = {
    "precision": ("share of samples within reach of a real image", "higher"),
    "recall": ("share of real images within reach of a sample", "higher"),
    "density": ("mean number of real images in reach of a sample, over k", "higher"),
    "coverage": ("share of real images with a sample in their reach", "higher"),
    "clipped_density": ("share of good samples, by clipped density", "higher"),
    "clipped_coverage": ("share of samples that cover as good ones do, by clipped coverage", "higher"),
}


def neighbourhood_metrics(
    real: Features, fake: Features, samples: int, extractor: Extractor, seed: int = 0
) -> dict[str, Measured]:
    """All of them by name, each with the name of the network behind it; `vendi` is a mean over conditions.

    Args:
        fake: of `samples` samples of each condition, one condition after the other.
    """
    true, drawn = (few(features.values, seed) for features in (real, fake))
    apart, network = Distances.of(true, drawn), extractor.name
    protocol = extractor.protocol(real.size, name=network, metric="")
    about = f"samples of held-out conditions against training images: {len(drawn)} against {len(true)}"
    note = f"k = {NEAREST}; streets have modes of the names coverage and precision, which are other numbers"
    found = {
        f"{name}_{network}": Measured(
            value=value,
            n=len(drawn),
            unit="share" if name != "density" else "ratio",
            better=METRICS[name][1],
            protocol=protocol.model_copy(
                update={"name": f"{name}_{network}", "metric": METRICS[name][0], "seed": seed, "notes": (about, note)}
            ),
        )
        for name, value in (neighbourhoods(apart) | clipped(apart)).items()
    }
    if samples > 1:
        found[f"vendi_{network}"] = of_conditions(fake.values.split(samples), protocol, network)
    return found


def few(features: Tensor, seed: int) -> Tensor:
    """At most MOST of the features (N, D), chosen by the seed."""
    if len(features) <= MOST:
        return features
    return features[torch.randperm(len(features), generator=torch.Generator().manual_seed(seed))[:MOST]]


def of_conditions(groups: Sequence[Tensor], protocol: Protocol, network: str) -> Measured:
    """The mean Vendi score of the samples of one condition."""
    metric = "Vendi score of a condition's samples: how many different ones they are worth, by cosines of features"
    changes = {"name": f"vendi_{network}", "metric": metric, "inputs": len(groups), "samples": len(groups[0])}
    values = [vendi(group) for group in groups]
    return Measured.mean(values, unit="images", better="higher", protocol=protocol.model_copy(update=changes))
