"""Evaluating 300 conditions with 20 samples each at 64x64: the seconds of every part, beside one pass of its network.

Samples are noise around images of drawn streets; drawing them is not part of it. The LPIPS of all 190 pairs of a
condition may cost 1.3 times the passes of its network over the same images; features that were computed before, read
from disk, a tenth of computing them.
"""

from __future__ import annotations

import os
import tempfile
from unittest.mock import patch

import torch
from torch import Tensor

from variegate.data import open_data
from variegate.evaluation.measuring.drawn import Drawn
from variegate.evaluation.metrics.calibration import calibration
from variegate.evaluation.metrics.diversity import LPIPS, Pixel, diversity
from variegate.evaluation.metrics.extractors import classifier
from variegate.evaluation.metrics.features import kept_features
from variegate.evaluation.metrics.fidelity import fidelity
from variegate.evaluation.protocols import NamedProtocol

from .measure import timed
from .pairwise_lpips import weights_or_random
from .results import Row, Settings, row

CONDITIONS, SAMPLES, SIDE = 300, 20, 64
LPIPS_LIMIT, DISK_LIMIT = 1.3, 0.1


@torch.no_grad()
def rows(settings: Settings) -> list[Row]:
    conditions, samples = (4, 3) if settings.quick else (CONDITIONS, SAMPLES)
    drawn = noisy_streets(conditions, samples, settings.seed)
    protocol = NamedProtocol(name="speed", paper="none", inputs=conditions, samples=samples)
    with weights_or_random("alex", settings.seed), tempfile.TemporaryDirectory() as folder:
        metric = LPIPS("alex")
        with patch.dict(os.environ, {"VARIEGATE_CACHE": folder}), weights_or_random("squeeze", settings.seed):
            network = classifier("squeezenet")
            lpips = settings.compare(
                lambda: diversity(drawn.conditions(), metric, protocol),
                lambda: [metric.maps(images) for images in drawn.conditions()],
                pairs=3,
            )
            features = timed(lambda: kept_features(drawn.samples, network))
            again = timed(lambda: kept_features(drawn.samples, network))
        pixel = timed(lambda: diversity(drawn.conditions(), Pixel(), protocol))
        close = timed(lambda: fidelity(drawn.with_truth()))
        certain = timed(lambda: calibration(drawn.with_truth()))
    others = {"pixel diversity": pixel, "RMSE, PSNR, SSIM": close, "calibration": certain}
    judged = [
        row(
            "LPIPS, beside passes of its network",
            lpips.ratio,
            LPIPS_LIMIT,
            seconds=lpips.seconds[0],
            beside=lpips.seconds[1],
        ),
        row("features from disk, or computed", again / features, DISK_LIMIT, seconds=again, beside=features),
    ]
    return [*judged, *(row(name, None, None, seconds=seconds, beside=None) for name, seconds in others.items())]


def noisy_streets(conditions: int, samples: int, seed: int) -> Drawn:
    """Images of streets with noise, which differ from sample to sample."""
    pairs = open_data(f"streets:{2 * conditions}", SIDE)
    rng = torch.Generator().manual_seed(seed)
    truth = [pairs.raw(i % len(pairs))[1] for i in range(conditions)]

    def around(image: Tensor) -> Tensor:
        noise = torch.randint(-20, 21, (samples, *image.shape), generator=rng)
        return (image.int() + noise).clamp(0, 255).to(torch.uint8)

    return Drawn([around(image) for image in truth], truth, [None] * conditions, seed)
