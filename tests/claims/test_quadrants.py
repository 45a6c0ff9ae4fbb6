"""The estimates of how likely the rest of a digit is: against distributions whose answer is known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from benchmarks.quadrants.__main__ import GIVEN, mask_folder, sixteen_levels
from benchmarks.quadrants.estimates import around_samples, around_training, dequantised, kernel_nats
from PIL import Image

pytestmark = pytest.mark.core


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def test_kernels_are_scipys_mixture_of_gaussians() -> None:
    targets, centres = normal(6, 4), normal(9, 4, seed=1)
    each = [scipy.stats.multivariate_normal(one, 0.7**2 * np.eye(4)).pdf(targets.numpy()) for one in centres.numpy()]
    expected = -np.log(np.mean(each, axis=0))
    assert kernel_nats(targets, centres, 0.7).numpy() == pytest.approx(expected)
    assert kernel_nats(targets, centres.expand(6, -1, -1), 0.7).numpy() == pytest.approx(expected)
    even = torch.zeros(6, 9, dtype=torch.float64)
    assert kernel_nats(targets, centres, 0.7, even).numpy() == pytest.approx(expected), "equal weights"
    first = torch.full((6, 9), -1e9, dtype=torch.float64)
    first[:, 0] = 0
    assert kernel_nats(targets, centres, 0.7, first).numpy() == pytest.approx(-np.log(each[0]))


def test_dequantised_levels_bound_the_probability_of_levels_from_above() -> None:
    """Of levels that are as likely as each other, nats are known: log 16 each."""
    levels = torch.randint(0, 16, (4000, 1), generator=torch.Generator().manual_seed(0)).double()
    noisy = dequantised(levels)
    assert bool(((noisy - levels).abs() <= 0.5).all())
    found, told = around_samples(
        (noisy[:500], noisy[500:].T.unsqueeze(2).expand(500, -1, 1)),
        (noisy[:500], noisy[500:].T.unsqueeze(2).expand(500, -1, 1)),
    )
    assert float(found.mean()) == pytest.approx(math.log(16), abs=0.1)
    assert "3500 samples" in told


def test_what_is_known_helps_only_where_it_tells_something() -> None:
    known, noise = 3 * normal(1200, 2), normal(1200, 2, seed=1)

    def nats(unknown: torch.Tensor) -> float:
        parts = [(known[a:b], unknown[a:b]) for a, b in ((0, 800), (800, 1000), (1000, 1200))]
        return float(around_training(*parts)[0].mean())

    alone = 2 * 0.5 * math.log(2 * math.pi * math.e)  # entropy of two standard normals
    assert nats(noise) == pytest.approx(alone, abs=0.2)
    assert alone - 0.1 < nats(known + noise) < alone + 1.0, "far below the entropy of the sum, 5.1"


@pytest.mark.parametrize("given", GIVEN)
def test_masks_leave_as_many_quadrants_as_they_say(given: int, tmp_path: object) -> None:
    folder = mask_folder(given, tmp_path)  # type: ignore[arg-type]
    mask = np.asarray(Image.open(folder / "mask.png"))
    assert (mask == 0).mean() == given / 4
    assert mask[-1, 0] == 0
    assert mask[0, -1] == 255


def test_other_digits_are_brought_to_sixteen_levels(tmp_path: Path) -> None:
    images = np.arange(2 * 28 * 28, dtype=np.int64).reshape(2, 28, 28) % 256
    for split in ("train", "test"):
        np.savez(tmp_path / f"mnist_{split}.npz", images=images.astype(np.uint8), labels=np.array([0, 1]))
    assert sixteen_levels("digits", tmp_path) == "digits"
    path = Path(sixteen_levels(str(tmp_path / "mnist_train.npz"), tmp_path / "cache"))
    for split in ("train", "test"):
        with np.load(path.with_name(f"mnist_{split}.npz")) as file:
            assert set(np.unique(file["images"])) == {17 * level for level in range(16)}
            assert np.abs(file["images"].astype(int) - images).max() <= 8
            assert file["labels"].tolist() == [0, 1]
    mask = np.asarray(Image.open(mask_folder(2, tmp_path / "side-28", 28) / "mask.png"))
    assert mask.shape == (28, 28)
