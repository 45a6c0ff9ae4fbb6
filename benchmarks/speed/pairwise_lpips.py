"""LPIPS of all pairs of 20 images against 20 passes through its feature network.

Each image is embedded once, so 190 pairs should cost little more than 20 passes, which is what the limit applies to.
The stricter ratio to one pass of all 20 images as a batch, which is faster for small networks, is given as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch

from variegate.evaluation.metrics.diversity import LPIPS, pairwise_diversity
from variegate.networks import weights
from variegate.networks.features import backbone

from .results import Row, Settings, row

LIMIT = 1.3
IMAGES = 20


def rows(settings: Settings) -> list[Row]:
    sides = (64,) if settings.quick else (64, 128, 256)
    return [r for net in ("alex", "squeeze") for r in measure(net, sides, settings)]


@torch.no_grad()
def measure(net: str, sides: tuple[int, ...], settings: Settings) -> list[Row]:
    with weights_or_random(net, settings.seed) as source:
        metric = LPIPS(net)
    images = 3 if settings.quick else IMAGES
    found = []
    for side in sides:
        pictures = torch.rand(images, 3, side, side, generator=torch.Generator().manual_seed(settings.seed)) * 2 - 1
        scaled = ((pictures - metric.shift) / metric.scale).contiguous(memory_format=torch.channels_last)

        tasks = (
            (f"{images} passes", LIMIT, lambda scaled=scaled: [metric.maps(one) for one in scaled.split(1)]),
            ("one pass of a batch", None, lambda scaled=scaled: metric.maps(scaled)),
        )
        for batching, limit, passes in tasks:
            timed = settings.compare(lambda p=pictures: pairwise_diversity(p, metric), passes, seconds=5.0)
            details = {"pairs_of_images": images * (images - 1) // 2, "weights": source}
            case = f"{net}, {side}x{side}, {batching}"
            found.append(row(case, timed.ratio, limit, **timed.details("pairs", "passes"), **details))
    return found


@contextmanager
def weights_or_random(net: str, seed: int) -> Iterator[str]:
    """Give the feature network its weights, or random ones if the file is absent, which take the same time."""
    model = backbone(net).model
    if weights.find(model) is not None:
        yield "ImageNet"
        return
    with patch.object(weights, "load", lambda name: random_weights(name, seed)):
        yield "random"


def random_weights(model: str, seed: int) -> weights.Weights:
    from torchvision import models

    torch.manual_seed(seed)
    layers = models.get_model_builder(model)(weights=None).get_submodule("features")
    state = {f"features.{key}": value for key, value in layers.state_dict().items()}
    return weights.Weights(state, "0" * 12, "random")
