"""Neighbours are exactly the pairs with similar conditions, few of them stand for many, and training sees them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import default_collate

from helpers.tiny import ids, photo, save
from variegate.core.config import Neighbours, Training
from variegate.core.errors import ConfigError
from variegate.data import open_data
from variegate.data.dataset.visits import Visits, to_batch
from variegate.data.files import cache
from variegate.data.statistics import neighbours as module
from variegate.data.statistics.descriptors import Described, describe
from variegate.data.statistics.neighbours import Found, key, neighbours, search, suggest
from variegate.data.statistics.neighbours_sheet import neighbours_sheet, spread
from variegate.methods.latent_dropout import latent_dropout
from variegate.runs.settings import ExecutionSettings
from variegate.training.loop import stream

pytestmark = pytest.mark.core


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("VARIEGATE_CACHE", str(folder))
    return folder


def random_data(count: int = 60, numbers: int = 9, seed: int = 0) -> Described:
    """Conditions in eighths, so that sums are exact in any order."""
    rng = np.random.default_rng(seed)
    conditions = np.round(rng.normal(size=(count, numbers)) * 8) / 8
    return Described(conditions.astype(np.float32), rng.random((count, 300)).astype(np.float32))


def brute_force(conditions: np.ndarray, threshold: float) -> list[list[int]]:
    """Numbers of the neighbours of each row, nearest first."""
    away = np.abs(conditions[:, None].astype(np.float64) - conditions[None]).sum(axis=2)
    rows = [sorted(range(len(away)), key=lambda j, i=i: (away[i, j], j)) for i in range(len(away))]
    return [[j for j in row if j != i and away[i, j] < threshold] for i, row in enumerate(rows)]


@pytest.mark.parametrize(("count", "numbers"), [(60, 9), (600, 20), (5, 1)])  # 600: more than one block
@pytest.mark.parametrize("share", [0.01, 0.1, 0.3])
def test_the_search_is_that_of_every_pair_with_every_other(count: int, numbers: int, share: float) -> None:
    data = random_data(count, numbers)
    gaps = np.abs(data.conditions[:, None] - data.conditions[None]).sum(axis=2)
    threshold = float(np.quantile(gaps[np.triu_indices(count, 1)], share)) * 1.0001
    found, wanted = search(data, Neighbours(threshold=threshold, most=300)), brute_force(data.conditions, threshold)
    assert found.within.tolist() == [len(row) for row in wanted]
    wanted = [row[: module.GROUPED] for row in wanted]
    assert [[j for j in row if j >= 0] for row in found.others.tolist()] == wanted
    assert found.kept.tolist() == [len(row) for row in wanted]
    for k, row in enumerate(wanted):
        assert found.distances[k, : len(row)] == pytest.approx(gaps[k, row], rel=1e-5)
        assert np.isinf(found.distances[k, len(row) :]).all()


def test_neighbours_are_nearer_than_the_threshold_not_at_it() -> None:
    conditions = np.array([[0], [2], [5], [2]], dtype=np.float32)
    data = Described(conditions, np.zeros((4, 300), dtype=np.float32))

    def found(threshold: float) -> list[list[int]]:
        rows = search(data, Neighbours(threshold=threshold)).others.tolist()
        return [[j for j in row if j >= 0] for row in rows]

    assert found(2.0) == [[], [3], [], [1]]
    assert found(2.001) == [[1, 3], [3, 0], [], [1, 0]]
    assert found(3.001) == [[1, 3], [3, 0, 2], [1, 3], [1, 0, 2]]


def test_one_member_of_each_group_of_colours_is_kept_and_none_of_the_true_images_own() -> None:
    """42 alike conditions in seven groups of six colours."""
    groups = np.arange(42) % 7
    rng = np.random.default_rng(1)
    colours = np.eye(7, 300, dtype=np.float32)[groups] + rng.normal(0, 0.01, (42, 300)).astype(np.float32)
    data = Described(np.arange(42, dtype=np.float32)[:, None] / 1000, colours)
    found = search(data, Neighbours(threshold=1.0))
    assert found.within.tolist() == [41] * 42
    for k, row in enumerate(found.others):
        assert sorted(groups[row]) == [group for group in range(7) if group != groups[k]]
        assert np.all(np.diff(found.distances[k]) >= 0)
    again = search(data, Neighbours(threshold=1.0))
    assert all(np.array_equal(one, two) for one, two in zip(found, again))
    kept = {int(j) for row in found.others for j in row}
    assert kept == set(range(42)), "members are chosen by chance, not always the first or the nearest"


def test_groups_are_only_made_of_more_than_the_most() -> None:
    data = Described(np.zeros((7, 1), np.float32), np.eye(2, 300, dtype=np.float32)[[0, 0, 0, 1, 1, 1, 1]])
    whole, grouped = (search(data, Neighbours(threshold=1.0, most=most)) for most in (7, 6))
    assert whole.others[0].tolist() == [1, 2, 3, 4, 5, 6]
    assert whole.others[6].tolist() == [0, 1, 2, 3, 4, 5]
    assert grouped.kept.tolist() == [1] * 7, "there are two colours, one of which is the true image's"
    assert all(row[0] in ((3, 4, 5, 6) if k < 3 else (0, 1, 2)) for k, row in enumerate(grouped.others))


def test_a_suggested_threshold_gives_half_of_the_pairs_a_neighbour() -> None:
    for scale in (1e-4, 1.0, 3e4):
        data = random_data(101)
        data = data._replace(conditions=data.conditions * np.float32(scale))
        share = (search(data, Neighbours(threshold=suggest(data))).within > 0).mean()
        assert 0.5 < share < 0.6
    twins = Described(np.zeros((4, 2), np.float32), np.zeros((4, 300), np.float32))
    assert search(twins, Neighbours(threshold=suggest(twins))).within.tolist() == [3] * 4


def test_the_key_changes_with_everything_that_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    data, settings = random_data(), Neighbours(threshold=3.0)
    other, colour = data.conditions.copy(), data.colours.copy()
    other[7, 3] += 1e-3
    colour[59, 299] += 1e-3
    keys = [key(data, settings), key(data._replace(conditions=other), settings)]
    keys += [key(data._replace(colours=colour), settings)]
    keys += [key(data, Neighbours(threshold=3.1)), key(data, Neighbours(threshold=3.0, most=6))]
    keys += [key(data._replace(conditions=data.conditions.reshape(30, 18)), settings)]
    monkeypatch.setattr(module, "VERSION", 99)
    keys += [key(data, settings)]
    assert len(set(keys)) == len(keys)
    monkeypatch.undo()
    assert key(random_data(), settings) == keys[0]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every search."""
    searches: list[int] = []

    def counting(*args: Any) -> Found:
        searches.append(1)
        return search(*args)

    monkeypatch.setattr(module, "search", counting)
    return searches


def equal(one: Found, two: Found) -> bool:
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(one, two))


def test_the_same_data_are_searched_once_and_a_damaged_file_is_never_used(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs, settings = open_data("streets:40", 32), Neighbours(threshold=0.3)
    searches = counted(monkeypatch)
    first = neighbours(pairs, settings)
    assert equal(neighbours(open_data("streets:40", 32), settings), first)
    assert len(searches) == 1
    (file,) = [path for path in own_cache.rglob("*") if path.is_file()]
    good = file.read_bytes()
    for bad in (good[:100], b"", b"not a zip"):
        file.write_bytes(bad)
        searches.clear()
        assert equal(neighbours(pairs, settings), first)
        assert len(searches) == 1
        assert equal(neighbours(pairs, settings), first)
        assert len(searches) == 1, "it was mended"
    for i in range(0, len(good), 5):
        file.write_bytes(good[:i] + bytes([good[i] ^ 255]) + good[i + 1 :])
        kept = cache.load("neighbours", file.stem, first._asdict())
        assert kept is None or equal(Found(**kept), first)
    with file.open("wb") as opened:
        np.savez(opened, others=first.others[:-1], distances=first.distances, within=first.within)
    searches.clear()
    assert equal(neighbours(pairs, settings), first)
    assert len(searches) == 1, "it was of other data"
    assert [p.name for p in file.parent.iterdir()] == [file.name], "nothing half written is left behind"
    neighbours(pairs, Neighbours(threshold=0.31))
    assert len(searches) == 2


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VARIEGATE_CACHE", str(tmp_path / "own"))
    assert cache.folder() == tmp_path / "own"
    monkeypatch.delenv("VARIEGATE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.folder() == tmp_path / "xdg" / "variegate"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.folder() == Path.home() / ".cache" / "variegate"


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("VARIEGATE_CACHE", str(tmp_path / "file" / "cache"))
    assert neighbours(open_data("streets:20", 32), Neighbours(threshold=0.4)).within.any()


def test_visits_hold_the_images_of_neighbours_cropped_and_mirrored_as_their_own() -> None:
    pairs = open_data("streets:6", 32)
    others = np.array([[0, 0, -1], [1, 4, 2], [-1, -1, -1], [3, 3, 3], [0, 1, 2], [5, -1, -1]], dtype=np.int32)
    visits, plain = Visits(pairs, 1.4, True, others), Visits(pairs, 1.4, True)
    crops = set()
    for visit in [(k, 1000 + 7 * i + k) for k in range(6) for i in range(5)]:
        seen, alone = visits[visit], plain[visit]
        assert set(alone) == {"condition", "image", "index", "key"}
        assert all(torch.equal(torch.as_tensor(seen[name]), torch.as_tensor(alone[name])) for name in alone)
        assert seen["present"].tolist() == [n >= 0 for n in others[visit[0]]]
        for number, image in zip(others[visit[0]], seen["neighbours"]):
            expected = plain[int(number), visit[1]]["image"] if number >= 0 else torch.zeros(3, 32, 32)
            assert torch.equal(image, expected)
        crops.add(seen["image"].numpy().tobytes())
    assert len(crops) > 20


def test_neighbours_of_a_condition_made_after_the_crop_are_images() -> None:
    pairs = open_data("streets:4", 32, condition="superres:4")
    others = np.array([[1], [0], [3], [-1]], dtype=np.int32)
    visit = Visits(pairs, 1.4, True, others)[0, 3]
    assert torch.equal(visit["neighbours"][0], Visits(pairs, 1.4, True)[1, 3]["image"])


def test_a_batch_has_neighbours_in_the_range_of_images() -> None:
    pairs, others = open_data("streets:3", 32), np.array([[1, 2], [0, -1], [-1, -1]], dtype=np.int32)
    visits = Visits(pairs, others=others)
    batch = to_batch(default_collate([visits[k, k] for k in range(3)]), pairs.condition)
    assert batch.neighbours is not None
    assert batch.present is not None
    assert batch.neighbours.shape == (3, 2, 3, 32, 32)
    assert batch.present.tolist() == [[True, True], [True, False], [False, False]]
    assert torch.equal(batch.neighbours[0, 1], batch.image[2])
    assert torch.equal(batch.neighbours[1, 0], batch.image[0])
    without = to_batch(default_collate([Visits(pairs)[0, 0]]), pairs.condition)
    assert without.neighbours is without.present is None


def fabric(rank: int = 0, world: int = 1) -> Any:
    alone = contextlib.nullcontext()
    return SimpleNamespace(
        global_rank=rank, world_size=world, to_device=lambda raw: raw, rank_zero_first=lambda local: alone
    )


def batches(threshold: float, rank: int = 0, world: int = 1, step: int = 0, workers: int = 0) -> list[Any]:
    settings = Training(batch_size=4, jitter=1.2, flip=True, neighbours=Neighbours(threshold=threshold, most=4))
    chosen = latent_dropout().model_copy(update={"training": settings})
    run = ExecutionSettings(quiet=True, workers=workers, channels_last=False)
    return [*islice(stream(open_data("streets:30", 32), chosen, run, fabric(rank, world), step), 3)]


def test_training_sees_the_same_neighbours_after_a_stop_in_two_processes_and_with_workers() -> None:
    whole = batches(0.35)
    assert whole[0].neighbours.shape == (4, 3, 3, 32, 32)
    assert any(batch.present.any() for batch in whole)

    def same(one: Any, two: Any) -> bool:
        return all(torch.equal(getattr(one, name), getattr(two, name)) for name in ("image", "neighbours", "present"))

    assert same(batches(0.35, step=2)[0], whole[2])
    for rank in (0, 1):
        part = batches(0.35, rank, 2)[1]
        share = slice(rank, None, 2)
        assert torch.equal(part.neighbours, whole[1].neighbours[share])
        assert torch.equal(part.present, whole[1].present[share])
    assert all(same(*both) for both in zip(batches(0.35, workers=2), whole))


def test_nothing_is_sought_or_added_without_a_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    searches = counted(monkeypatch)
    for with_none, before in zip(batches(0.0), batches(0.35)):
        assert with_none.neighbours is with_none.present is None
        assert torch.equal(with_none.image, before.image)
    assert len(searches) == 1


def test_data_in_which_nobody_has_neighbours_are_refused_in_one_sentence(tmp_path: Path) -> None:
    pairs = open_data("streets:20", 32)
    with pytest.raises(
        ConfigError, match=r"no two conditions of the 20 pairs of streets are closer than .*0\.001 \(share"
    ):
        neighbours(pairs, Neighbours(threshold=0.001))
    with pytest.raises(ConfigError, match="closer than"):  # from the cache, too
        neighbours(pairs, Neighbours(threshold=0.001))
    one = open_data("streets:1", 32)
    with pytest.raises(ConfigError, match="add pairs"):
        neighbours(one, Neighbours(threshold=1.0))
    with pytest.raises(ConfigError, match="there is only 1"):
        neighbours_sheet(one, tmp_path, None)
    with pytest.raises(ConfigError, match="unpaired"):
        describe(open_data("streets:4", 32, unpaired=True))


def test_label_maps_that_are_alike_are_neighbours(tmp_path: Path) -> None:
    for i, values in enumerate([(0, 1), (0, 1), (2, 1), (0, 1), (1, 1)]):
        save(tmp_path / "labels" / f"{i}.png", ids(*values))
        save(tmp_path / "images" / f"{i}.png", photo())
    found = neighbours(open_data(tmp_path), Neighbours(threshold=0.4))
    assert [[j for j in row if j >= 0] for row in found.others.tolist()] == [[1, 3], [0, 3], [], [0, 1]]
    assert neighbours(open_data(tmp_path), Neighbours(threshold=0.51)).within.tolist() == [3] * 4
    assert found.distances[0, :2].tolist() == [0, 0]


def test_the_sheet_shows_pairs_with_their_neighbours(tmp_path: Path) -> None:
    pairs = open_data("streets:40", 32)
    path, text = neighbours_sheet(pairs, tmp_path / "a", 0.35, most=4, count=3)
    found = neighbours(pairs, Neighbours(threshold=0.35, most=4))
    saved = json.loads(path.with_suffix(".json").read_text())
    assert (saved["threshold"], saved["most"], len(saved["neighbours"])) == (0.35, 4, 40)
    for k, file in enumerate(pairs.files):
        assert list(saved["neighbours"][file]) == [pairs.files[j] for j in found.others[k] if j >= 0]
    assert f"{(found.within > 0).mean():.0%} of 40" in text
    page = np.array(Image.open(path))
    shown = spread(found.within, 3)
    assert found.within[shown[0]] == found.within[found.within > 0].min()
    assert found.within[shown[-1]] == found.within.max()
    row, left = shown[0], 6 + 2 * 134 + 12  # the first neighbour of the first row
    tile = np.array(Image.fromarray(page[30:158, left : left + 128]).resize((32, 32), 4))
    wanted = pairs.raw(int(found.others[row, 0]))[1].permute(1, 2, 0).numpy()
    assert np.abs(tile.astype(int) - wanted).mean() < 8


def test_spread_takes_pairs_with_neighbours_only() -> None:
    assert spread(np.array([0, 5, 0, 1, 3], dtype=np.int32), 2) == [3, 1]
    assert spread(np.array([0, 5, 0, 1, 3], dtype=np.int32), 9) == [3, 4, 1]


def test_the_command_suggests_a_threshold(tmp_path: Path) -> None:
    line = ["data", "neighbours", "streets:20", "--size", "32", "--out", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-m", "variegate", *line], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "half of the pairs have a neighbour closer than this" in done.stdout
    assert (tmp_path / "out" / "neighbours.png").is_file()


@pytest.mark.parametrize(
    ("threshold", "most", "words"), [(None, 1, "most: "), (-1.0, 7, "threshold: "), (0.0, 7, "no two conditions")]
)
def test_numbers_that_make_no_sense_are_refused(threshold: float | None, most: int, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        neighbours_sheet(open_data("streets:20", 32), tmp_path, threshold, most)
