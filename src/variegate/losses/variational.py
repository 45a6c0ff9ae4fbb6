"""Variational terms for encoders that map an image to a Gaussian code."""

from __future__ import annotations

from torch import Tensor


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mu, sigma^2) || N(0, I)) = -(1/2) sum (1 + log sigma^2 - mu^2 - sigma^2); means and log-variances (B, D).

    A sum over the batch and all dimensions, as in BicycleGAN's code (Zhu et al., NIPS 2017), so its weight depends on
    both.
    """
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()
