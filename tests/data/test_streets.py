"""Streets: drawn from counters, painted from known factors, read back without error."""

from __future__ import annotations

import json
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from variegate.core.errors import DataError
from variegate.data.streets.factors import COMBINATIONS, expect
from variegate.data.streets.streets import CLASSES, FACTORS, Streets, export, odds, paint, read

NAMES = [factor.name for factor in FACTORS]


def signed(image: Tensor) -> Tensor:
    """uint8 (3, H, W) to (1, 3, H, W) in [-1, 1]."""
    return image[None] / 127.5 - 1


def truth(streets: Streets, i: int) -> list[float]:
    return list(streets.factors(i).values())


@pytest.mark.core
def test_an_item_depends_on_seed_split_and_index_only() -> None:
    few, many = Streets((32, 32), 5, seed=3), Streets((32, 32), 50, seed=3)
    many[40]  # another order of visits
    for i in (4, 0):
        assert torch.equal(few.layout(i), many.layout(i))
        assert torch.equal(few.image(i), many.image(i))
        assert few.factors(i) == many.factors(i)
    assert not torch.equal(few.layout(0), Streets((32, 32), 5, seed=4).layout(0))
    assert not torch.equal(few.layout(0), few.layout(1))


@pytest.mark.core
def test_splits_share_no_layout() -> None:
    seen = [Streets((32, 32), 40, split=split).layout(i).numpy().tobytes() for split in ("train", "val", "test")
            for i in range(40)]  # fmt: skip
    assert len(set(seen)) == len(seen)


@pytest.mark.core
@pytest.mark.parametrize("size", [(16, 16), (24, 64), (64, 24), (128, 40)])
def test_any_size_divisible_by_8(size: tuple[int, int]) -> None:
    layout, image = Streets(size, 2)[1]
    assert (layout.dtype, tuple(layout.shape)) == (torch.uint8, (1, *size))
    assert (image.dtype, tuple(image.shape)) == (torch.uint8, (3, *size))
    assert layout.max() < len(CLASSES)


@pytest.mark.core
def test_a_street_looks_the_same_at_any_resolution() -> None:
    fine, coarse = Streets((192, 192), 8), Streets((64, 64), 8)
    for i in range(8):
        same = fine.layout(i)[0, 1::3, 1::3] == coarse.layout(i)[0]
        assert same.float().mean() > 0.95
        assert fine.factors(i) == coarse.factors(i)


@pytest.mark.core
def test_every_class_is_in_every_layout() -> None:
    streets = Streets((32, 32), 200)
    areas = np.array([np.bincount(streets.layout(i).flatten(), minlength=8) / 32**2 for i in range(200)])
    assert areas.min() > 0.008
    assert 0.15 < areas[:, CLASSES.index("building")].mean() < 0.35


@pytest.mark.core
def test_mistakes_are_explained() -> None:
    with pytest.raises(DataError, match="multiples of 8"):
        Streets((60, 64))
    with pytest.raises(DataError, match="did you mean 'train'"):
        Streets(split="tran")
    with pytest.raises(DataError, match="did you mean 'paint'"):
        paint(torch.zeros(16, 16, dtype=torch.uint8), {"pant": 0})
    with pytest.raises(DataError, match="must be 0 to 7"):
        paint(torch.full((16, 16), 9, dtype=torch.uint8), {})
    with pytest.raises(DataError, match=r"factor 'paint' has whole values only, got 0\.5"):
        paint(torch.zeros(16, 16, dtype=torch.uint8), {"paint": 0.5})
    with pytest.raises(IndexError):
        Streets(count=3)[3]


@pytest.mark.core
def test_factors_follow_their_odds() -> None:
    streets, n = Streets(count=4000, seed=1), 4000
    drawn = np.array([truth(streets, i) for i in range(n)], int)
    for column, factor in enumerate(FACTORS):
        shares = np.bincount(drawn[:, column], minlength=len(factor.odds)) / n
        margin = 4 * np.sqrt(np.array(factor.odds) * (1 - np.array(factor.odds)) / n)
        assert (np.abs(shares - factor.odds) < margin).all(), factor.name
    joint = np.zeros((3, 4))
    np.add.at(joint, (drawn[:, 0], drawn[:, 1]), 1 / n)
    assert np.abs(joint - odds(("time", "paint"))).max() < 0.03  # independent


@pytest.mark.core
def test_skewed_streets_have_the_cubes_of_the_odds_and_the_same_layouts() -> None:
    plain, skewed = Streets(count=3000), Streets(count=3000, variant="skewed")
    assert torch.equal(plain.layout(7), skewed.layout(7))
    drawn = np.array([truth(skewed, i) for i in range(3000)], int)
    for column, factor in enumerate(FACTORS):
        expected = np.array(factor.odds) ** 3 / (np.array(factor.odds) ** 3).sum()
        shares = np.bincount(drawn[:, column], minlength=len(expected)) / 3000
        assert (np.abs(shares - expected) < 4 * np.sqrt(expected * (1 - expected) / 3000) + 1e-9).all(), factor.name


@pytest.mark.core
def test_any_hour_is_between_the_times_of_day() -> None:
    streets = Streets((32, 32), 400, variant="hours")
    hours = np.array([streets.factors(i)["time"] for i in range(400)])
    assert 0 <= hours.min() < 0.05
    assert 1.95 < hours.max() < 2
    assert abs(hours.mean() - 1) < 0.12
    layout = streets.layout(0)
    sky = layout[0] == CLASSES.index("sky")
    brightness = [float(paint(layout, {"time": hour / 8})[:, sky].float().mean()) for hour in range(17)]
    assert all(earlier > later for earlier, later in pairwise(brightness))
    middle = paint(layout, {"time": 0.5}).float()
    ends = (paint(layout, {"time": 0}).float() + paint(layout, {"time": 1}).float()) / 2
    assert (middle - ends).abs().max() <= 2  # each of the three is rounded


@pytest.mark.core
def test_joint_odds() -> None:
    assert odds(("time", "paint")).shape == (3, 4)
    assert odds(("time", "paint"))[2, 3] == pytest.approx(0.02)
    assert odds(NAMES).sum() == pytest.approx(1)


@pytest.mark.core
def test_values_of_a_factor_differ_visibly_under_every_light() -> None:
    layout = Streets((64, 64), 1).layout(0)[0].numpy()
    means = expect(layout.tobytes(), layout.shape).means
    for column, factor in enumerate(FACTORS):
        others = np.delete(COMBINATIONS, column, 1)
        for a, b in combinations(range(len(factor.values)), 2):
            rows = [np.flatnonzero(COMBINATIONS[:, column] == value) for value in (a, b)]
            assert (others[rows[0]] == others[rows[1]]).all()
            gap = np.linalg.norm(means[rows[0]] - means[rows[1]], axis=-1)[:, list(factor.classes)].max(1)
            assert gap.min() > 0.08, (factor.name, a, b)


@pytest.mark.parametrize("side", [32, 64])
def test_the_reader_is_right_about_real_images(side: int) -> None:
    streets = Streets((side, side), 500, split="test")
    found = np.array([read(signed(streets.image(i)), streets.layout(i)).factors[0].tolist() for i in range(500)])
    real = np.array([truth(streets, i) for i in range(500)])
    assert ((found == real).mean(0) >= 0.99).all()
    assert ((found < 0).mean(0) < 0.01).all()


@pytest.mark.core
@pytest.mark.parametrize("side", [32, 64])
def test_the_reader_sees_through_a_slight_blur(side: int) -> None:
    streets = Streets((side, side), 40, split="test")
    box = torch.nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    found = np.array([read(box(signed(streets.image(i))), streets.layout(i)).factors[0].tolist() for i in range(40)])
    assert (found == [truth(streets, i) for i in range(40)]).mean() > 0.95


@pytest.mark.core
@pytest.mark.parametrize("factor", FACTORS, ids=NAMES)
def test_a_blend_of_two_values_is_unreadable(factor) -> None:
    streets, rng = Streets((64, 64), 30, split="val"), np.random.default_rng(0)
    refused = []
    for i in range(30):
        values = rng.permutation(len(factor.values))[:2]
        sides = []
        for value in values:
            combination = {other.name: int(rng.integers(len(other.values))) for other in FACTORS}
            sides.append(signed(paint(streets.layout(i), {**combination, factor.name: int(value)})))
        reading = read((sides[0] + sides[1]) / 2, streets.layout(i))
        refused.append(reading.factors[0, NAMES.index(factor.name)].item() == -1)
    assert np.mean(refused) > 0.9


@pytest.mark.core
def test_noise_and_constant_images_are_unreadable() -> None:
    layout = Streets((32, 32), 1).layout(0)
    rng = torch.Generator().manual_seed(0)
    noise = torch.rand(50, 3, 32, 32, generator=rng) * 2 - 1
    flat = (torch.rand(200, 3, 1, 1, generator=rng) * 2 - 1).expand(-1, -1, 32, 32)
    for garbage in (noise, flat):
        assert (read(garbage, layout).factors == -1).all()


@pytest.mark.core
def test_a_factor_without_its_class_is_unreadable_and_absent() -> None:
    layout = Streets((64, 64), 1).layout(0)
    layout = torch.where(layout == CLASSES.index("car"), CLASSES.index("road"), layout).to(torch.uint8)
    reading = read(signed(paint(layout, {"time": 1, "paint": 2})), layout)
    assert reading.factors[0].tolist() == [1, 2, 0, -1, 0]
    assert reading.present.tolist() == [True, True, True, False, True]


@pytest.mark.core
def test_many_images_read_as_one_by_one() -> None:
    layout = Streets((32, 32), 1).layout(0)
    images = torch.cat([signed(paint(layout, dict(zip(NAMES, row)))) for row in COMBINATIONS[::7].tolist()])
    reading = read(images, layout)
    assert reading.factors.tolist() == COMBINATIONS[::7].tolist()
    assert read(images[3:4], layout).factors[0].tolist() == reading.factors[3].tolist()


@pytest.mark.core
def test_export_writes_what_the_data_set_holds(tmp_path) -> None:
    train, val = Streets((32, 32), 3), Streets((32, 32), 2, split="val")
    folder = export(tmp_path / "streets", train, val)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["streets"]  # nothing half-written stays behind
    for streets in (train, val):
        for i in range(len(streets)):
            label = Image.open(folder / f"{streets.split}_label" / f"{i:05d}.png")
            image = np.asarray(Image.open(folder / f"{streets.split}_img" / f"{i:05d}.png"))
            assert label.mode == "L"
            assert np.array_equal(np.asarray(label), streets.layout(i)[0])
            assert np.array_equal(image, streets.image(i).permute(1, 2, 0))
    notes = json.loads((folder / "factors.json").read_text())
    assert [factor["name"] for factor in notes["factors"]] == NAMES
    words = notes["files"]["val"]["00001.png"]
    assert [FACTORS[c].values.index(words[name]) for c, name in enumerate(NAMES)] == truth(val, 1)
    with pytest.raises(DataError, match="not empty"):
        export(folder, train)


@pytest.mark.core
def test_a_folder_that_cannot_be_written_is_named_as_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        DataError, match=r"file/streets cannot be written \(Not a directory\); choose a writable folder"
    ):
        export(tmp_path / "file" / "streets", Streets((32, 32), 1))
