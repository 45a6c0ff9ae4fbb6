"""Diverse image synthesis from semantic layouts via conditional IMLE. Li, Zhang, Malik, ICCV 2019.

Where chance enters      noise channels at every level of a cascaded refinement network, through a noise encoder
What prevents collapse   every real image pulls its nearest of m samples, so no image of the data can be left out
Differs from the paper   trains from scratch (the paper starts from a trained CRN); no rebalancing of rare appearances

One step is one outer epoch of Algorithm 1: `batch_size` is the pool S, `objective.inner_steps` is K.
"""

from __future__ import annotations

from ..config import Training
from ..generators.crn import CRNConfig
from ..objectives.nearest_sample import NearestSampleConfig
from ..randomness.noise_input import NoiseInputConfig
from .preset import Preset


def cimle(scale: float = 1.0) -> Preset:
    """Nearest-sample matching on a CRN."""
    return Preset(
        name="cimle",
        paper="Li, Zhang, Malik: Diverse image synthesis from semantic layouts via conditional IMLE. ICCV 2019",
        summary="regression in which every real image picks its nearest sample; covers rare appearances",
        condition="pairs: label map or image -> image",
        generator=CRNConfig(scale=scale),
        randomness=NoiseInputConfig(),
        objective=NearestSampleConfig(),
        training=Training(
            steps=16, batch_size=400, learning_rate={"generator": 1e-4}, betas=(0.9, 0.999), average_decay=0.999
        ),
    )
