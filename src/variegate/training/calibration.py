"""What is measured on the data before a run starts, and written to its `config.yaml` and with its model: the layer
weights of a perceptual distance, and the mean colour with which holes are filled.

    lambda_l = mean_l' d_l' / d_l,   d_l: mean absolute difference of feature map l between two images of the data

All layers then contribute equally, as with the published weights, "the inverse of the mean layer losses"
(Chen & Koltun, ICCV 2017), and their total is that of equal weights. Two deviations: differences are taken between
different real images, not from a trained network's errors, because there are none before training, and the first
outputs of a network say more about its initialisation than about the data; and weights are rounded to four digits, so
that every machine writes the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..core.errors import ConfigError
from ..core.images import to_float
from ..core.method import Method
from ..data.dataset.pairs import Pairs
from ..networks.perceptual import perceptual
from ..runs.checkpoints import Checkpoints
from ..runs.config import RunConfig, saved_config

if TYPE_CHECKING:
    from lightning_fabric import Fabric

IMAGES = 32  # maximum, evenly spaced over the training split
IMAGES_OF_MEAN = 1000  # likewise
Colour = tuple[float, ...]


def calibrate(config: RunConfig, pairs: Pairs, folder: Path, fabric: Fabric) -> RunConfig:
    """Replace `objective.weights: calibrated`, and `fill: data` of generators, by measured values; a run keeps those
    that it began with.

    One process measures for all.

    Raises:
        ConfigError: the data have no two different images.
    """

    @cache
    def mean() -> Colour:
        colour: Colour = fabric.broadcast(mean_colour(pairs) if fabric.is_global_zero else ())
        return tuple(colour)

    config = _with_fill(config, None, mean)
    objective: Any = config.method.objective  # any with a perceptual distance and its weights
    if getattr(objective, "weights", None) != "calibrated":
        return config
    weights = saved_weights(folder)
    if weights is None:
        features = perceptual(objective.perceptual, None)[0]
        weights = fabric.broadcast(measure_layers(features, pairs) if fabric.is_global_zero else None)
    chosen = objective.model_copy(update={"weights": weights})
    return config.model_copy(update={"method": config.method.model_copy(update={"objective": chosen})})


def with_fill_as_it_was(config: RunConfig, folder: Path) -> RunConfig:
    """The configuration of a run that goes on, with the colours that it began with in the place of `fill: data`."""
    return _with_fill(config, saved_config(folder).get("method"), None)


def _with_fill(config: RunConfig, saved: Any, mean: Callable[[], Colour] | None) -> RunConfig:
    """The configuration with `fill: data` replaced in its method: as `saved`, or else as measured."""

    def replaced(values: Mapping[str, Any], old: Any) -> dict[str, Any]:
        known = old if isinstance(old, Mapping) else {}
        found = {k: replaced(v, known.get(k)) if isinstance(v, Mapping) else v for k, v in values.items()}
        if found.get("fill") == "data":
            found["fill"] = known.get("fill") or (mean() if mean is not None else "data")
        return found

    before = config.method.model_dump()
    after = replaced(before, saved)
    return config if after == before else config.model_copy(update={"method": Method.model_validate(after)})


def mean_colour(pairs: Pairs) -> Colour:
    """The mean red, green and blue of up to 1,000 images, in [0, 1], rounded like weights."""
    count = min(IMAGES_OF_MEAN, len(pairs))
    images = (pairs.raw(i * len(pairs) // count)[1] for i in range(count))
    total = sum(image.double().mean(dim=(1, 2)).expand(3) for image in images)
    return tuple(float(f"{value / (255 * count):.4g}") for value in torch.as_tensor(total).tolist())


def saved_weights(folder: Path) -> tuple[float, ...] | None:
    """The layer weights of a run that has a checkpoint."""
    if not Checkpoints(folder / "checkpoints").steps():
        return None
    weights = saved_config(folder).get("method", {}).get("objective", {}).get("weights")
    return tuple(weights) if isinstance(weights, list) else None


@torch.no_grad()
def measure_layers(features: nn.Module, pairs: Pairs) -> tuple[float, ...]:
    """One weight per feature map, from the differences of each of up to 32 images to the next one.

    Raises:
        ConfigError: a feature map is the same for all of them.
    """
    count = min(IMAGES, len(pairs))
    images = (to_float(pairs.raw(i * len(pairs) // count)[1][None]) for i in range(count))
    gaps, before = [], None
    for image in images:
        maps = features(image)
        if before is not None:
            gaps.append([float((a - b).abs().mean()) for a, b in zip(maps, before)])
        before = maps
    layers = [sum(layer) / len(gaps) for layer in zip(*gaps)]
    if not layers or min(layers) <= 0:
        raise ConfigError(
            f"objective.weights: calibrated compares different images, but all images of {pairs.name} look the same; "
            "give the weights as numbers"
        )
    mean = sum(layers) / len(layers)
    return tuple(float(f"{mean / layer:.4g}") for layer in layers)
