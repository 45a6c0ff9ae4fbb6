"""Layer weights of a perceptual distance, measured on the data before a run begins and written into its `config.yaml`.

    lambda_l = mean_l' d_l' / d_l,   d_l: mean absolute difference of feature map l between two pictures of the data

All layers then contribute equally, as published weights were made to: "the inverse of the mean layer losses"
(Chen & Koltun, ICCV 2017), and their total is that of equal weights. Two deviations: differences are those of different
real pictures, not of a trained network's errors, since before training there are none, and the first outputs of a
network say more about its initialisation than about the data; and weights are rounded to four digits, so that every
machine writes the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..core.errors import ConfigError
from ..data.dataset.pairs import Pairs
from ..networks.perceptual import perceptual
from ..runs.checkpoints import Checkpoints

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from .start import RunConfig

PICTURES = 32  # at most, evenly spread over the training split


def calibrated(config: RunConfig, pairs: Pairs, folder: Path, fabric: Fabric) -> RunConfig:
    """The configuration with numbers in place of `objective.weights: calibrated`; those of a run that was begun stay.

    One process measures for all.

    Raises:
        ConfigError: the data have no two different pictures.
    """
    objective: Any = config.method.objective  # any whose distance has weights and features
    if getattr(objective, "weights", None) != "calibrated":
        return config
    weights = saved_weights(folder)
    if weights is None:
        features = perceptual(objective.perceptual, None)[0]
        weights = fabric.broadcast(measured(features, pairs) if fabric.is_global_zero else None)
    chosen = objective.model_copy(update={"weights": weights})
    return config.model_copy(update={"method": config.method.model_copy(update={"objective": chosen})})


def saved_weights(folder: Path) -> tuple[float, ...] | None:
    """The weights of a run that has learned something."""
    from .start import saved_config

    if not Checkpoints(folder / "checkpoints").steps():
        return None
    weights = saved_config(folder).get("method", {}).get("objective", {}).get("weights")
    return tuple(weights) if isinstance(weights, list) else None


@torch.no_grad()
def measured(features: nn.Module, pairs: Pairs) -> tuple[float, ...]:
    """One weight per feature map, from the differences of each of up to 32 pictures to the next one.

    Raises:
        ConfigError: a feature map is the same for all of them.
    """
    count = min(PICTURES, len(pairs))
    images = (pairs.raw(i * len(pairs) // count)[1][None].float() / 127.5 - 1 for i in range(count))
    gaps, before = [], None
    for image in images:
        maps = features(image)
        if before is not None:
            gaps.append([float((a - b).abs().mean()) for a, b in zip(maps, before)])
        before = maps
    layers = [sum(layer) / len(gaps) for layer in zip(*gaps)]
    if not layers or min(layers) <= 0:
        raise ConfigError(
            f"objective.weights calibrated compares different pictures of {pairs.name}, which has none; give numbers"
        )
    mean = sum(layers) / len(layers)
    return tuple(float(f"{mean / layer:.4g}") for layer in layers)
