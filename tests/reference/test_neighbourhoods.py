"""Precision, recall, density, coverage and Vendi scores equal their authors' packages, and mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from variegate.core.errors import DataError
from variegate.evaluation import neighbourhoods as module
from variegate.evaluation.neighbourhoods import few, neighbourhoods, vendi

pytestmark = pytest.mark.core


def features(count: int, shift: float = 0.0, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(shift, 1, (count, 12)))


@pytest.mark.parametrize(("real", "fake", "shift", "k"), [(80, 60, 0.0, 5), (60, 90, 0.8, 3), (70, 70, 9.0, 5)])
def test_neighbourhoods_are_those_of_the_authors(
    real: int, fake: int, shift: float, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    prdc = pytest.importorskip("prdc")
    monkeypatch.setattr(module, "CHUNK", 32)
    one, two = features(real), features(fake, shift, 1)
    theirs = prdc.compute_prdc(one.numpy(), two.numpy(), nearest_k=k)
    assert neighbourhoods(one, two, k) == pytest.approx(
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
    same = neighbourhoods(real, real)
    assert min(same.values()) >= 1 - 1e-9
    mode = neighbourhoods(real, features(80, 0.0, 2))
    assert mode["precision"] > 0.8
    assert mode["recall"] <= 0.5
    assert mode["coverage"] <= 0.5
    far = neighbourhoods(real, features(80, 500.0, 2))
    assert far == {"precision": 0.0, "recall": 0.0, "density": 0.0, "coverage": 0.0}


def test_sets_are_bounded_by_the_seed_and_too_few_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 10)
    own = features(30)
    assert torch.equal(few(own, 3), few(own, 3))
    assert not torch.equal(few(own, 3), few(own, 4))
    assert len(few(own, 0)) == 10
    with pytest.raises(DataError, match="need more than 5 images in each set, got 4"):
        neighbourhoods(own, features(4))
