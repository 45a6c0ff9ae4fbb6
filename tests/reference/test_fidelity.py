"""RMSE, PSNR, SSIM and FSIM equal NumPy and piq; best and mean over samples are what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from variegate.core.errors import ConfigError, DataError
from variegate.evaluation.metrics.fidelity import MEASURES, PSNR_LIMIT, fidelity, per_sample

pytestmark = pytest.mark.core


def pair(seed: int = 0, conditions: int = 3, samples: int = 4, side: int = 32) -> tuple[Tensor, Tensor]:
    """Samples (B, S, 3, H, W) at growing distance from the truth (B, 3, H, W), both in [-1, 1]."""
    random = torch.Generator().manual_seed(seed)
    truth = torch.rand(conditions, 3, side, side + 5, generator=random) * 2 - 1
    noise = torch.rand(conditions, samples, 3, side, side + 5, generator=random) * 2 - 1
    share = torch.linspace(0.2, 0.8, samples).view(samples, 1, 1, 1)
    return truth[:, None] * (1 - share) + noise * share, truth


def test_rmse_equals_numpy_on_the_scale_of_255() -> None:
    images, truth = pair()
    levels, target = ((x.double().numpy() + 1) * 127.5 for x in (images, truth))
    expected = np.sqrt(((levels - target[:, None]) ** 2).mean(axis=(2, 3, 4)))
    np.testing.assert_allclose(per_sample(images, truth, MEASURES["rmse"]).numpy(), expected, rtol=1e-5)


def test_psnr_and_rmse_are_the_same_statement() -> None:
    images, truth = pair()
    ratios = per_sample(images, truth, MEASURES["psnr"])
    expected = 20 * torch.log10(255 / per_sample(images, truth, MEASURES["rmse"]))
    assert torch.allclose(ratios, expected, atol=1e-4)


def test_psnr_and_ssim_equal_piq() -> None:
    piq = pytest.importorskip("piq")
    images, truth = pair()
    flat, target = (images.flatten(0, 1) + 1) / 2, (truth.repeat_interleave(4, dim=0) + 1) / 2
    psnr = piq.psnr(flat, target, data_range=1.0, reduction="none").view(3, 4)
    ssim = piq.ssim(flat, target, data_range=1.0, reduction="none", downsample=False).view(3, 4)
    assert torch.allclose(per_sample(images, truth, MEASURES["psnr"]), psnr, atol=1e-4)
    assert torch.allclose(per_sample(images, truth, MEASURES["ssim"]), ssim, atol=1e-5)


def test_inside_a_hole_only_its_own_pixels_count() -> None:
    images, truth = pair()
    hole = torch.zeros(32, 37, dtype=torch.bool)
    hole[8:20, 10:30] = True
    spoiled = torch.where(hole, images, -truth[:, None])
    levels, target = ((x.double().numpy() + 1) * 127.5 for x in (images, truth))
    apart = ((levels - target[:, None]) ** 2)[..., 8:20, 10:30]
    expected = np.sqrt(apart.mean(axis=(2, 3, 4)))
    np.testing.assert_allclose(per_sample(spoiled, truth, MEASURES["rmse"], hole).numpy(), expected, rtol=1e-5)
    ratios = 20 * np.log10(255 / expected)
    np.testing.assert_allclose(per_sample(spoiled, truth, MEASURES["psnr"], hole).numpy(), ratios, rtol=1e-5)
    deep = torch.zeros_like(hole)
    deep[13:15, 15:25] = True  # whole windows around these pixels are inside
    alike = [per_sample(each, truth, MEASURES["ssim"], deep) for each in (images, spoiled)]
    assert torch.allclose(*alike, atol=1e-4)
    assert not torch.allclose(alike[0], per_sample(images, truth, MEASURES["ssim"]), atol=1e-2)
    parts = [(images[i : i + 1], truth[i : i + 1]) for i in range(3)]
    found = fidelity(parts, holes=[hole, hole, None])["rmse_mean"].value
    assert found == pytest.approx((expected[:2].sum() + per_sample(*parts[2], MEASURES["rmse"]).sum().item()) / 12)
    with pytest.raises(DataError, match="nearer to the border"):
        per_sample(images, truth, MEASURES["ssim"], ~torch.ones_like(hole).index_fill(0, torch.tensor([0]), False))


def test_fsim_uses_colour_and_falls_with_the_distance() -> None:
    piq = pytest.importorskip("piq")
    images, truth = pair(conditions=1)
    values = per_sample(images, truth, MEASURES["fsim"])
    assert (values.diff() < 0).all()
    single = piq.fsim((images[:, 2] + 1) / 2, (truth + 1) / 2, data_range=1.0, chromatic=True)
    assert values[0, 2].item() == pytest.approx(single.item(), abs=1e-5)


def test_best_is_chosen_for_each_measure_and_mean_is_over_samples_then_conditions() -> None:
    images, truth = pair()
    results = fidelity([(images[:1], truth[:1]), (images[1:], truth[1:])])
    for name in ("rmse", "psnr", "ssim"):
        values = per_sample(images, truth, MEASURES[name])
        best = values.amin(1) if MEASURES[name].better == "lower" else values.amax(1)
        assert results[f"{name}_best"].value == pytest.approx(best.mean().item(), rel=1e-5)
        assert results[f"{name}_mean"].value == pytest.approx(values.mean().item(), rel=1e-5)
    assert results["rmse_best"].n == 3
    assert results["rmse_best"].protocol.samples == 4
    assert results["rmse_best"].unit == "0..255"


def test_a_perfect_image_has_a_finite_psnr() -> None:
    truth = pair()[1]
    results = fidelity([(truth[:, None], truth)])
    assert results["psnr_best"].value == PSNR_LIMIT
    assert results["rmse_best"].value == 0
    assert results["ssim_best"].value == pytest.approx(1, abs=1e-6)


def test_what_cannot_be_measured_is_refused() -> None:
    images, truth = pair(side=8)
    with pytest.raises(DataError, match="11 x 11"):
        fidelity([(images, truth)])
    with pytest.raises(DataError, match="same number of samples"):
        fidelity([(images, truth), (images[:, :2], truth)], measures=("rmse",))
    with pytest.raises(DataError, match="truth"):
        fidelity([(images, truth[:1])])
    with pytest.raises(ConfigError, match="psnrr"):
        fidelity([(images, truth)], measures=("psnrr",))
