"""What the store acknowledged it keeps: under many threads, on a full disk, twice sent, or sent differently."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from variegate.studio.study.store import Busy, CannotStore, Contradiction, Crowded, Store

pytestmark = pytest.mark.core
THREADS, EACH = 32, 6


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Store.create(tmp_path / "answers.sqlite").close()
    return tmp_path / "answers.sqlite"


def test_thirty_two_threads_lose_nothing(path: Path) -> None:
    def take_part(_: int) -> tuple[int, str]:
        one = store.join(lambda number: f"plan {number}")
        for trial in range(EACH):
            store.add(one.number, trial, {"choice": trial})
        return one.number, one.id

    with Store(path) as store, ThreadPoolExecutor(THREADS) as pool:
        people = list(pool.map(take_part, range(THREADS)))
    with Store(path) as again:
        assert sorted(number for number, _ in people) == list(range(THREADS))
        assert len({identity for _, identity in people}) == THREADS
        assert len(again.answers()) == THREADS * EACH
        for number, identity in people:
            found = again.participant(identity)
            assert found is not None
            assert (found.number, found.plan) == (number, f"plan {number}")
            assert found.answered == tuple(range(EACH))


def test_the_same_answer_twice_is_stored_once_and_another_is_refused(path: Path) -> None:
    with Store(path) as store:
        one = store.join(str)
        store.add(one.number, 0, {"choice": "real", "frames": 30})
        store.add(one.number, 0, {"frames": 30, "choice": "real"})
        with pytest.raises(Contradiction, match="answered before, differently"):
            store.add(one.number, 0, {"choice": "fake", "frames": 30})
        [kept] = store.answers()
    assert kept.content == {"choice": "real", "frames": 30}


def test_every_answer_is_synced_before_it_is_acknowledged(path: Path) -> None:
    with Store(path) as store:
        assert store.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert store.connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_a_full_disk_refuses_an_answer_and_keeps_the_earlier_ones(path: Path) -> None:
    with Store(path) as store:
        one = store.join(str)
        store.add(one.number, 0, {"choice": "real"})
        [pages] = store.connection.execute("PRAGMA page_count").fetchone()
        store.connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(CannotStore, match="full or cannot be written; your earlier answers are safe"):
            store.add(one.number, 1, {"choice": "x" * 100_000})
        assert [answer.trial for answer in store.answers()] == [0]
        store.connection.execute("PRAGMA max_page_count = 1000000")
        store.add(one.number, 1, {"choice": "x" * 100_000})
    with Store(path) as again:
        assert [answer.trial for answer in again.answers()] == [0, 1]


def test_another_process_that_writes_for_too_long_is_told_apart_from_a_full_disk(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    with Store(path) as store:
        one = store.join(str)
        store.connection.execute("PRAGMA busy_timeout = 10")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy, match="the server is busy"):
            store.add(one.number, 0, {})
        other.execute("ROLLBACK")
        store.add(one.number, 0, {})
    other.close()


def test_answers_can_be_read_while_they_are_written(path: Path) -> None:
    with Store(path) as store, Store(path) as reader:
        one = store.join(str)
        store.add(one.number, 0, {"choice": "real"})
        assert len(reader.answers()) == 1


def test_what_is_no_database_of_answers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database" * 1000)
    sqlite3.connect(tmp_path / "other").close()
    with pytest.raises(CannotStore, match="cannot be opened"):
        Store(tmp_path / "text")
    with pytest.raises(CannotStore, match="is not a database of answers"):
        Store(tmp_path / "other")
    with pytest.raises(CannotStore, match="cannot be opened"):
        Store(tmp_path / "missing")


def test_participants_are_limited(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("variegate.studio.study.store.MOST_PARTICIPANTS", 1)
    with Store(path) as store:
        store.join(str)
        with pytest.raises(Crowded, match="admits no more"):
            store.join(str)
