"""Calibration: what a true distribution scores, how others differ, and scores by their definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from variegate.core.errors import DataError
from variegate.core.images import to_float
from variegate.data.streets.streets import Streets, draw_factors, paint
from variegate.evaluation.metrics.calibration import (
    Calibration,
    averaging_gain,
    calibration,
    calibration_metrics,
    fair_crps,
    fair_energy_score,
    ranks_of,
)

pytestmark = pytest.mark.core
S = 6


def gaussian(scale: float = 1.0, shift: float = 0.0, conditions: int = 40) -> Calibration:
    """Truth of deviation 0.1 around a mean of its own; samples around it with another deviation and mean."""
    rng = torch.Generator().manual_seed(0)
    mean = torch.rand(conditions, 1, 3, 8, 8, generator=rng) - 0.5
    noise = 0.1 * torch.randn(conditions, S + 1, 3, 8, 8, generator=rng)
    return calibration([(mean + shift + scale * noise[:, 1:], (mean + noise[:, :1])[:, 0])])


def test_the_true_distribution_is_calibrated() -> None:
    found = gaussian()
    assert found.samples == S
    assert found.gain() == pytest.approx(1, abs=0.03)
    assert found.spread_over_error() == pytest.approx(1, abs=0.03)
    assert found.inside(0.5) == pytest.approx(0.5, abs=0.02)
    assert found.inside(0.9) == pytest.approx(0.9, abs=0.02)
    assert found.inside(1.0) == pytest.approx(1)
    assert found.rank_error() < 0.02
    assert found.words().startswith("About as uncertain as it should be: samples vary 1")


@pytest.mark.parametrize(("scale", "word"), [(0.3, "Too certain"), (2.0, "Too uncertain")])
def test_too_narrow_and_too_wide_samples_are_told_apart(scale: float, word: str) -> None:
    found, true = gaussian(scale), gaussian()
    narrow = scale < 1
    for measure in ("gain", "spread_over_error"):
        assert (getattr(found, measure)() < 0.9) == narrow
        assert (getattr(found, measure)() > 1.1) != narrow
    assert (found.inside(0.5) < 0.4) == narrow
    assert (found.inside(0.5) > 0.6) != narrow
    assert found.rank_error() > 0.15
    assert found.words().startswith(word)
    for scores in ("crps", "energy"):
        assert np.mean(getattr(found, scores)) > np.mean(getattr(true, scores)), "nothing scores better than the truth"


def test_a_wrong_mean_shows_in_the_ranks_and_scores() -> None:
    found, true = gaussian(shift=0.1), gaussian()
    assert found.ranks[0] > 2 * found.ranks[-1]
    assert np.mean(found.crps) > np.mean(true.crps)


def test_one_image_for_all_codes_is_as_far_from_calibrated_as_can_be() -> None:
    found = gaussian(scale=0.0)
    assert found.gain() == pytest.approx((S + 1) / (2 * S), abs=1e-6)
    assert found.spread_over_error() == 0
    assert found.ranks[1:-1].sum() == 0
    assert (
        "0% of the real values lie between the lowest and the highest of 6 samples, where 71% should" in found.words()
    )


def test_streets_painted_anew_are_calibrated_to_streets() -> None:
    rng, streets, batches = np.random.default_rng(0), Streets((16, 16), 150, split="test"), []
    for i in range(150):
        layout = streets.layout(i)
        drawn = torch.stack([paint(layout, draw_factors(rng), seed=j) for j in range(S)])
        batches.append((to_float(drawn)[None], to_float(streets.image(i))[None]))
    found = calibration(batches)
    assert found.gain() == pytest.approx(1, abs=0.08)
    assert found.spread_over_error() == pytest.approx(1, abs=0.08)
    assert found.rank_error() < 0.08
    assert found.inside(0.5) == pytest.approx(0.5, abs=0.05)


def test_scores_are_those_of_their_definition() -> None:
    rng = torch.Generator().manual_seed(1)
    x, y = torch.randn(S, 5, generator=rng).double(), torch.randn(1, 5, generator=rng).double()
    pairs = [(i, j) for i in range(S) for j in range(S) if i != j]

    def fair(distance: list[Tensor], between: list[Tensor]) -> Tensor:
        return torch.stack(distance).mean(dim=0) - torch.stack(between).sum(dim=0) / (2 * S * (S - 1))

    expected = fair([(one - y[0]).abs() for one in x], [(x[i] - x[j]).abs() for i, j in pairs])
    torch.testing.assert_close(fair_crps(x, y), expected)
    norms = fair([(one - y[0]).norm() for one in x], [(x[i] - x[j]).norm() for i, j in pairs])
    torch.testing.assert_close(fair_energy_score(x, y), norms)
    torch.testing.assert_close(fair_energy_score(x[:, :1], y[:, :1]), fair_crps(x, y)[0])


def test_the_fair_crps_is_that_of_a_normal_distribution_whatever_the_number_of_samples() -> None:
    rng = torch.Generator().manual_seed(2)
    y = torch.tensor([[0.7]]).double()
    cdf, density = 0.5 * (1 + math.erf(0.7 / math.sqrt(2))), math.exp(-0.245) / math.sqrt(2 * math.pi)
    exact = 0.7 * (2 * cdf - 1) + 2 * density - 1 / math.sqrt(math.pi)
    for count in (2, 5):
        x = torch.randn(count, 200_000, generator=rng).double()
        assert float(fair_crps(x, y.expand(1, 200_000)).mean()) == pytest.approx(exact, abs=0.005)


def test_ties_share_their_ranks() -> None:
    x = torch.tensor([[1.0, 5.0], [1.0, 5.0], [2.0, 5.0]])
    assert ranks_of(x, torch.tensor([[1.0, 0.0]])).tolist() == pytest.approx([1 / 3 + 1, 1 / 3, 1 / 3, 0])


def test_only_the_hole_counts() -> None:
    truth, images = torch.zeros(1, 3, 8, 8), torch.zeros(1, 4, 3, 8, 8)
    images[..., :4] = torch.linspace(-0.5, 0.5, 4).view(1, 4, 1, 1, 1)
    hole = torch.zeros(8, 8, dtype=torch.bool)
    hole[:, 4:] = True
    assert calibration([(images, truth)], [hole]).crps == [0.0]
    assert calibration([(images, truth)]).crps[0] > 0
    with pytest.raises(DataError, match="condition 0 has no hole"):
        calibration([(images, truth)], [torch.zeros(8, 8, dtype=torch.bool)])


def test_records_say_what_is_best_and_too_few_samples_are_refused() -> None:
    found = calibration_metrics(gaussian(), (8, 8))
    assert found["interval_50"].better == "nearer to 0.5"
    assert "interval_90" not in found, "6 samples are too few"
    assert found["crps"].ci is not None
    assert all(one.protocol.samples == S for one in found.values())
    with pytest.raises(DataError, match="at least two samples of a condition, got 1"):
        calibration([(torch.zeros(1, 1, 3, 4, 4), torch.zeros(1, 3, 4, 4))])
    with pytest.raises(DataError, match="at least one condition, got none"):
        averaging_gain([])
