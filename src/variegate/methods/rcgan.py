"""Bendel, Ahmad, Schniter: A regularized conditional GAN for posterior sampling in image recovery. NeurIPS 2023.

Where the code enters    as in `mrgan`, its modern rival here: noise maps in the decoder of its networks
What prevents collapse   the deviation of P = 2 samples is rewarded, by as much as makes one sample's squared error
                         2P/(P+1) times that of their mean
Differs from the paper   MR-GAN's networks, discriminators and optimiser in place of a Wasserstein GAN; the reward is
                         steered at every update by the training batches' own samples, not at every epoch by 8 of each
                         validation image; weights are averaged for sampling
"""

from __future__ import annotations

from ..core.method import Method
from ..objectives.deviation_reward import DeviationRewardConfig
from ..objectives.moment_reconstruction import MomentReconstructionConfig
from .mrgan import Task, mrgan, mrgan_inpainting, mrgan_superres
from .registry import preset

KEPT = ("generator_steps", "discriminator", "conditional", "masked", "width")


@preset
def rcgan(task: Task = "translation", width: int = 64, scale: int = 4, residual: bool = False) -> Method:
    """Rewarded deviation, steered by calibration. `residual` is as in `mrgan-superres`."""
    rival = {
        "translation": mrgan(proxy=False, width=width),
        "superres": mrgan_superres(proxy=False, width=width, scale=scale, residual=residual),
        "inpainting": mrgan_inpainting(proxy=False, width=width, residual=residual),
    }[task]
    assert isinstance(rival.objective, MomentReconstructionConfig)
    changes = {
        "name": "rcgan",
        "paper": "Bendel, Ahmad, Schniter: A regularized conditional GAN for posterior sampling in image recovery "
        "problems. NeurIPS 2023",
        "summary": "GAN + L1 of the mean of two samples, whose deviation is rewarded until they are calibrated",
        "objective": DeviationRewardConfig(**rival.objective.model_dump(include=set(KEPT))),
    }
    return Method(**{name: getattr(rival, name) for name in Method.model_fields} | changes)
