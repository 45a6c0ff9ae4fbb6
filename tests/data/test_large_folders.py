"""Folders of many files are recognised once, until any file is added, removed or changed."""

from __future__ import annotations

import os
import pickle
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.tiny import ids, labelled, photo, save
from variegate.core.errors import DataError
from variegate.data import open_data
from variegate.data.checks.check import check
from variegate.data.dataset import choice, origins
from variegate.data.dataset.opening import DataConfig
from variegate.data.dataset.pairs import DataSource, Pairs
from variegate.data.files import cache
from variegate.data.readers import remembered
from variegate.data.readers.label_scan import distinct
from variegate.data.readers.records import Table

pytestmark = pytest.mark.core


@pytest.fixture(autouse=True)
def many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Six files count as many, and the cache is empty."""
    monkeypatch.setattr(remembered, "MANY", 6)
    monkeypatch.setenv("VARIEGATE_CACHE", str(tmp_path / "cache"))


class Counter:
    """Counts calls of recognition and of the scan of label maps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self._count(monkeypatch, remembered, "recognise")
        self._count(monkeypatch, choice, "labels_in")

    def _count(self, monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> None:
        real = getattr(module, name)

        def counted(*arguments: object) -> object:
            self.calls.append(name)
            return real(*arguments)

        monkeypatch.setattr(module, name, counted)

    def since(self, work: Callable[[], object]) -> list[str]:
        self.calls.clear()
        work()
        return self.calls


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    return Counter(monkeypatch)


def alike(one: Pairs, other: Pairs) -> None:
    assert (one.description, one.condition, one.splits) == (other.description, other.condition, other.splits)
    for split in one.splits:
        first, second = one.of_split(split), other.of_split(split)
        assert first.files == second.files
        assert all(torch.equal(a, b) for k in range(len(first)) for a, b in zip(first[k], second[k]))


def test_a_second_start_opens_no_file_to_recognise_the_folder(tmp_path: Path, counter: Counter) -> None:
    root = labelled(tmp_path / "data", maps=6)
    first = open_data(root)
    assert counter.calls == ["recognise", "labels_in"]
    assert counter.since(lambda: alike(open_data(root), first)) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (save(root / "train" / "9.jpg", photo()), save(root / "train_labels" / "9.png", ids(0, 1))),
        lambda root: ((root / "train" / "3.jpg").unlink(), (root / "train_labels" / "3.png").unlink()),
        lambda root: save(root / "train_labels" / "3.png", ids(0, 1, 2, 3, 4)),
        lambda root: (root / "train" / "3.jpg").rename(root / "train" / "3.jpeg"),
        lambda root: (root / "classes.txt").write_text("sky\nroad\ntree\n"),
        lambda root: os.utime(root / "train" / "3.jpg", ns=(1, 1)),
    ],
    ids=["added", "removed", "changed", "renamed", "named", "touched"],
)
def test_any_change_is_noticed(change: Callable[[Path], object], tmp_path: Path, counter: Counter) -> None:
    root = labelled(tmp_path / "data", maps=6)
    open_data(root)
    change(root)
    assert counter.since(lambda: open_data(root)) == ["recognise", "labels_in"]
    alike(open_data(root), open_data(root))
    assert len(list((tmp_path / "cache" / "folders").iterdir())) == 1  # the older state is replaced


def test_a_deleted_or_damaged_cache_only_costs_time(tmp_path: Path, counter: Counter) -> None:
    root = labelled(tmp_path / "data", maps=6)
    first = open_data(root)
    files = [file for file in cache.folder().rglob("*.json")]
    assert len(files) == 2
    for text in ("", "{}", '{"stamp": 1, "value": {}}', files[0].read_text().replace('"kind"', '"sort"')):
        for file in files:
            file.write_text(text)
        assert counter.since(lambda: alike(open_data(root), first)) == ["recognise", "labels_in"]
    for file in files:
        file.unlink()
    assert counter.since(lambda: alike(open_data(root), first)) == ["recognise", "labels_in"]


def test_the_fingerprint_is_computed_once_for_each_way_to_hold_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = labelled(tmp_path / "data", maps=6)
    config, real, computed = DataConfig(path=str(root)), DataSource._fingerprint, []
    monkeypatch.setattr(DataSource, "_fingerprint", lambda source: computed.append(source) or real(source))
    held, whole = (config.source(whole=whole).fingerprint for whole in (False, True))
    assert held != whole  # the last pair is in another split
    for _ in range(2):
        assert [config.source(whole=one).fingerprint for one in (False, True)] == [held, whole]
    assert len(computed) == 2
    monkeypatch.setattr(remembered, "MANY", 100)
    assert config.source().fingerprint == held  # as of a folder that is never cached
    monkeypatch.setattr(remembered, "MANY", 6)
    save(root / "train" / "3.jpg", photo(48, 48))
    assert config.source().fingerprint not in (held, whole)


def test_only_items_that_are_asked_for_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = labelled(tmp_path / "data", maps=40)
    first = open_data(root)
    assert first.source.fingerprint
    made: list[int] = []
    real = Table.item
    monkeypatch.setattr(Table, "item", lambda table, number: made.append(number) or real(table, number))
    monkeypatch.setattr(origins, "MEASURED", 8)
    again = open_data(root)
    assert again.source.fingerprint == first.source.fingerprint
    again.raw(5)
    assert made.pop() == 5
    assert len(set(made)) < 30


def test_what_was_remembered_reaches_spawned_workers(tmp_path: Path) -> None:
    root = labelled(tmp_path / "data", maps=6)
    first, again = open_data(root), open_data(root)
    copied: Pairs = pickle.loads(pickle.dumps(again))
    assert all(torch.equal(a, b) for a, b in zip(copied.raw(2), first.raw(2)))


def test_two_named_folders_and_conditions_are_remembered_apart(tmp_path: Path, counter: Counter) -> None:
    root = labelled(tmp_path / "data", maps=6)
    path = {"condition": root / "train_labels", "image": root / "train"}
    first = open_data(path)
    assert counter.since(lambda: alike(open_data(path), first)) == []
    (root / "classes.txt").write_text("sky\nroad\ntree\n")  # beside the two
    assert open_data(path).condition.names == ("sky", "road", "tree")
    edges = open_data(root, condition="edges")
    assert counter.since(lambda: alike(open_data(root, condition="edges"), edges)) == []
    assert edges.condition != first.condition


def test_a_folder_with_a_problem_is_looked_at_again(tmp_path: Path, counter: Counter) -> None:
    root = labelled(tmp_path / "data", maps=6)
    (root / "train" / "3.jpg").unlink()
    for _ in range(2):
        with pytest.raises(DataError, match="3"):
            counter.since(lambda: open_data(root))
        assert "recognise" in counter.calls


def test_the_same_folder_by_another_spelling_has_its_own_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counter: Counter
) -> None:
    labelled(tmp_path / "data", maps=6)
    open_data(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    pairs = open_data("data")
    assert counter.calls.count("recognise") == 1
    assert pairs.files[0] == "data/train/0.jpg"


def test_few_files_are_never_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MANY", 100)
    open_data(labelled(tmp_path / "data", maps=6))
    assert not (tmp_path / "cache").exists()


def linked(root: Path, count: int) -> Path:
    """Hard links to four pairs."""
    for i in range(4):
        save(root / "source" / f"{i}.jpg", photo(32, 32))
        save(root / "source" / f"{i}.png", ids(0, 1, 2, height=32, width=32))
    for side, suffix in (("train_img", "jpg"), ("train_label", "png")):
        (root / "data" / side).mkdir(parents=True)
        for i in range(count):
            os.link(root / "source" / f"{i % 4}.{suffix}", root / "data" / side / f"{i}.{suffix}")
    return root / "data"


def test_a_check_holds_no_pixels_and_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from variegate.core import progress

    monkeypatch.setattr(progress, "SILENCE", 0.0)
    peaks = []
    for count in (60, 240):
        root = linked(tmp_path / str(count), count)
        tracemalloc.start()
        assert check(root).ok
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 180 * 4000  # names and paths, while each pair has 4096 pixels of four values
    told = capsys.readouterr().err
    assert "reading label maps: 240/240" in told
    assert "opening files: 240/240" in told


def test_counted_values_are_the_sorted_ones() -> None:
    rng = np.random.default_rng(0)
    for values in (rng.integers(0, 9, (7, 5)), rng.integers(-3, 9, (7, 5)), rng.integers(0, 1 << 30, (7, 5))):
        for kind in (np.int64, np.int32):
            assert np.array_equal(distinct(values.astype(kind)), np.unique(values))
