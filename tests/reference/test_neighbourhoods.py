"""Precision, recall, density, coverage and Vendi scores equal their authors' packages, and mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from variegate.core.errors import DataError
from variegate.evaluation.metrics import neighbourhoods as module
from variegate.evaluation.metrics.neighbourhoods import (
    Distances,
    clipped,
    expected_coverage,
    few,
    neighbourhoods,
    vendi,
)

pytestmark = pytest.mark.core


def features(count: int, shift: float = 0.0, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(shift, 1, (count, 12)))


@pytest.mark.parametrize(("real", "fake", "shift", "k"), [(80, 60, 0.0, 5), (60, 90, 0.8, 3), (70, 70, 9.0, 5)])
def test_neighbourhoods_are_those_of_the_authors(real: int, fake: int, shift: float, k: int) -> None:
    prdc = pytest.importorskip("prdc")
    one, two = features(real), features(fake, shift, 1)
    theirs = prdc.compute_prdc(one.numpy(), two.numpy(), nearest_k=k)
    assert neighbourhoods(Distances.of(one, two), k) == pytest.approx(
        {name: float(value) for name, value in theirs.items()}, abs=1e-12
    )


@pytest.mark.parametrize("count", [2, 7, 40])
def test_vendi_scores_are_those_of_the_authors(count: int) -> None:
    package = pytest.importorskip("vendi_score.vendi")
    own = features(count)
    theirs = package.score_X(own.numpy(), normalize=True)
    assert vendi(own) == pytest.approx(float(theirs), rel=1e-6)


def test_equal_images_are_worth_one_and_unrelated_ones_as_many_as_they_are() -> None:
    assert vendi(features(1).expand(6, -1)) == pytest.approx(1)
    assert vendi(torch.eye(6)) == pytest.approx(6)
    assert vendi(torch.eye(3).repeat(2, 1)) == pytest.approx(3)


def test_copies_are_inside_and_a_single_mode_covers_little() -> None:
    real = torch.cat([features(40, 0.0), features(40, 50.0, 1)])
    same = neighbourhoods(Distances.of(real, real))
    assert min(same.values()) >= 1 - 1e-9
    mode = neighbourhoods(Distances.of(real, features(80, 0.0, 2)))
    assert mode["precision"] > 0.8
    assert mode["recall"] <= 0.5
    assert mode["coverage"] <= 0.5
    far = neighbourhoods(Distances.of(real, features(80, 500.0, 2)))
    assert far == {"precision": 0.0, "recall": 0.0, "density": 0.0, "coverage": 0.0}


def test_sets_are_bounded_by_the_seed_and_too_few_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 10)
    own = features(30)
    assert torch.equal(few(own, 3), few(own, 3))
    assert not torch.equal(few(own, 3), few(own, 4))
    assert len(few(own, 0)) == 10
    with pytest.raises(DataError, match="need more than 5 images in each set, got 4"):
        neighbourhoods(Distances.of(own, features(4)))


def slow_clipped(real: Tensor, fake: Tensor, k: int) -> dict[str, float]:
    """Salvy et al. 2025 as written, image by image."""
    apart = np.linalg.norm(real[:, None] - real[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    reach = np.sort(apart, axis=1)[:, k - 1]
    balls, to_fake = np.minimum(reach, np.median(reach)), np.linalg.norm(real[:, None] - fake[None], axis=2)
    density = np.mean([min(1, sum(to_fake[:, j] <= balls) / k) for j in range(len(fake))])
    own = np.mean([min(1, sum(apart[:, j] <= balls) / k) for j in range(len(real))])
    coverage = np.mean([min(k, sum(to_fake[i] < reach[i])) / k for i in range(len(real))])
    expected = [0.0]
    for good in range(1, len(fake) + 1):
        chances = scipy.stats.betabinom(good, k, len(real) - k).pmf(np.arange(good + 1))
        expected.append(float(np.minimum(np.arange(good + 1), k) @ chances / k))
    return {
        "clipped_density": min(1.0, float(density / own)),
        "clipped_coverage": float(np.searchsorted(expected, coverage) / len(expected)),
    }


@pytest.mark.parametrize(("real", "fake", "shift", "k"), [(80, 60, 0.0, 5), (61, 90, 0.8, 3), (70, 70, 9.0, 5)])
def test_clipped_density_and_coverage_are_the_papers_written_out_since_no_small_package_has_them(
    real: int, fake: int, shift: float, k: int
) -> None:
    one, two = features(real), features(fake, shift, 1)
    assert clipped(Distances.of(one, two), k) == pytest.approx(slow_clipped(one, two, k), abs=1e-6)


@pytest.mark.parametrize("good", [0.25, 0.5, 0.75, 1.0])
def test_clipped_density_and_coverage_are_the_share_of_good_samples(good: float) -> None:
    rng = np.random.default_rng(0)
    real = torch.from_numpy(rng.normal(size=(1500, 4)))
    count = round(1500 * good)
    fake = torch.cat([torch.from_numpy(rng.normal(size=(count, 4))), torch.full((1500 - count, 4), 99.0).double()])
    assert clipped(Distances.of(real, fake)) == pytest.approx(
        {"clipped_density": good, "clipped_coverage": good}, abs=0.08
    )


def test_expected_coverage_rises_from_none_to_nearly_all() -> None:
    expected = expected_coverage(100, 2000, 5)
    assert float(expected[0]) == pytest.approx(0, abs=1e-12)
    assert bool((expected.diff() > 0).all())
    assert 0.99 < float(expected[-1]) < 1
