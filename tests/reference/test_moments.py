"""Moment reconstruction against torch.distributions, numpy and the paper's own form of its gradient device."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Laplace, Normal

from variegate.losses import moments as m


def draws(samples: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(2, samples, 3, 4, 5, generator=stream), torch.randn(2, 3, 4, 5, generator=stream)


def test_likelihoods_are_densities_up_to_their_constants() -> None:
    _, image = draws(2)
    centre, log_dispersion = torch.randn_like(image), torch.randn_like(image) / 3
    gaussian = -Normal(centre, (log_dispersion / 2).exp()).log_prob(image) - math.log(2 * math.pi) / 2
    laplace = -Laplace(centre, log_dispersion.exp()).log_prob(image) - math.log(2)
    torch.testing.assert_close(m.gaussian_mle(image, centre, log_dispersion), gaussian)
    torch.testing.assert_close(m.laplace_mle(image, centre, log_dispersion), laplace)


def test_min_noise_joins_the_error_before_it_is_divided() -> None:
    _, image = draws(2)
    zero = torch.zeros_like(image)
    torch.testing.assert_close(m.mle("gaussian", image, image, zero + math.log(4), 0.08), zero + 0.01 + math.log(2))
    torch.testing.assert_close(m.mle("laplace", image, image, zero + math.log(4), 0.08), zero + 0.02 + math.log(4))


@given(samples=st.integers(1, 13), seed=st.integers(0, 99))
def test_the_median_is_numpys(samples: int, seed: int) -> None:
    drawn, _ = draws(samples, seed)
    np.testing.assert_allclose(m.median(drawn), np.median(drawn, axis=1), rtol=1e-6)


@given(samples=st.integers(2, 13), seed=st.integers(0, 99))
def test_sample_moments_are_numpys(samples: int, seed: int) -> None:
    drawn, _ = draws(samples, seed)
    array = drawn.numpy()
    mean, variance = m.moments("gaussian", drawn)
    np.testing.assert_allclose(mean, array.mean(axis=1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(variance, array.var(axis=1, ddof=1), rtol=1e-4, atol=1e-6)
    centre, deviation = m.moments("laplace", drawn)
    median = np.median(array, axis=1)
    np.testing.assert_allclose(centre, median, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(deviation, np.abs(array - median[:, None]).mean(axis=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("samples", [2, 9, 10])
@pytest.mark.parametrize("squared", [True, False])
def test_the_medians_gradient_is_that_of_the_papers_target_for_every_sample(samples: int, squared: bool) -> None:
    """target_k = y_k + (reference - median), held constant; the loss of every sample against its target, averaged."""
    drawn, reference = draws(samples)
    error = torch.square if squared else torch.abs
    ours = drawn.clone().requires_grad_()
    error(reference - m.laplace_moments(ours, both=False).centre).sum().backward()
    theirs = drawn.clone().requires_grad_()
    target = (theirs + (reference - m.median(theirs)).unsqueeze(1)).detach()
    error(target - theirs).mean(dim=1).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    assert bool((ours.grad[:, :1] == ours.grad).all()), "spread equally"


def test_first_order_losses_are_those_of_the_centre() -> None:
    drawn, image = draws(4)
    torch.testing.assert_close(
        m.moment_reconstruction_1("gaussian", image, drawn), (image - drawn.mean(1)) ** 2, rtol=1e-4, atol=1e-6
    )
    torch.testing.assert_close(
        m.moment_reconstruction_1("laplace", image, drawn), (image - m.median(drawn)).abs(), rtol=1e-4, atol=1e-6
    )


def test_second_order_losses_are_likelihoods_under_the_samples_moments() -> None:
    drawn, image = draws(6)
    expected = -Normal(drawn.mean(1), drawn.std(1)).log_prob(image) - math.log(2 * math.pi) / 2
    torch.testing.assert_close(m.moment_reconstruction_2("gaussian", image, drawn), expected, rtol=1e-4, atol=1e-5)
    median = m.median(drawn)
    deviation = (drawn - median.unsqueeze(1)).abs().mean(1)
    expected = -Laplace(median, deviation).log_prob(image) - math.log(2)
    torch.testing.assert_close(m.moment_reconstruction_2("laplace", image, drawn), expected, rtol=1e-4, atol=1e-5)


def test_equal_samples_give_a_large_but_finite_likelihood_and_gradient() -> None:
    _, image = draws(2)
    drawn = torch.zeros(2, 4, 3, 4, 5, requires_grad=True)
    for family in ("gaussian", "laplace"):
        loss = m.moment_reconstruction_2(family, image, drawn, min_noise=0.01).mean()
        assert bool(loss.isfinite())
        assert bool(torch.autograd.grad(loss, drawn)[0].isfinite().all())


@pytest.mark.parametrize("family", ["gaussian", "laplace"])
def test_the_proxy_compares_moments_with_moments(family: m.Family) -> None:
    drawn, centre = draws(5)
    dispersion = centre.abs() + 0.1
    own = m.moments(family, drawn)
    first, second = m.proxy_reconstruction(family, m.Moments(centre, dispersion), drawn)
    torch.testing.assert_close(first, (centre - own.centre) ** 2)
    torch.testing.assert_close(second, (dispersion - own.dispersion) ** 2)
    first, second = m.proxy_reconstruction(family, m.Moments(centre, None), drawn)
    assert second is None
    torch.testing.assert_close(first, (centre - own.centre) ** 2)


def test_one_sample_has_no_variance() -> None:
    drawn, image = draws(1)
    with pytest.raises(ValueError, match="draw at least 2"):
        m.moment_reconstruction_2("gaussian", image, drawn)
    assert m.moment_reconstruction_1("gaussian", image, drawn).shape == image.shape
