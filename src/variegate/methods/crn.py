"""Photographic image synthesis with cascaded refinement networks. Chen, Koltun, ICCV 2017.

Where the code enters    nine fixed heads at the output, of which the code selects one; or noise channels at every level
                         (`--noise input`), our "CRN + noise"; whether the one in conditional IMLE's table had a noise
                         encoder is unverified
What prevents collapse   every class of the layout picks its best head; with noise or `--heads 1`, nothing
Differs from the paper   VGG-19 is torchvision's, see `cimle`; weights are averaged for sampling; all levels of a
                         larger image are trained together

Conditional IMLE can start from the first head of a k-head network: `train cimle --initial runs/crn`.
"""

from __future__ import annotations

from typing import Literal

from ..core.config import Training
from ..core.method import Method, RandomnessConfig
from ..generators.crn import CRNConfig
from ..objectives.class_wise import ClassWiseConfig, Dataset
from ..randomness.heads import HeadsConfig
from ..randomness.noise_input import NoiseInputConfig
from ..randomness.none import NoRandomnessConfig
from .registry import preset

Noise = Literal["input", "none"]


@preset
def crn(heads: int | None = None, noise: Noise = "none", dataset: Dataset = "cityscapes", scale: float = 1.0) -> Method:
    """Regression on layouts; nine heads, or one with noise, unless `heads` says otherwise."""
    count = heads if heads is not None else 1 if noise == "input" else 9
    return Method(
        name="crn",
        paper="Chen, Koltun: Photographic image synthesis with cascaded refinement networks. ICCV 2017",
        summary="perceptual regression with nine images of a layout; every class trains the best of them",
        condition="pairs: label map -> image",
        generator=CRNConfig(scale=scale),
        randomness=randomness(count, noise),
        objective=ClassWiseConfig(heads=count, dataset=dataset),
        training=Training(
            steps={"cityscapes": 595_000, "gta": 1_200_000}[dataset],  # 200 epochs of 2,975; 400 of 3,000
            batch_size=1,
            learning_rate={"generator": 1e-4},
            betas=(0.9, 0.999),
            ema_decay=0.999,
        ),
    )


def randomness(heads: int, noise: Noise) -> RandomnessConfig:
    if noise == "input":
        return NoiseInputConfig()
    return HeadsConfig(heads=heads) if heads > 1 else NoRandomnessConfig()
