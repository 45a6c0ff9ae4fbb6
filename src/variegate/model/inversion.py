"""From an image of a condition back to a code: undo a flow's steps, or search, as conditional IMLE does in training."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..core import codes as code_draws
from ..core.capabilities import HasVelocity
from ..core.errors import ConfigError, WeightsError
from ..core.interfaces import Generator
from ..losses.perceptual import feature_l1
from ..networks.perceptual import LaplacianPyramid, perceptual

CHUNK = 16  # images at a time
UNDONE = 0.05  # mean difference in [-1, 1] between an image and what is drawn from its code
SEED = 2**31  # of candidates, far from those of samples
RADII = (0.6, 0.35, 0.2, 0.1)  # of the later rounds, in deviations around the best code so far

logger = logging.getLogger(__name__)


@torch.no_grad()
def invert_steps(generator: HasVelocity, condition: Tensor, images: Tensor) -> Tensor:
    """The codes (n, D) that a flow carries to images (n, C, H, W) in [-1, 1].

    Raises:
        ConfigError: the flow does not get back to the images, because its steps are too long to be undone.
    """
    codes = generator.invert(condition, images)
    assert isinstance(generator, Generator)
    again = generator(condition, codes.unsqueeze(1))[:, 0]
    if not float((again - images).abs().mean()) < UNDONE:
        raise ConfigError("this flow takes steps too long to be undone; train it with more --generator.sampler.steps")
    return codes.cpu()


@torch.no_grad()
def search_code(
    generator: Generator, condition: Tensor, image: Tensor, candidates: int, objective: Mapping[str, Any]
) -> Tensor:
    """The code (1, D) whose sample is nearest to an image (1, C, H, W) in [-1, 1], among candidates.

    Where codes are Gaussian, further rounds look around the best code so far, ever nearer, with candidates that are
    Gaussian too. Distances are those of the objective that trained the model, or else of a Laplacian pyramid.

    Args:
        candidates: codes tried in each round.
        objective: its settings.

    Raises:
        ConfigError: there is no code, or less than one candidate.
    """
    if not generator.code_size:
        raise ConfigError("this model draws one image per condition, so there is no code to search")
    if candidates < 1:
        raise ConfigError(f"candidates must be at least 1, got {candidates}")
    features, weights = features_of(objective)
    features.to(image.device)
    target, encoded = features(image), generator.encode(condition)
    weights = weights or (1.0,) * len(target)

    def nearest(codes: Tensor) -> tuple[float, Tensor]:
        """The smallest distance of the samples of codes (n, D) to the image, and its code (D,)."""
        parts = (generator.decode_all(encoded, part[None].to(image.device))[0] for part in codes.split(CHUNK))
        distances = torch.cat([feature_l1(features(part), target, weights) for part in parts])
        best = int(distances.argmin())
        return float(distances[best]), codes[best]

    if generator.alternatives is not None:
        return nearest(code_draws.every_choice(generator.alternatives))[1][None]

    def draw(round_: int) -> Tensor:
        return generator.draw([(SEED + round_, i) for i in range(candidates)])

    distance, code = nearest(draw(0))
    for round_, radius in enumerate(RADII if generator.prior == "gaussian" else (), start=1):
        closer, candidate = nearest((1 - radius**2) ** 0.5 * code + radius * draw(round_))
        if closer < distance:
            distance, code = closer, candidate
    return code[None]


def features_of(objective: Mapping[str, Any]) -> tuple[nn.Module, tuple[float, ...] | None]:
    """The features that the objective compares images by, or else a Laplacian pyramid, and their weights, if any."""
    try:
        features, weights = perceptual(objective.get("perceptual", "laplacian"), objective.get("weights"))
    except WeightsError as error:
        logger.warning("searching by a Laplacian pyramid, since %s", error)
        features, weights = LaplacianPyramid(), None
    return features.eval().requires_grad_(False), weights
