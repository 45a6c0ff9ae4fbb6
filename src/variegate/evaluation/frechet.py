"""Fréchet and kernel distances between sets of images, always named after the network whose features they compare."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from ..core.errors import DataError, WeightsError
from ..core.images import to_uint8
from ..core.interfaces import Size
from ..networks import weights
from ..networks.features import PooledFeatures, pooled_features
from ..runs.measured import Measured, Protocol, libraries

Network = Literal["auto", "inception", "squeezenet", "alexnet"]
INCEPTION = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
)
SUBSETS, SUBSET_SIZE = 100, 1000  # of the kernel distance (Binkowski et al. 2018)


class Extractor(NamedTuple):
    """A network (n, 3, H, W) in [-1, 1] -> (n, D), with the names of its distances."""

    network: nn.Module
    features: int  # D
    frechet: str  # name of the Fréchet distance: "fid" only for the official Inception
    kernel: str
    description: str
    resize: str
    digests: dict[str, str]
    packages: tuple[str, ...]
    notes: tuple[str, ...] = ()


class Features(NamedTuple):
    """Features (N, D), float64 on the CPU, of images of size (H, W)."""

    values: Tensor
    size: Size


class Inception(nn.Module):
    """torch-fidelity's port of the official Inception-v3: (n, 3, H, W) in [-1, 1], rounded to 8 bits, to (n, 2048)."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        # torch-fidelity unpickles any file it is given, so give it one that contains only tensors
        folder = tempfile.mkdtemp()
        try:
            safe = Path(folder) / "inception.pth"
            torch.save(torch.load(path, map_location="cpu", weights_only=True), safe)
            self.network = FeatureExtractorInceptionV3(
                "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(safe)
            )
        finally:
            shutil.rmtree(folder)

    def forward(self, images: Tensor) -> Tensor:
        levels = to_uint8(images)
        features: Tensor = self.network(levels)[0]
        return features


class Given(nn.Module):
    """Passes precomputed features through in place of torchmetrics' network, so that two distances share one pass."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.num_features = features

    def forward(self, features: Tensor) -> Tensor:
        return features


def extractor(network: Network = "auto") -> Extractor:
    """The network by name; "auto" uses the official Inception if available, otherwise SqueezeNet 1.1.

    Raises:
        WeightsError: the weights are neither in VARIEGATE_WEIGHTS nor downloadable.
    """
    if network == "inception":
        return inception()
    if network != "auto":
        return classifier(network)
    try:
        return inception()
    except WeightsError:
        return classifier("squeezenet")._replace(notes=("not FID: the official Inception weights were not at hand",))


def inception() -> Extractor:
    if find_spec("torch_fidelity") is None:
        raise WeightsError("FID needs the package torch-fidelity; run pip install 'variegate[evaluation]'")
    path = inception_file()
    return Extractor(
        network=Inception(path),
        features=2048,
        frechet="fid",
        kernel="kid",
        description="Inception-v3 of 2015-12-05 (torch-fidelity), pool features",
        resize="299 x 299, bilinear as TensorFlow 1, after rounding to 8 bits",
        digests={path.name: weights.file_digest(path)},
        packages=("torchmetrics", "torch-fidelity", "torch"),
    )


def inception_file() -> Path:
    """The path of the official weights: in VARIEGATE_WEIGHTS, or in torch.hub's cache, downloaded if necessary."""
    path = weights.find("inception")
    if path is not None:
        return path
    try:
        with weights.impatient(INCEPTION):
            torch.hub.load_state_dict_from_url(INCEPTION, progress=False, check_hash=True, weights_only=True)
    except weights.FAILURES as error:
        why = f"and downloading {INCEPTION} failed ({error})"
        raise weights.missing(weights.find_entry("inception"), why) from None
    return weights.cache_path(INCEPTION)


def classifier(network: Literal["squeezenet", "alexnet"]) -> Extractor:
    """Pooled features of an ImageNet classifier, if Inception is not available; its distances are never called FID."""
    pooled = pooled_features({"squeezenet": "squeeze", "alexnet": "alex"}[network])
    return Extractor(
        network=pooled,
        features=pooled.num_features,
        frechet=f"frechet_{network}",
        kernel=f"kid_{network}",
        description=f"torchvision {network}, last convolutional features, averaged over the plane",
        resize=f"{PooledFeatures.side} x {PooledFeatures.side}, bilinear, antialiased; ImageNet mean and deviation",
        digests={pooled.maps.source: pooled.maps.digest},
        packages=("torchmetrics", "torchvision", "torch"),
    )


@torch.no_grad()
def features_of(batches: Iterable[Tensor], network: nn.Module) -> Features:
    """Features of batches (n, 3, H, W) in [-1, 1] on the network's device."""
    rows: list[Tensor] = []
    size = (0, 0)
    for images in batches:
        if images.ndim != 4 or images.shape[1] != 3:
            raise DataError(f"images must have shape (n, 3, H, W), got {tuple(images.shape)}")
        size = (images.shape[-2], images.shape[-1])
        rows.append(network(images).double().cpu())
    if sum(map(len, rows)) < 2:
        raise DataError("a distance between sets needs at least two images in each set")
    return Features(torch.cat(rows), size)


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """||m1 - m2||^2 + Tr(C1 + C2 - 2 (C1 C2)^1/2) of features (N, D) (Heusel et al. 2017, eq. 6), by torchmetrics."""
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(feature=Given(real.shape[1])).set_dtype(torch.float64)
    metric.update(real.double(), real=True)
    metric.update(fake.double(), real=False)
    return float(metric.compute())


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
        metric = KernelInceptionDistance(feature=Given(real.shape[1]), subsets=subsets, subset_size=size)
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
) -> dict[str, Measured]:
    """Fréchet and kernel distance of two sets of images, both from the same features.

    Args:
        extractor: the network that they are features of.
        sets: description of the images (papers compare with the training images); recorded in the protocol.
    """
    features, others = real.values, fake.values
    smaller = min(len(features), len(others))
    if not (features.isfinite().all() and others.isfinite().all()):
        raise DataError("some features are NaN or infinite; check the images for NaN or infinity")
    counts = f"{sets}: {len(others)} against {len(features)}"
    protocol = Protocol(
        name=extractor.frechet,
        metric="Fréchet distance of Gaussians fitted to features",
        libraries=libraries(*extractor.packages),
        extractor=extractor.description,
        weights=extractor.digests,
        resize=extractor.resize,
        value_range="[-1, 1]",
        size=real.size,
        notes=(counts, *extractor.notes, *bias(smaller, extractor.features)),
    )
    subset = min(SUBSET_SIZE, smaller)
    changes = {
        "name": extractor.kernel,
        "metric": f"squared MMD, cubic polynomial kernel, at most {SUBSETS} subsets of {subset}",
        "seed": seed,
        "notes": (counts, *extractor.notes),
    }
    frechet, kernel = frechet_distance(features, others), kernel_distance(features, others, seed=seed)
    return {
        extractor.frechet: Measured(value=frechet, n=smaller, unit="squared", better="lower", protocol=protocol),
        extractor.kernel: Measured(
            value=kernel, n=smaller, unit="squared MMD", better="lower", protocol=protocol.model_copy(update=changes)
        ),
    }


def bias(images: int, features: int) -> tuple[str, ...]:
    """A warning if there are too few images for the covariance of the features."""
    if images >= 2 * features:
        return ()
    return (
        f"biased upward: {images} images for {features} features; take {2 * features} or more, "
        "and compare equal counts only",
    )
