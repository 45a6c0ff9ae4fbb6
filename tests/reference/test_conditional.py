"""Conditional Fréchet distance and Vendi scores, against their formulas written out; no package has them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from variegate.core.errors import DataError
from variegate.evaluation.metrics import conditional as module
from variegate.evaluation.metrics.conditional import (
    conditional_frechet,
    conditional_vendi,
    embed_conditions,
    frechet_metrics,
    vendi_metrics,
)
from variegate.evaluation.metrics.extractors import Extractor
from variegate.evaluation.metrics.features import Features
from variegate.evaluation.metrics.frechet import frechet_distance
from variegate.evaluation.metrics.neighbourhoods import vendi

pytestmark = pytest.mark.core


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def papers_formula(x: Tensor, y: Tensor, drawn: Tensor) -> float:
    """Soloveitchik et al. 2021, equation 11, for the same conditions in both sets."""

    def covariance(a: Tensor, b: Tensor) -> np.ndarray:
        first, second = (one.numpy() - one.numpy().mean(axis=0) for one in (a, b))
        return first.T @ second / (len(first) - 1)

    inverse = np.linalg.inv(covariance(x, x))
    of_y, of_drawn = covariance(y, x), covariance(drawn, x)
    left_y = covariance(y, y) - of_y @ inverse @ of_y.T
    left_drawn = covariance(drawn, drawn) - of_drawn @ inverse @ of_drawn.T
    root = scipy.linalg.sqrtm(left_y)
    gap = of_y - of_drawn
    apart = float(np.square(y.numpy().mean(axis=0) - drawn.numpy().mean(axis=0)).sum())
    both = np.trace(left_y + left_drawn - 2 * scipy.linalg.sqrtm(root @ left_drawn @ root).real)
    return apart + float(np.trace(gap @ inverse @ gap.T)) + float(both)


def test_conditional_frechet_distance_is_the_papers_formula() -> None:
    x, mixing = normal(4000, 3), normal(3, 5, seed=1)
    y = x @ mixing + normal(4000, 5, seed=2)
    drawn = x @ (1.5 * mixing) + 0.5 * normal(4000, 5, seed=3) + 0.2
    expected = papers_formula(x, y, drawn)
    # the paper divides the mean of squares by n - 1, an expectation by n
    assert conditional_frechet(x, y, x, drawn) == pytest.approx(expected, rel=1e-3)


def test_it_sees_what_the_plain_distance_cannot_images_of_other_conditions() -> None:
    x, noise = normal(500, 2), normal(500, 4, seed=1)
    mixing = normal(2, 4, seed=2)
    y, other = x @ mixing + noise, x.flip(0) @ mixing + noise
    plain, given = frechet_distance(y, other), conditional_frechet(x, y, x, other)
    assert conditional_frechet(x, y, x, y) == pytest.approx(0, abs=1e-6)
    assert given > 20 * max(plain, 0.05)


def test_conditional_vendi_of_distant_conditions_is_the_geometric_mean_of_their_own() -> None:
    features = normal(30, 8)
    groups = torch.arange(3).repeat_interleave(10)
    within, between = conditional_vendi(features, 1e6 * torch.eye(3).double()[groups])
    own = torch.tensor([vendi(features[groups == group]) for group in range(3)])
    # at the median distance the Gaussian is exp(-2), not 0
    assert float(own.log().mean().exp()) == pytest.approx(within, rel=0.15)
    assert within * between == pytest.approx(vendi(features), rel=1e-9)


def test_information_vendi_is_one_if_images_do_not_depend_on_their_condition() -> None:
    features = normal(10, 6).repeat(4, 1)  # the same ten images for each of four conditions
    conditions = torch.eye(4).double().repeat_interleave(10, dim=0)
    within, between = conditional_vendi(features, conditions)
    assert between == pytest.approx(1, abs=1e-6)
    assert within == pytest.approx(vendi(features[:10]), rel=1e-6)


def test_conditions_that_are_few_or_all_the_same_are_said_to_be() -> None:
    network = Extractor(torch.nn.Identity(), "none", 6, "features", "none", {}, ("torch",))
    features = Features(normal(40, 6), (16, 16))
    pictures = torch.randint(0, 256, (20, 3, 16, 16), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    with pytest.raises(DataError, match="at least 10 conditions, got 4"):
        frechet_metrics(features, pictures, features, pictures[:4], network)
    with pytest.raises(DataError, match="look the same"):
        conditional_vendi(features.values, embed_conditions(pictures[:1]).expand(40, -1))
    [found] = frechet_metrics(features, torch.cat([pictures, pictures.flip(0)]), features, pictures, network).values()
    assert (found.protocol.name, found.protocol.samples) == ("conditional_frechet_none", 2)
    assert set(vendi_metrics(features, pictures, network)) == {"conditional_vendi_none", "information_vendi_none"}


def test_vendi_scores_of_very_many_samples_are_of_the_first_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 12)
    network = Extractor(torch.nn.Identity(), "none", 6, "features", "none", {}, ("torch",))
    pictures = torch.randint(0, 256, (10, 3, 8, 8), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    features = normal(40, 6)
    some = vendi_metrics(Features(features, (8, 8)), pictures, network)
    first = vendi_metrics(Features(features[:12], (8, 8)), pictures[:3], network)
    assert {name: one.value for name, one in some.items()} == {name: one.value for name, one in first.items()}
    assert some["conditional_vendi_none"].n == 3
