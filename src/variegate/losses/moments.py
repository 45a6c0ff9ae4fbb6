"""Moment reconstruction (Lee, Ha, Kim: Harmonizing maximum likelihood with GANs, ICLR 2019), by equation number.

Samples are (B, S, C, H, W), S for each of B conditions; real images and predicted moments are (B, C, H, W). Every loss
is a map (B, C, H, W), so that the caller can average it over all pixels or over a hole. Two families: Gaussian with
mean and variance, Laplace with median and mean absolute deviation. "Dispersion" is the second of either pair.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

Family = Literal["gaussian", "laplace"]
EPSILON = 1e-9  # keeps logarithms and divisions finite where all samples agree


class Moments(NamedTuple):
    """A centre and, if requested, a dispersion; both (B, C, H, W)."""

    centre: Tensor
    dispersion: Tensor | None


def gaussian_mle(image: Tensor, mean: Tensor, log_variance: Tensor, min_noise: float = 0.0) -> Tensor:
    """(7): (y - mu)^2 / (2 sigma^2) + (1/2) log sigma^2, with `min_noise` added to the square."""
    return ((image - mean).square() + min_noise) / (2 * log_variance.exp()) + log_variance / 2


def laplace_mle(image: Tensor, median: Tensor, log_deviation: Tensor, min_noise: float = 0.0) -> Tensor:
    """(8): |y - m| / b + log b, with `min_noise` added to the absolute error."""
    return ((image - median).abs() + min_noise) / log_deviation.exp() + log_deviation


def mle(family: Family, image: Tensor, centre: Tensor, log_dispersion: Tensor, min_noise: float = 0.0) -> Tensor:
    """(7) or (8), by family."""
    return (gaussian_mle if family == "gaussian" else laplace_mle)(image, centre, log_dispersion, min_noise)


def median(samples: Tensor) -> Tensor:
    """Median over S; for even S the mean of the middle two, where `torch.median` would take the lower one."""
    ordered, count = samples.sort(dim=1).values, samples.shape[1]
    return (ordered[:, (count - 1) // 2] + ordered[:, count // 2]) / 2


def gaussian_moments(samples: Tensor, both: bool = True) -> Moments:
    """(9): the sample mean and the variance over S - 1.

    Raises:
        ValueError: one sample has no variance.
    """
    if not both:
        return Moments(samples.mean(dim=1), None)
    if samples.shape[1] < 2:
        raise ValueError("the variance of 1 sample is undefined; draw at least 2")
    variance, mean = torch.var_mean(samples, dim=1, correction=1)
    return Moments(mean, variance)


def laplace_moments(samples: Tensor, both: bool = True) -> Moments:
    """(9): the sample median and the mean absolute deviation from it, over S.

    The gradient of a median reaches only one or two samples; here that of the centre is spread equally over all S (the
    paper's technique). The deviation keeps the median's own gradient, as in the released code.
    """
    true, mean = median(samples), samples.mean(dim=1)
    centre = mean + (true - mean).detach()
    return Moments(centre, (samples - true.unsqueeze(1)).abs().mean(dim=1) if both else None)


def moments(family: Family, samples: Tensor, both: bool = True) -> Moments:
    """(9), without the dispersion unless `both`."""
    return (gaussian_moments if family == "gaussian" else laplace_moments)(samples, both)


def moment_reconstruction_1(family: Family, image: Tensor, samples: Tensor) -> Tensor:
    """(11), MR1: (y - mu~)^2, or |y - m~|."""
    error = image - moments(family, samples, both=False).centre
    return error.square() if family == "gaussian" else error.abs()


def moment_reconstruction_2(family: Family, image: Tensor, samples: Tensor, min_noise: float = 0.0) -> Tensor:
    """(10), MR2: the likelihood (7) or (8) of the real image under the moments of the samples."""
    centre, dispersion = moments(family, samples)
    assert dispersion is not None
    return mle(family, image, centre, (dispersion + EPSILON).log(), min_noise)


def proxy_reconstruction(
    family: Family, predicted: Moments, samples: Tensor, unbiased: bool = False
) -> tuple[Tensor, Tensor | None]:
    """(12), proxy MR: squared errors of the centre and, if the prediction has one (pMR2), of the dispersion.

    In both families the errors are squared, and the dispersion is a variance (Gaussian) or a deviation (Laplace), never
    a logarithm.

    Args:
        unbiased: not the paper's. The moments of K samples are noisy, and a square counts their noise as error, which
            less variance avoids; see `optimal_variance`. Here a square is the product of the errors of two independent
            halves of the samples, in which the noise averages to zero.
    """
    halves = samples.tensor_split(2, dim=1) if unbiased else (samples,)
    drawn = [moments(family, half, both=predicted.dispersion is not None) for half in halves]
    first = product([predicted.centre - half.centre for half in drawn])
    if predicted.dispersion is None:
        return first, None
    return first, product([predicted.dispersion - half.dispersion for half in drawn if half.dispersion is not None])


def product(errors: list[Tensor]) -> Tensor:
    """The square of one error, or the product of two."""
    return errors[0].square() if len(errors) == 1 else errors[0] * errors[1]


def optimal_variance(predicted: Tensor, samples: int, first: float, second: float) -> Tensor:
    """The variance of samples for which the expectation of Gaussian proxy MR2 is smallest, below the predicted one.

    K independent normal samples of the right mean have

        E[first (mu - mean)^2 + second (s^2 - variance)^2] = first v / K + second ((s^2 - v)^2 + 2 v^2 / (K - 1)),

    which is smallest at v = max(0, 2 s^2 - first / (second K)) / (2 + 4 / (K - 1)).

    Args:
        predicted: s^2 of any shape, of images in [-1, 1].
        samples: K, at least 2.
        first, second: weights of the centre and of the dispersion, above 0.
    """
    return (2 * predicted - first / (second * samples)).clamp(min=0) / (2 + 4 / (samples - 1))
