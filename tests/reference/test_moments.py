"""Moment reconstruction against torch.distributions, numpy and the paper's own form of its gradient device."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Laplace, Normal

from variegate.data.streets.factors import FACTORS
from variegate.data.streets.streets import Streets, paint, pick
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


VARIANCES = torch.linspace(0, 0.12, 61)  # of which the best is sought, for a predicted variance of 0.06


def best_variance(losses: Callable[[Tensor], Tensor], samples: int, draws: int = 60_000) -> float:
    """The variance of K samples of one pixel at which the mean loss is smallest; the same noise for all variances."""
    noise = torch.randn(draws, samples, 1, 1, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    means = [float(losses(0.3 + noise * math.sqrt(variance)).mean()) for variance in VARIANCES]
    return float(VARIANCES[int(np.argmin(means))])


@pytest.mark.parametrize(("samples", "first", "second"), [(8, 10, 10), (24, 10, 10), (8, 10, 100), (4, 750, 187.5)])
def test_squared_errors_of_moments_are_smallest_at_too_small_a_variance(
    samples: int, first: float, second: float
) -> None:
    predicted = m.Moments(torch.full((1, 1, 1, 1), 0.3), torch.full((1, 1, 1, 1), 0.06))
    assert predicted.dispersion is not None

    def losses(drawn: Tensor) -> Tensor:
        one, two = m.proxy_reconstruction("gaussian", predicted, drawn)
        assert two is not None
        return first * one + second * two

    formula = float(m.optimal_variance(predicted.dispersion, samples, first, second))
    assert formula < 0.056
    assert best_variance(losses, samples) == pytest.approx(formula, abs=0.0025)


@pytest.mark.parametrize("samples", [4, 8])
def test_products_of_halves_are_smallest_at_the_predicted_variance(samples: int) -> None:
    predicted = m.Moments(torch.full((1, 1, 1, 1), 0.3), torch.full((1, 1, 1, 1), 0.06))

    def losses(drawn: Tensor) -> Tensor:
        one, two = m.proxy_reconstruction("gaussian", predicted, drawn, unbiased=True)
        assert two is not None
        return one + two

    assert best_variance(losses, samples, 200_000) == pytest.approx(0.06, abs=0.005)


@pytest.mark.parametrize("samples", [6, 12])
def test_the_likelihood_of_images_is_highest_at_too_large_a_variance(samples: int) -> None:
    """MR2: s^2 (K - 1) / (K - 3), where images have the variance s^2 = 0.03."""
    image = (
        0.3 + torch.randn(60_000, 1, 1, 1, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 0.03**0.5
    )
    best = best_variance(lambda drawn: m.moment_reconstruction_2("gaussian", image, drawn), samples)
    assert best == pytest.approx(0.03 * (samples - 1) / (samples - 3), abs=0.003)


def test_the_ratios_of_docs_benchmarks_are_those_of_drawn_streets() -> None:
    """Variance at which weights of 10 and 10 are best, over the true one: 24 layouts, 256 looks of each."""
    streets, random = Streets((32, 32), 24), np.random.default_rng(0)
    looks = [
        [paint(streets.layout(i), {f.name: pick(f, float(random.random())) for f in FACTORS}, k) for k in range(256)]
        for i in range(24)
    ]
    variance = torch.stack([(torch.stack(own).float() / 127.5 - 1).var(dim=0) for own in looks])
    for samples, told in ((8, 0.473), (10, 0.553), (24, 0.786)):
        best = m.optimal_variance(variance, samples, 10, 10)
        assert float(best.mean() / variance.mean()) == pytest.approx(told, abs=0.005)
