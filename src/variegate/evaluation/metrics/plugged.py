"""The user's networks for evaluation, as Python callables or ONNX files, and their description in protocols."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from ...core.errors import ConfigError, DataError, with_article
from ...data.conditions import Labels, Landmarks
from ...data.dataset.pairs import Pairs
from ...networks.onnx import OnnxNetwork, OnnxNormals
from ...networks.weights import tensor_digest

Images = Callable[[Tensor], Tensor]  # images (B, 3, H, W) in [-1, 1] to what the kind says
Kind = Literal["detector", "embedding", "normals", "segmenter"]
CHUNK = 16  # images at a time


class Plugged(NamedTuple):
    """A network and its description for protocols.

    A detector returns landmarks (B, P, 2), pixels (x, y); an embedding (B, D); normals unit vectors (B, 3, H, W), zero
    where there is none; a segmenter scores (B, classes, H, W).
    """

    network: Images
    description: str
    weights: dict[str, str]
    resize: str = "none"
    value_range: str = "[-1, 1]"
    packages: tuple[str, ...] = ("torch",)
    notes: tuple[str, ...] = ()

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Apply the network to images (B, 3, H, W) in [-1, 1], a few at a time; the result is on the CPU.

        Raises:
            DataError: the network does not return exactly one finite row per image.
        """
        found = torch.cat([self.network(part).detach().cpu().float() for part in images.split(CHUNK)])
        if len(found) != len(images) or not bool(found.isfinite().all()):
            raise DataError(
                f"{self.description}: must return one finite row per image, got shape {tuple(found.shape)} for "
                f"{len(images)} images, or NaN or infinity"
            )
        return found


class Networks(NamedTuple):
    """The user's networks for an evaluation; each is optional."""

    detector: Plugged | None = None
    embedding: Plugged | None = None
    normals: Plugged | None = None
    segmenter: Plugged | None = None

    def check_data(self, pairs: Pairs) -> None:
        """Raise ConfigError, before any sampling, if a network has nothing to compare with."""
        if self.detector is not None and pairs.condition.part(Landmarks) is None:
            raise ConfigError(
                f"--detector: the condition of {pairs.name}, {with_article(pairs.condition.noun)}, does not contain "
                "landmarks; omit it, or evaluate a model trained on landmarks"
            )
        if self.segmenter is not None and (pairs.unpaired or pairs.condition.part(Labels) is None):
            raise ConfigError(
                f"--segmenter: {pairs.name} has no label maps of its images to compare with; omit it, or evaluate a "
                "model trained on label maps"
            )
        if self.normals is not None and pairs.unpaired:
            raise ConfigError(
                f"--normals: {pairs.name} is unpaired, so there is no real image to compare with; omit it"
            )


def networks(
    detector: Images | str | Path | None = None,
    embedding: Images | str | Path | None = None,
    normals: Images | str | Path | None = None,
    segmenter: Images | str | Path | None = None,
) -> Networks:
    """Wrap callables and ONNX files; see `plug`.

    Raises:
        ConfigError: onnxruntime is not installed.
        WeightsError: a file is missing or damaged, or its network does not take images.
    """
    return Networks(
        detector=None if detector is None else plug(detector, "detector"),
        embedding=None if embedding is None else plug(embedding, "embedding"),
        normals=None if normals is None else plug(normals, "normals"),
        segmenter=None if segmenter is None else plug(segmenter, "segmenter"),
    )


def plug(source: Images | str | Path, kind: Kind) -> Plugged:
    """Wrap a callable as it is, or an ONNX file.

    Files take RGB images with ImageNet normalisation, except detectors, which take RGB in [0, 1].
    """
    if not isinstance(source, str | Path):
        return from_callable(source)
    path = Path(source)
    if kind == "detector":
        from ...networks.detectors import OnnxLandmarks

        detector = OnnxLandmarks(path)
        return Plugged(
            network=detector,
            description=f"landmarks of {detector.name}",
            weights={detector.name: detector.digest},
            resize="{} x {}, bilinear, antialiased".format(*detector.side),
            value_range="RGB in [0, 1]",
            packages=("onnxruntime", "torch"),
        )
    network = OnnxNetwork(path)
    return Plugged(
        network=OnnxNormals(network) if kind == "normals" else network,
        description=f"{kind} of {path.name}",
        weights={path.name: network.digest},
        resize=network.resize,
        value_range=network.value_range,
        packages=("onnxruntime", "torch"),
    )


def from_callable(network: Images) -> Plugged:
    """Wrap a callable, named by its `name`, or else its class or function.

    Its weights are recorded if it is a module or has a `digest`, and its resizing if it has the text `resize`.
    """
    name = getattr(network, "name", getattr(network, "__qualname__", type(network).__qualname__))
    if hasattr(network, "digest"):
        return Plugged(network, name, {name: network.digest}, getattr(network, "resize", "none"))
    if isinstance(network, nn.Module):
        return Plugged(network, name, {name: tensor_digest(network.state_dict())})
    return Plugged(network, name, {}, notes=("a Python callable: what it computes is not recorded here",))
