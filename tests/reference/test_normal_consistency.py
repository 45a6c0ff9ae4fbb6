"""Angles between normals equal SciPy's; pooled numbers equal NumPy's over all pixels at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cosine
from torch import Tensor
from torch.nn import functional as F

from variegate.core.errors import DataError
from variegate.evaluation.metrics.normal_consistency import WIDTH, angles, normal_consistency
from variegate.evaluation.metrics.plugged import plug

pytestmark = pytest.mark.core


def slopes(images: Tensor) -> Tensor:
    """Normals that bend with the colours; none where an image is black (-1 in all channels)."""
    bent = F.normalize(images + torch.tensor([0.0, 0.0, 2.0]).view(3, 1, 1), dim=1)
    return bent * (images > -1).any(dim=1, keepdim=True)


def pictures(conditions: int = 3, samples: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Samples at growing distance from the truth, some pixels of the truth black."""
    rng = torch.Generator().manual_seed(seed)
    truth = torch.rand(conditions, 3, 9, 8, generator=rng) * 2 - 1
    noise = torch.rand(conditions, samples, 3, 9, 8, generator=rng) * 2 - 1
    share = torch.linspace(0.2, 0.9, samples).view(samples, 1, 1, 1)
    images = truth[:, None] * (1 - share) + noise * share
    truth[:, :, :2, :3] = -1
    return images, truth


def by_arccos(a: Tensor, b: Tensor) -> NDArray[np.float64]:
    """Degrees of every pixel by the formula of the paper; those without a normal are left out."""
    x, y = a.double().numpy(), b.double().numpy()
    lengths = np.linalg.norm(x, axis=0) * np.linalg.norm(y, axis=0)
    keep = lengths > 0
    return np.degrees(np.arccos(np.clip((x * y).sum(axis=0)[keep] / lengths[keep], -1, 1)))


def six(errors: NDArray[np.float64]) -> dict[str, float]:
    shares = {f"normal_below_{int(limit)}": float((errors < limit).mean()) for limit in (11.25, 22.5, 30)}
    rmse = float(np.sqrt((errors**2).mean()))
    return {"normal_mean": errors.mean(), "normal_median": np.median(errors), "normal_rmse": rmse} | shares


def test_angles_of_random_vectors_equal_scipys_whatever_their_length() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 200)) * rng.uniform(0.1, 9, size=(2, 1, 200))
    expected = [np.degrees(np.arccos(1 - cosine(x, y))) for x, y in zip(a.T, b.T)]
    found = angles(torch.from_numpy(a)[..., None], torch.from_numpy(b)[..., None])
    np.testing.assert_allclose(found[:, 0].numpy(), expected, rtol=1e-9)


def test_tiny_and_opposite_angles_keep_their_digits_and_zero_vectors_have_none() -> None:
    turn = np.radians([1e-6, 90.0, 180.0])
    a = torch.tensor([1.0, 0, 0], dtype=torch.double).view(3, 1, 1).expand(3, 3, 1)
    b = torch.from_numpy(np.stack([np.cos(turn), np.sin(turn), 0 * turn]))[..., None]
    np.testing.assert_allclose(angles(a, b)[:, 0].numpy(), [1e-6, 90, 180], rtol=1e-9)
    assert angles(a, torch.zeros(3, 3, 1)).isnan().all()


def test_mean_pools_all_pixels_of_all_samples_and_best_those_of_the_best_sample() -> None:
    images, truth = pictures()
    batches = [(images[:1], truth[:1]), (images[1:], truth[1:])]
    found = normal_consistency(batches, plug(slopes, "normals"), ("a remark",))
    each = [[by_arccos(slopes(one[None])[0], slopes(real[None])[0]) for one in row] for row, real in zip(images, truth)]
    assert len(each[0][0]) == 9 * 8 - 2 * 3
    pooled = six(np.concatenate([errors for row in each for errors in row]))
    for name, value in pooled.items():
        tolerance = WIDTH if name == "normal_median" else 1e-6
        assert found[f"{name}_mean"].value == pytest.approx(value, abs=tolerance)
        sign = -1 if "below" in name else 1
        best = [min(row, key=lambda errors, name=name, sign=sign: sign * six(errors)[name]) for row in each]  # type: ignore[misc]
        chosen = six(np.concatenate(best))[name]
        assert found[f"{name}_best"].value == pytest.approx(chosen, abs=tolerance)
        assert sign * found[f"{name}_best"].value <= sign * found[f"{name}_best_of_2"].value
        assert sign * found[f"{name}_best_of_2"].value <= sign * found[f"{name}_mean"].value
    record = found["normal_rmse_best"].protocol
    assert record.extractor == "slopes"
    assert (record.inputs, record.samples, record.size) == (3, 4, (9, 8))
    assert any("unverified" in note for note in record.notes)
    assert record.notes[-1] == "a remark"
    assert found["normal_rmse_best"].ci is None


def test_a_sample_without_normals_is_not_the_best_and_a_real_image_without_is_left_out() -> None:
    images, truth = pictures()
    images[:, 1], truth[2] = -1, -1
    found = normal_consistency([(images, truth)], plug(slopes, "normals"))
    one = normal_consistency([(images[:2, :1], truth[:2])], plug(slopes, "normals"))
    assert found["normal_mean_best"].n == 2
    assert found["normal_mean_best"].value == pytest.approx(one["normal_mean_best"].value)
    assert found["normal_below_11_best"].value == pytest.approx(one["normal_below_11_best"].value)


def test_what_cannot_be_measured_is_refused() -> None:
    images, truth = pictures()
    with pytest.raises(DataError, match="found no normal"):
        normal_consistency([(images, truth)], plug(torch.zeros_like, "normals"))
    with pytest.raises(DataError, match="a vector"):
        normal_consistency([(images, truth)], plug(lambda x: x[:, :1], "normals"))
    with pytest.raises(DataError, match="NaN or infinity"):
        normal_consistency([(images, truth)], plug(lambda x: x * torch.nan, "normals"))
    with pytest.raises(DataError, match="same number of samples, got 4 and 2"):
        normal_consistency([(images, truth), (images[:, :2], truth)], plug(slopes, "normals"))
