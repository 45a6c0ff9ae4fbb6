"""How widely the images of one condition spread around their mean image, and in the features of a network.

From latent dropout codes (ECCV 2018): maximum and mean distance to the centre (animal heads); standard deviations of
activations and of an identity embedding, whose sum is the diversity score (faces).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ...core.errors import DataError
from ...core.images import to_unit
from ...networks.features import IMAGENET_MEAN, IMAGENET_STD, backbone, feature_maps
from ...runs.measured import Measured, Protocol, libraries
from .diversity import accumulator, check_images
from .plugged import Plugged

CENTRE_NOTES = ("unverified: the paper names no type of distance; root mean square over pixels is the natural reading",)
SPREAD_NOTES = (
    "divided by S - 1; unverified, as are the two face networks and the levels that the paper uses",
    "activations have no common unit: only numbers of the same network can be compared",
)


def centre_distances(conditions: Iterable[Tensor]) -> dict[str, Measured]:
    """`centre_max` and `centre_mean`: distance of the samples to their mean image, RMSE on the scale 0..255.

    Means over conditions with a 95 % interval; higher is more diverse.

    Args:
        conditions: samples (S, 3, H, W) in [-1, 1], one condition at a time.
    """
    farthest: list[float] = []
    average: list[float] = []
    size, samples = (0, 0), 0
    for images in conditions:
        check_images(images)
        size, samples = (images.shape[-2], images.shape[-1]), len(images)
        levels = images.to(accumulator(images)).flatten(1) * 127.5
        apart = (levels - levels.mean(dim=0)).square().mean(dim=1).sqrt()
        farthest.append(float(apart.max()))
        average.append(float(apart.mean()))
    results = {}
    for name, word, values in (("centre_max", "largest", farthest), ("centre_mean", "mean", average)):
        protocol = Protocol(
            name=name,
            metric=f"{word} distance of the samples to their mean image, RMSE over pixels and channels",
            libraries=libraries("variegate", "torch"),
            value_range="0..255",
            inputs=len(values),
            samples=samples,
            size=size,
            notes=CENTRE_NOTES,
        )
        results[name] = Measured.mean(values, unit="0..255", better="higher", protocol=protocol)
    return results


class Levels:
    """Activations of an ImageNet network, at the layers LPIPS uses: (n, 3, H, W) in [-1, 1] to (n, C, H, W) each.

    Args:
        net: "alex" (5 levels), "squeeze" (7) or "vgg" (5).
    """

    def __init__(self, net: str = "alex") -> None:
        self.net, self.maps = net, feature_maps(net)
        self.layers = {f"std_{net}_{level}": tap for level, tap in enumerate(backbone(net).taps, start=1)}
        self.mean, self.std = (torch.tensor(one).view(3, 1, 1) for one in (IMAGENET_MEAN, IMAGENET_STD))

    @torch.no_grad()
    def __call__(self, images: Tensor) -> list[Tensor]:
        check_images(images)
        found: list[Tensor] = self.maps((to_unit(images) - self.mean) / self.std)
        return found

    def protocol(self, name: str) -> Protocol:
        return Protocol(
            name=name,
            metric="standard deviation over the samples of an activation, mean over activations of "
            f"layer features.{self.layers[name]} (after its ReLU)",
            libraries=libraries("torchvision", "torch"),
            extractor=f"torchvision {backbone(self.net).model}",
            weights={f"{self.net} ({self.maps.source})": self.maps.digest},
            value_range="[0, 1] less ImageNet's mean, divided by its deviation",
            notes=SPREAD_NOTES,
        )


def spread(values: Tensor) -> float:
    """Standard deviation over the first axis of (S, ...), averaged over the others."""
    return float(values.to(accumulator(values)).std(dim=0, correction=1).mean())


def feature_spread(
    conditions: Iterable[Tensor], levels: Levels | None, embedding: Plugged | None = None
) -> dict[str, Measured]:
    """`std_<net>_<level>` of each level, `std_identity` of an embedding, and their sum, `diversity_score`.

    Means over conditions with a 95 % interval; higher is more diverse.

    Args:
        conditions: samples (S, 3, H, W) in [-1, 1], one condition at a time.
        levels: None omits them, and with them the score.
        embedding: returns (B, D), whose values are measured unscaled.

    Raises:
        DataError: a condition has fewer than two samples, or the embedding does not return (B, D).
    """
    names = [*(levels.layers if levels else ()), *(["std_identity"] if embedding else [])]
    columns: dict[str, list[float]] = {name: [] for name in names}
    size, samples = (0, 0), 0
    for index, images in enumerate(conditions):
        size, samples = (images.shape[-2], images.shape[-1]), len(images)
        if samples < 2:
            raise DataError(f"condition {index} must have at least 2 samples to measure a spread, got {samples}")
        found = levels(images) if levels else []
        if embedding:
            found = [*found, embed(embedding, images)]
        for name, values in zip(names, found):
            columns[name].append(spread(values))
    records = {name: levels.protocol(name) for name in levels.layers} if levels else {}
    if embedding:
        records["std_identity"] = identity_protocol(embedding)
    if levels:
        columns["diversity_score"] = [sum(row) for row in zip(*(columns[name] for name in names))]
        records["diversity_score"] = score_protocol(records)
    changes = {"samples": samples, "size": size}
    return {
        name: Measured.mean(
            values,
            unit="activation",
            better="higher",
            protocol=records[name].model_copy(update={**changes, "inputs": len(values)}),
        )
        for name, values in columns.items()
    }


def embed(embedding: Plugged, images: Tensor) -> Tensor:
    """Embed images (B, 3, H, W): (B, D)."""
    found = embedding(images)
    if found.ndim != 2:
        raise DataError(f"{embedding.description}: an embedding must have shape (B, D), got {tuple(found.shape)}")
    return found


def identity_protocol(embedding: Plugged) -> Protocol:
    return Protocol(
        name="std_identity",
        metric="standard deviation over the samples of a number of an identity embedding, mean over its numbers",
        libraries=libraries(*embedding.packages),
        extractor=embedding.description,
        weights=embedding.weights,
        resize=embedding.resize,
        value_range=embedding.value_range,
        notes=(*SPREAD_NOTES, *embedding.notes),
    )


def score_protocol(parts: dict[str, Protocol]) -> Protocol:
    """The protocol of the sum of all standard deviations, combined from those of its parts."""
    extractors = dict.fromkeys(str(one.extractor) for one in parts.values())
    notes = dict.fromkeys(note for one in parts.values() for note in one.notes)
    return Protocol(
        name="diversity_score",
        metric=f"sum of {', '.join(parts)}",
        libraries={name: text for one in parts.values() for name, text in one.libraries.items()},
        extractor=", ".join(extractors),
        weights={name: text for one in parts.values() for name, text in one.weights.items()},
        resize="; ".join(dict.fromkeys(one.resize for one in parts.values())),
        value_range="; ".join(dict.fromkeys(one.value_range for one in parts.values())),
        notes=tuple(notes),
    )
