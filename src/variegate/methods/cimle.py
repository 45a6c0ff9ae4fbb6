"""Diverse image synthesis from semantic layouts via conditional IMLE. Li, Zhang, Malik, ICCV 2019.

Where the code enters    noise channels at every level of a cascaded refinement network, through a noise encoder
What prevents collapse   every real image pulls its nearest of m samples, so no image of the data can be left out
Differs from the paper   trains from scratch unless `--initial` names a trained `crn` run, which the paper starts from;
                         rare appearances are rebalanced only with `--rebalance both`; VGG-19 is torchvision's, whose
                         features differ in scale from those the published layer weights are for; these stay the
                         default (`--objective.weights calibrated` measures them); weights are averaged for sampling

`batch_size` is the pool S, `objective.inner_steps` is K. The 16 outer epochs of Algorithm 1 take 1,600 steps, since a
step makes at most 100 updates (`objective.updates_per_step`); where K is less, a step is an outer epoch. After 6 of 16
the noise encoder is re-initialised, Adam's state is reset, and the learning rate falls from 1e-4 to the paper's 1e-5,
as in the released code; `--restart.at 0` leaves this out of short runs.
"""

from __future__ import annotations

from ..core.config import Restart, Training
from ..core.method import Method
from ..generators.crn import CRNConfig
from ..objectives.nearest_sample import NearestSampleConfig
from ..randomness.noise_input import NoiseInputConfig
from .registry import preset


@preset
def cimle(scale: float = 1.0) -> Method:
    """Nearest-sample matching on a CRN."""
    return Method(
        name="cimle",
        paper="Li, Zhang, Malik: Diverse image synthesis from semantic layouts via conditional IMLE. ICCV 2019",
        summary="regression in which every real image picks its nearest sample; covers rare appearances",
        condition="pairs: label map or image -> image",
        generator=CRNConfig(scale=scale),
        randomness=NoiseInputConfig(),
        objective=NearestSampleConfig(),
        training=Training(
            steps=16 * 100,
            batch_size=400,
            replacement=True,
            learning_rate={"generator": 1e-4, "discriminator": 1e-4},
            betas=(0.9, 0.999),
            restart=Restart(at=6 / 16, modules=("randomness.encoder",), factor=0.1),
            ema_decay=0.999,
        ),
    )
