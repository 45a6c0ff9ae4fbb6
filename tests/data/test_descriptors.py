"""Distances of conditions have the unit that is promised, and colours are those of CIE-Lab."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from variegate.data.conditions import ImageCondition, Labels, Landmarks
from variegate.data.statistics import descriptors
from variegate.data.statistics.descriptors import describe_condition, histograms, lab

pytestmark = pytest.mark.core


def test_distances_of_label_maps_are_the_share_of_the_area_that_differs() -> None:
    condition = Labels(names=("a", "b", "c"), palette=((0, 0, 0), (1, 0, 0), (2, 0, 0)), boundaries=True)
    flat, changed = torch.zeros(2, 32, 64, dtype=torch.uint8), torch.zeros(2, 32, 64, dtype=torch.uint8)
    changed[0, :8, :16] = 2
    changed[1] = 1  # boundaries do not count
    a, b = (describe_condition(condition, raw) for raw in (flat, changed))
    assert np.abs(a - b).sum() == pytest.approx(1 / 16)
    assert a.shape == (3 * 16 * 16,)
    many = Labels(names=tuple(map(str, range(100))), palette=((0, 0, 0),) * 100)
    assert len(describe_condition(many, flat[:1])) <= descriptors.LARGEST


def test_distances_of_images_are_mean_differences() -> None:
    dark, light = torch.zeros(3, 40, 24, dtype=torch.uint8), torch.full((3, 40, 24), 255, dtype=torch.uint8)
    a, b = (describe_condition(ImageCondition(), raw) for raw in (dark, light))
    assert np.abs(a - b).sum() == pytest.approx(2)
    half = dark.clone()
    half[:, :20] = 255
    assert np.abs(a - describe_condition(ImageCondition(), half)).sum() == pytest.approx(1, abs=0.1)
    tiny = describe_condition(ImageCondition(channels=1), torch.zeros(1, 3, 5, dtype=torch.uint8))
    assert tiny.shape == (15,)


@pytest.mark.parametrize("height", [64, 128])
def test_distances_of_landmarks_are_pixels_of_an_image_128_high(height: int) -> None:
    def planes(*points: tuple[int, int]) -> torch.Tensor:
        raw = torch.zeros(3, height, 100, dtype=torch.uint8)
        for plane, (x, y) in zip(raw, points):
            plane[y, x] = 1
        return raw

    rows = [describe_condition(Landmarks(points=3, frame=(height, 100)), planes((10, 20), (30, 40), (50, 60)))]
    rows += [describe_condition(Landmarks(points=3, frame=(height, 100)), planes((11, 18), (30, 40), (50, 60)))]
    rows += [describe_condition(Landmarks(points=3, frame=(height, 100)), planes((10, 20), (34, 40)))]
    assert np.abs(rows[0] - rows[1]).sum() == pytest.approx(3 * 128 / height)
    filled = descriptors.fill(np.stack(rows))
    assert np.abs(filled[0] - filled[2]).sum() == pytest.approx(4 * 128 / height), "an absent point has its mean place"
    assert (descriptors.fill(np.full((2, 2), np.nan, np.float32)) == 0).all()


def test_lab_is_that_of_the_formulas() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    pixels[0, :3] = [[0, 0, 0], [255, 255, 255], [0, 0, 255]]
    linear = pixels / 255.0
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    to_d50 = np.array(  # sRGB to XYZ, adapted to D50 by Bradford's matrix (B. Lindbloom)
        [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
    )
    xyz = linear @ to_d50.T / to_d50.sum(axis=1)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    wanted = np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)
    assert np.abs(lab(pixels) - wanted).max() < 1.1
    assert np.abs(lab(pixels) - wanted).mean() < 0.4


def test_histograms_are_three_that_sum_to_one() -> None:
    image = torch.zeros(3, 64, 96, dtype=torch.uint8)
    image[:, :, 48:] = 255
    image[0, :32] = 255
    three = histograms(image).reshape(3, 100)
    assert three.sum(axis=1) == pytest.approx([1, 1, 1])
    assert three[0, 0] == pytest.approx(0.25)  # black
    assert three[0, 99] == pytest.approx(0.5)  # white
    assert three[1, 99] == three[2, 99] == pytest.approx(0.25)  # red is beyond +50
    assert three[1, 50] == pytest.approx(0.75)
