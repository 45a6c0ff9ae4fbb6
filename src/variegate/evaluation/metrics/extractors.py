"""Networks whose features sets of images are compared by, each with all that a protocol records about it."""

from __future__ import annotations

import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from ...core.errors import ConfigError, WeightsError, did_you_mean
from ...core.images import to_uint8
from ...core.interfaces import Size
from ...networks import weights
from ...networks.features import PooledFeatures, pooled_features
from ...runs.measured import Protocol, libraries

ExtractorName = Literal["auto", "inception", "squeezenet", "alexnet", "dinov2"]
INCEPTION = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
)
DINOV2 = ("facebookresearch_dinov2_main", "dinov2_vitl14_pretrain.pth")  # in torch.hub's folder and its checkpoints


class Extractor(NamedTuple):
    """A network (n, 3, H, W) in [-1, 1] -> (n, D). Metrics end in its name; only Inception's distances are FID, KID."""

    network: nn.Module
    name: str
    features: int  # D
    description: str
    resize: str
    digests: dict[str, str]
    packages: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def protocol(self, size: Size, own: tuple[str, ...] = ("variegate",), **fields: Any) -> Protocol:
        """The record of a metric of these features; `own` are packages that compute it besides those of the network."""
        return Protocol(
            libraries=libraries(*own, *self.packages),
            extractor=self.description,
            weights=self.digests,
            resize=self.resize,
            value_range="[-1, 1]",
            size=size,
            **fields,
        )

    @property
    def frechet(self) -> str:
        return "fid" if self.name == "inception" else f"frechet_{self.name}"

    @property
    def kernel(self) -> str:
        return "kid" if self.name == "inception" else f"kid_{self.name}"


class EightBit(nn.Module):
    """A network of torch-fidelity, which reads 8-bit images: (n, 3, H, W) in [-1, 1], rounded, to (n, D)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.network(to_uint8(images))[0]
        return features


def extractor(network: ExtractorName = "auto") -> Extractor:
    """The network by name; "auto" uses the official Inception if available, otherwise SqueezeNet 1.1.

    Raises:
        WeightsError: the weights are neither in VARIEGATE_WEIGHTS nor downloadable.
        ConfigError: there is no such network.
    """
    if network not in get_args(ExtractorName):
        raise ConfigError(
            f"there is no network {network!r} of features; {did_you_mean(network, get_args(ExtractorName))}"
        )
    if network == "inception":
        return inception()
    if network == "dinov2":
        return dinov2()
    if network != "auto":
        return classifier(network)
    try:
        return inception()
    except WeightsError:
        return classifier("squeezenet")._replace(notes=("not FID: the official Inception weights were not at hand",))


def inception() -> Extractor:
    """torch-fidelity's port of the official Inception-v3."""
    require_fidelity("FID")
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    path = inception_file()
    # torch-fidelity unpickles any file it is given, so give it one that contains only tensors
    folder = tempfile.mkdtemp()
    try:
        safe = Path(folder) / "inception.pth"
        torch.save(torch.load(path, map_location="cpu", weights_only=True), safe)
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(safe))
    finally:
        shutil.rmtree(folder)
    return Extractor(
        network=EightBit(network),
        name="inception",
        features=2048,
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


def dinov2() -> Extractor:
    """DINOv2 ViT-L/14, as Stein et al. (NeurIPS 2023) advise; only from torch.hub's folder, nothing is downloaded."""
    require_fidelity("dinov2")
    code, file = Path(torch.hub.get_dir()) / DINOV2[0], weights.cache_path(DINOV2[1])
    for place in (code, file):
        if not place.exists():
            raise WeightsError(
                f'dinov2 needs {place}, which is not there; run python -c "import torch; '
                "torch.hub.load('facebookresearch/dinov2', 'dinov2_vitl14')\" where there is a network, or give "
                "--extractor squeezenet"
            )
    from torch_fidelity.feature_extractor_dinov2 import FeatureExtractorDinoV2

    return Extractor(
        network=EightBit(FeatureExtractorDinoV2("dinov2-vit-l-14", ["dinov2"])),
        name="dinov2",
        features=1024,
        description="DINOv2 ViT-L/14 (torch-fidelity), class token",
        resize="224 x 224, bilinear as TensorFlow 1, after rounding to 8 bits; ImageNet mean and deviation",
        digests={file.name: weights.file_digest(file)},
        packages=("torchmetrics", "torch-fidelity", "torch"),
    )


def require_fidelity(what: str) -> None:
    if find_spec("torch_fidelity") is None:
        raise WeightsError(f"{what} needs the package torch-fidelity; run pip install 'variegate[evaluation]'")


def classifier(name: Literal["squeezenet", "alexnet"]) -> Extractor:
    """Pooled features of an ImageNet classifier, if Inception is not available; its distances are never called FID."""
    pooled = pooled_features({"squeezenet": "squeeze", "alexnet": "alex"}[name])
    return Extractor(
        network=pooled,
        name=name,
        features=pooled.num_features,
        description=f"torchvision {name}, last convolutional features, averaged over the plane",
        resize=f"{PooledFeatures.side} x {PooledFeatures.side}, bilinear, antialiased; ImageNet mean and deviation",
        digests={pooled.maps.source: pooled.maps.digest},
        packages=("torchmetrics", "torchvision", "torch"),
    )
