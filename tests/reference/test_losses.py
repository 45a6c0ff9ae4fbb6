"""Losses against NumPy, written from the equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from variegate.core.errors import ConfigError
from variegate.losses.adversarial import discriminator_loss, generator_loss
from variegate.losses.perceptual import feature_l1
from variegate.networks.perceptual import LaplacianPyramid

pytestmark = pytest.mark.core


def maps(*shapes: tuple[int, ...], seed: int = 0) -> list[torch.Tensor]:
    stream = np.random.default_rng(seed)
    return [torch.from_numpy(3 * stream.standard_normal(shape).astype(np.float32)) for shape in shapes]


SCALES = ((2, 1, 5, 4), (2, 1, 3, 2))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def test_the_vanilla_losses_are_cross_entropies_of_verdicts_summed_over_scales() -> None:
    real, fake = maps(*SCALES), maps(*SCALES, seed=1)
    expected = sum(
        -np.log(sigmoid(r.numpy())).mean() / 2 - np.log(1 - sigmoid(f.numpy())).mean() / 2 for r, f in zip(real, fake)
    )
    assert float(discriminator_loss(real, fake, "vanilla")) == pytest.approx(expected, rel=1e-5)
    expected = sum(-np.log(sigmoid(f.numpy())).mean() for f in fake)
    assert float(generator_loss(fake, "vanilla")) == pytest.approx(expected, rel=1e-5)


def test_the_least_squares_losses_are_squared_distances_from_verdicts() -> None:
    real, fake = maps(*SCALES), maps(*SCALES, seed=1)
    expected = sum(((r.numpy() - 1) ** 2).mean() / 2 + (f.numpy() ** 2).mean() / 2 for r, f in zip(real, fake))
    assert float(discriminator_loss(real, fake, "lsgan")) == pytest.approx(expected, rel=1e-5)
    expected = sum(((f.numpy() - 1) ** 2).mean() for f in fake)
    assert float(generator_loss(fake, "lsgan")) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("mode", ["vanilla", "lsgan"])
def test_a_right_verdict_costs_less_than_a_wrong_one_on_either_side(mode) -> None:
    yes, no = [torch.full((1, 1, 2, 2), 4.0)], [torch.full((1, 1, 2, 2), -4.0)]
    assert discriminator_loss(yes, no, mode) < discriminator_loss(no, yes, mode)
    assert generator_loss(yes, mode) < generator_loss(no, mode)


def test_huge_logits_stay_finite() -> None:
    huge = [torch.tensor([[[[1e4, -1e4]]]])]
    assert bool(discriminator_loss(huge, huge, "vanilla").isfinite())
    assert bool(generator_loss(huge, "vanilla").isfinite())


LAYERS = ((3, 3, 8, 12), (3, 5, 4, 6), (3, 2, 2, 3))
WEIGHTS = (1.0, 0.7, 16.0)


def test_the_perceptual_distance_is_the_weighted_sum_of_mean_absolute_differences_per_item() -> None:
    a, b = maps(*LAYERS), maps(*LAYERS, seed=1)
    expected = sum(w * np.abs(x.numpy() - y.numpy()).reshape(3, -1).mean(1) for x, y, w in zip(a, b, WEIGHTS))
    assert feature_l1(a, b, WEIGHTS).numpy() == pytest.approx(expected, rel=1e-5)


def test_a_mask_weighs_pixels_after_area_averaging_and_is_not_divided_out() -> None:
    a, b = maps(*LAYERS), maps(*LAYERS, seed=1)
    mask = np.random.default_rng(2).random((3, 1, 8, 12)).astype(np.float32)
    expected = np.zeros(3)
    for x, y, weight in zip(a, b, WEIGHTS):
        height, width = x.shape[-2:]
        small = mask.reshape(3, 1, height, 8 // height, width, 12 // width).mean(axis=(3, 5))
        expected += weight * (np.abs(x.numpy() - y.numpy()) * small).reshape(3, -1).mean(1)
    assert feature_l1(a, b, WEIGHTS, torch.from_numpy(mask)).numpy() == pytest.approx(expected, rel=1e-5)
    halved = feature_l1(a, b, WEIGHTS, torch.full((3, 1, 8, 12), 0.5))
    assert torch.allclose(halved, feature_l1(a, b, WEIGHTS) / 2)


def test_one_target_row_stands_for_all() -> None:
    a, b = maps(*LAYERS), [layer[:1] for layer in maps(*LAYERS, seed=1)]
    repeated = [layer.expand(3, -1, -1, -1) for layer in b]
    assert torch.equal(feature_l1(a, b, WEIGHTS), feature_l1(a, repeated, WEIGHTS))


def test_a_missing_weight_is_an_error_rather_than_a_forgotten_layer() -> None:
    a, b = maps(*LAYERS), maps(*LAYERS, seed=1)
    with pytest.raises(ConfigError, match="must have 3 values, one per feature map, got 2"):
        feature_l1(a, b, WEIGHTS[:2])


@pytest.mark.parametrize("size", [(32, 32), (17, 23), (5, 40), (3, 3)])
def test_the_bands_of_a_laplacian_pyramid_add_up_to_the_image(size: tuple[int, int]) -> None:
    image = maps((2, 3, *size))[0]
    *bands, low = LaplacianPyramid(5)(image)
    for band in reversed(bands):
        low = band + F.interpolate(low, band.shape[-2:], mode="bilinear", align_corners=False)
    assert torch.allclose(low, image, atol=1e-5)


def test_a_laplacian_pyramid_halves_and_separates_frequencies() -> None:
    flat = torch.full((1, 3, 64, 64), 0.3)
    *bands, low = LaplacianPyramid(5)(flat)
    assert [band.shape[-1] for band in bands] == [64, 32, 16, 8]
    assert low.shape[-1] == 4
    assert max(float(band.abs().max()) for band in bands) < 1e-6, "a flat image is in the low-pass alone"
    checker = ((torch.arange(64)[:, None] + torch.arange(64)) % 2).float().expand(1, 3, 64, 64) * 2 - 1
    first, *rest = LaplacianPyramid(5)(checker)
    assert float(first.abs().mean()) == pytest.approx(1)
    assert max(float(band.abs().max()) for band in rest) < 1e-6, "the finest checkers are in the first band alone"
