"""Mixtures of discretised logistic distributions against scipy's logistic distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp, softmax
from scipy.stats import logistic

from variegate.networks.pixelcnn.mixture_head import MixtureHead, rows

pytestmark = pytest.mark.core


@pytest.mark.parametrize("levels", [4, 256])
def test_the_odds_of_levels_are_differences_of_scipys_distribution_function(levels: int) -> None:
    torch.manual_seed(0)
    head, components = MixtureHead(6, 6, 3, levels, 4).double(), 4
    numbers, before = torch.randn(5, head.numbers).double() * 2, torch.rand(2, 5).double() * 2 - 1
    found = head.level_logits(numbers, before)
    weights, means, scales, *coefficients = numbers.view(5, -1, components).unbind(1)
    means = sum((torch.tanh(c) * shade[:, None] for c, shade in zip(coefficients, before)), means).numpy()
    bounds = np.concatenate([[-np.inf], (np.arange(levels - 1) + 0.5) * 2 / (levels - 1) - 1, [np.inf]])
    spread = logistic.cdf(bounds[:, None, None], means, np.exp(scales.numpy()))  # (levels + 1, 5, K)
    expected = (softmax(weights.numpy(), axis=1) * np.diff(spread, axis=0)).sum(axis=2).T
    np.testing.assert_allclose(found.exp(), expected, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(logsumexp(found, axis=1), 0, atol=1e-12)


def test_what_is_far_from_every_component_has_a_finite_likelihood_and_slope() -> None:
    head = MixtureHead(3, 3, 1, 256, 2)
    numbers = torch.zeros(2, head.numbers).view(2, 3, 2)
    numbers[:, 1], numbers[:, 2] = 0.9, -20.0  # as steep as it gets
    numbers.requires_grad_()
    found = head.log_prob(head.mixture(numbers.flatten(1), torch.zeros(0, 2)), torch.tensor([[3.0], [100.0]]))
    found.sum().backward()
    assert numbers.grad is not None
    assert bool(found.isfinite().all() and numbers.grad.isfinite().all())
    assert float(found.detach().max()) < -100


def test_likelihood_and_logits_agree_and_the_first_means_cover_the_range() -> None:
    torch.manual_seed(0)
    head = MixtureHead(6, 6, 3, 16, 5)
    head.start()
    maps, shades = torch.randn(2, 6, 3, 4), torch.rand(2, 3, 3, 4) * 2 - 1
    level = torch.randint(16, (2, 3, 3, 4))
    logits = head(maps, shades)
    assert logits.shape == (2, 3, 16, 3, 4)
    torch.testing.assert_close(head.nats(maps, shades, level), -logits.gather(2, level[:, :, None])[:, :, 0])
    first = head.mixture(rows(head.last(torch.zeros_like(maps))[:, 0]), torch.zeros(0, 24))
    assert first.means[0].diff().min() > 0.1
    bits = float(-logits.detach().mean() / math.log(2))
    assert 3 < bits < 6, "no level is far from likely at first"
