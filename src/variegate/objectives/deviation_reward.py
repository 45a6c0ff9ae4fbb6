"""rcGAN (Bendel, Ahmad, Schniter: A regularized conditional GAN for posterior sampling, NeurIPS 2023).

L_G = L_GAN + lambda [ L1(image, mean of P samples) - beta deviation(P samples) ]

beta starts where Gaussian samples would be calibrated, and rises or falls until one sample's squared error is 2P/(P+1)
times that of the mean of P, as it is if samples and images have the same distribution.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..core.interfaces import Shapes
from ..core.method import Method, Opposite
from ..core.processes import mean_of_all
from ..losses.deviation import calibrated_gain, calibrated_reward, deviation, mean_l1
from .moment_reconstruction import MomentReconstruction, MomentReconstructionConfig

REMEMBERED = 0.98  # share of the squared errors of earlier batches in their running means


class DeviationReward(MomentReconstruction):
    """An adversarial term, and a reward for the deviation of samples that is steered towards calibration.

    Attributes:
        reward: beta over its value for Gaussian samples, a buffer.
        errors: running means of the squared errors of one sample and of the mean of all.
    """

    config: DeviationRewardConfig
    reward: Tensor
    errors: Tensor

    def __init__(self, discriminator: nn.Module, config: DeviationRewardConfig) -> None:
        super().__init__(discriminator, config)
        self.register_buffer("reward", torch.ones(()))
        self.register_buffer("errors", torch.zeros(2))

    def terms(self, condition: Tensor, image: Tensor, samples: Tensor) -> dict[str, Tensor]:
        config = self.config
        self.steer(image, samples.detach())
        beta = self.reward.item() * calibrated_reward(config.samples)
        return {
            "mean": config.reconstruction * mean_l1(image, samples),
            "deviation": -config.reconstruction * beta * deviation(samples),
        }

    @torch.no_grad()
    def steer(self, image: Tensor, samples: Tensor) -> None:
        """Move beta by the distance, in decibels, of the samples' gain by averaging to a calibrated one."""
        one = (samples - image.unsqueeze(1)).square().mean()
        together = (samples.mean(dim=1) - image).square().mean()
        found = mean_of_all(torch.stack([one, together]))
        self.errors.copy_(REMEMBERED * self.errors + (1 - REMEMBERED) * found if self.errors.any() else found)
        gain = 10 * torch.log10(self.errors[0] / self.errors[1].clamp(min=1e-12))
        wanted = 10 * math.log10(calibrated_gain(samples.shape[1]))
        self.reward.add_(self.config.reward_rate * (wanted - gain)).clamp_(min=0)


class DeviationRewardConfig(MomentReconstructionConfig):
    summary: ClassVar[str] = "a discriminator; the mean of P samples is near the image, and their deviation rewarded"

    kind: Literal["deviation_reward"] = "deviation_reward"  # type: ignore[assignment]
    moments: Literal[0] = 0
    samples: int = Field(2, ge=2, description="P: samples per condition")
    share: float = Field(1.0, gt=0, le=1, description="share of the batch for which P samples are drawn")
    reconstruction: float = Field(100.0, gt=0, description="lambda: weight of the mean and of the reward")
    reward_rate: float = Field(0.005, ge=0, description="change of the reward per update and decibel; 0: it stays")

    def indivisible(self) -> str | None:
        return "its reward is steered by the errors of the whole batch"

    def refusal(self, method: Method) -> str | None:
        if not method.randomness.has_code:
            return "a deviation needs samples that differ; without randomness they are all the same"
        return super().refusal(method)

    def build(self, shapes: Shapes, opposite: Opposite) -> DeviationReward:
        return DeviationReward(self.judge_of(shapes) if self.adversarial else nn.Identity(), self)
