"""The regularisation of rcGAN (Bendel, Ahmad, Schniter, NeurIPS 2023): the mean of P samples, and a reward for spread.

Samples are (B, P, C, H, W), real images (B, C, H, W).
"""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F


def mean_l1(image: Tensor, samples: Tensor) -> Tensor:
    """L1 distance of the image and the mean of its samples."""
    return F.l1_loss(samples.mean(dim=1), image)


def deviation(samples: Tensor) -> Tensor:
    """Standard deviation of Gaussian samples by their mean absolute deviation, averaged over all values.

    sqrt(pi / (2 P (P - 1))) sum_i |x_i - mean|, whose expectation is that of one value's standard deviation.
    """
    count = samples.shape[1]
    gaps = (samples - samples.mean(dim=1, keepdim=True)).abs().sum(dim=1)
    return math.sqrt(math.pi / (2 * count * (count - 1))) * gaps.mean()


def calibrated_reward(count: int) -> float:
    """The weight of `deviation` with which Gaussian samples get the true mean and deviation, if P samples are drawn."""
    return math.sqrt(2 / (math.pi * count * (count + 1)))


def calibrated_gain(count: int) -> float:
    """2P / (P + 1): squared error of one sample over that of the mean of P, if samples are distributed as images."""
    return 2 * count / (count + 1)
