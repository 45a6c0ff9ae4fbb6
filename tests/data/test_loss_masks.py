"""The weights of pixels by rarity: at every feature layer, for every class, together with the slots of rare images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch.nn import functional as F

from helpers.tiny import ids, photo, save
from variegate.core.errors import ConfigError
from variegate.data import open_data
from variegate.data.dataset.pairs import Pairs
from variegate.data.dataset.sampler import WeightedInfiniteSampler
from variegate.data.statistics.rarity import Rarity
from variegate.losses.perceptual import feature_l1
from variegate.methods import method
from variegate.runs.settings import ExecutionSettings
from variegate.training.loop import stream

pytestmark = pytest.mark.core


def labelled(root: Path, *rows: tuple[int, ...]) -> Pairs:
    for i, values in enumerate(rows):
        save(root / "labels" / f"{i:02}.png", ids(*values))
        save(root / "images" / f"{i:02}.png", photo())
    return open_data(root).of_split("train")


def area(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Mean over the pixels that each coarse pixel touches, one at a time."""
    tall, wide = mask.shape
    coarse = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            top, bottom = y * tall // height, -(-(y + 1) * tall // height)
            left, right = x * wide // width, -(-(x + 1) * wide // width)
            coarse[y, x] = mask[top:bottom, left:right].mean()
    return coarse


@pytest.mark.parametrize("size", [(32, 32), (16, 16), (8, 4), (13, 7), (1, 1)])
def test_a_mask_reaches_every_layer_by_area_averaging(size: tuple[int, int]) -> None:
    mask = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    gap = torch.rand(2, 5, *size, generator=torch.Generator().manual_seed(1))
    coarse = np.stack([area(plane[0].numpy(), *size) for plane in mask])[:, None]
    assert np.allclose(F.interpolate(mask, size, mode="area").numpy(), coarse, atol=1e-6)
    measured = feature_l1([gap], [torch.zeros_like(gap)], [2.0], mask)
    assert np.allclose(measured.numpy(), 2 * (gap.numpy() * coarse).mean(axis=(1, 2, 3)), rtol=1e-5)


def test_weights_lie_in_0_to_1_and_reach_1_whatever_an_image_holds(tmp_path: Path) -> None:
    """Class 2 is in too few images for a score, and one image holds nothing else."""
    pairs = labelled(tmp_path, *([(0, 1)] * 6 + [(0,)] * 6 + [(1,)] * 6 + [(2,)] + [(0, 2)] + [(0, 1)] * 3))
    rarity = Rarity(pairs)
    assert rarity.served == [0, 1]
    assert not rarity.scores[:, 2].any()
    raw = torch.stack([pairs.raw(i)[0] for i in range(len(pairs))])
    weight = rarity.weight(raw, torch.arange(len(pairs)))
    assert bool(weight.isfinite().all())
    assert bool((weight > 0).all())
    assert weight.amax(dim=(1, 2, 3)).tolist() == [1] * len(pairs)
    assert weight[18].unique().tolist() == [1]


def test_the_classes_that_are_served_have_the_largest_area_in_this_data_set(tmp_path: Path) -> None:
    layout = (6, 6, 6, 6, 6, 2, 2, 2, 2, 5, 5, 5, 0, 0, 1)  # of 16 rows, the last repeats the first
    pairs = labelled(tmp_path, *[layout] * 13)
    assert Rarity(pairs).served == [6, 2, 5, 0, 1]
    assert Rarity(pairs, 3).served == [6, 2, 5]


def test_data_without_a_class_seen_often_enough_are_refused(tmp_path: Path) -> None:
    rarity = Rarity(labelled(tmp_path, *[(0, 1)] * 6))
    with pytest.raises(ConfigError, match=r"covers more than 0\.1% of 10 images or more, and .* has none"):
        _ = rarity.served


@pytest.mark.parametrize("rebalance", ["data", "loss", "both"])
def test_training_is_told_that_there_is_nothing_to_rebalance(rebalance: str, tmp_path: Path) -> None:
    pairs = labelled(tmp_path, *[(0, 1)] * 6)
    chosen = method("crn", {"batch_size": 2, "rebalance": rebalance})
    with pytest.raises(ConfigError, match="has none; add images, or train with --rebalance none"):
        next(stream(pairs, chosen, ExecutionSettings(), Fabric(accelerator="cpu"), 0))


@pytest.mark.parametrize("rebalance", ["none", "data", "loss", "both"])
def test_both_means_slots_by_rarity_and_masks(rebalance: str) -> None:
    pairs = open_data("streets:40", size=32)
    chosen = method("crn", {"batch_size": 10, "rebalance": rebalance})
    batches = stream(pairs, chosen, ExecutionSettings(seed=3, channels_last=False), Fabric(accelerator="cpu"), 0)
    found = [next(batches) for _ in range(2)]
    index = torch.cat([batch.index for batch in found]).tolist()
    rarity = Rarity(pairs)
    rare = [i for (i, _), _ in zip(WeightedInfiniteSampler(rarity.scores[:, rarity.served], 10, 3), range(20))]
    assert (index == rare) == (rebalance in ("data", "both"))
    for batch in found:
        assert (batch.weight is not None) == (rebalance in ("loss", "both"))
        if batch.weight is not None:
            raw = torch.stack([pairs.raw(int(i))[0] for i in batch.index])
            assert torch.equal(batch.weight, rarity.weight(raw, batch.index))
