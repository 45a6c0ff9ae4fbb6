"""Rare appearances are drawn more often and weighed more, and nothing else changes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from variegate.core.errors import ConfigError
from variegate.data import open_data
from variegate.data.dataset.sampler import WeightedInfiniteSampler
from variegate.data.statistics.rarity import Rarity, rarity
from variegate.data.streets.streets import Streets
from variegate.methods import method


@pytest.fixture(scope="module")
def streets() -> Rarity:
    return Rarity(open_data("streets:300", size=32), 1)


@pytest.mark.core
def test_a_rare_colour_scores_higher_and_an_absent_class_nothing() -> None:
    rng = np.random.default_rng(0)
    colours = np.concatenate([rng.normal(200, 5, (95, 3)), rng.normal(60, 5, (5, 3)), np.zeros((20, 3))])
    present = np.arange(120) < 100
    scores = rarity(colours, present)
    assert scores[95:100].min() > 3 * scores[:95].mean()
    assert not scores[100:].any()


@pytest.mark.core
def test_a_class_of_one_colour_is_equally_common_everywhere() -> None:
    scores = rarity(np.full((30, 3), 7.0), np.ones(30, bool))
    assert scores.min() > 0
    assert np.allclose(scores, scores[0])


@pytest.mark.core
def test_of_greys_the_rare_ones_score_higher_although_they_lie_on_a_line() -> None:
    rng = np.random.default_rng(1)
    grey = np.concatenate([rng.normal(200, 5, 45), rng.normal(60, 5, 5)])
    scores = rarity(np.repeat(grey[:, None], 3, axis=1), np.ones(50, bool))
    assert scores[45:].min() > 2 * scores[:45].mean()


@pytest.mark.core
def test_scores_are_one_over_the_density_in_grey_levels() -> None:
    """Of a wide Gaussian the density in the middle is 1 / ((2 pi)^1.5 s^3), a little less for Scott's bandwidth."""
    colours = np.random.default_rng(2).normal(128, 20, (4000, 3))
    colours[0] = 128
    peak = (2 * np.pi) ** 1.5 * (20**2 * (1 + 4000 ** (-2 / 7))) ** 1.5
    assert rarity(colours, np.ones(4000, bool))[0] == pytest.approx(peak, rel=0.15)


def test_classes_compare_by_density_as_published_or_are_brought_to_one_mean(streets: Rarity) -> None:
    pairs = open_data("streets:300", size=32)
    seen = streets.scores > 0
    assert [streets.even[seen[:, p], p].mean() for p in range(8)] == pytest.approx([1.0] * 8)
    assert streets.scores[seen[:, 7], 7].mean() > 20 * streets.scores[seen[:, 6], 6].mean()  # cars vary, roads do not
    raw, index = pairs.raw(5)[0][None], torch.tensor([5])
    even = Rarity(pairs, 1, even=True).weight(raw, index)
    road = raw == 6
    assert float(streets.weight(raw, index)[road].mean()) < 0.2 * float(even[road].mean())


def test_rebalancing_evens_out_the_facades(streets: Rarity) -> None:
    """The facades' largest class is served alone; rare combinations come up about as often as common ones."""
    truth = Streets((32, 32), 300)
    mode = np.array([truth.factors(i)["time"] * 4 + truth.factors(i)["paint"] for i in range(300)])
    stream = WeightedInfiniteSampler(streets.scores[:, streets.served], 10, seed=0)
    drawn = [index for index, _ in itertools.islice(stream, 3000)]
    before, after = np.bincount(mode, minlength=12) / 300, np.bincount(mode[drawn], minlength=12) / 3000
    assert before.max() > 0.15
    assert after.max() < 0.14
    assert after[before > 0].min() > 1.5 * before[before > 0].min()


def test_the_stream_goes_on_where_it_stopped(streets: Rarity) -> None:
    scores = streets.scores[:, streets.served]
    whole = list(itertools.islice(WeightedInfiniteSampler(scores, 4, seed=3), 20))
    assert list(itertools.islice(WeightedInfiniteSampler(scores, 4, seed=3, start_step=2), 12)) == whole[8:]
    halves = [list(itertools.islice(WeightedInfiniteSampler(scores, 4, 3, rank, 2), 10)) for rank in (0, 1)]
    assert sorted(halves[0] + halves[1]) == sorted(whole)


def test_loss_weights_are_the_score_of_each_pixels_class_over_the_images_largest(streets: Rarity) -> None:
    pairs = open_data("streets:300", size=32)
    raw = torch.stack([pairs.raw(i)[0] for i in (0, 5)])
    weight = streets.weight(raw, torch.tensor([0, 5]))
    assert weight.shape == (2, 1, 32, 32)
    assert weight.amax(dim=(1, 2, 3)).tolist() == [1, 1]
    assert bool((weight > 0).all())
    one, other = streets.table[5][1], streets.table[5][6]  # building, road
    places = raw[1, 0]
    measured = weight[1, 0][places == 1][0] / weight[1, 0][places == 6][0]
    assert measured.item() == pytest.approx((one / other).item(), rel=1e-4)


@pytest.mark.core
def test_images_have_no_classes_to_balance(tmp_path: object) -> None:
    from variegate.data.conditions import ImageCondition

    class Fake:
        condition, name = ImageCondition(), "photos"

    with pytest.raises(ConfigError, match="needs label maps"):
        Rarity(Fake())  # type: ignore[arg-type]


@pytest.mark.core
def test_matching_at_a_smaller_size_is_refused_for_fields_of_noise() -> None:
    options = {"objective.match_scale": 2, "objective.perceptual": "laplacian"}
    with pytest.raises(ConfigError, match=r"set randomness\.vector"):
        method("cimle", options)
    assert method("cimle", {**options, "vector": 5}).objective.match_scale == 2  # type: ignore[union-attr]
