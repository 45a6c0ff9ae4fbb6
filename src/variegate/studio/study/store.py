"""The answers of a study in SQLite: what is acknowledged is on the disk.

Every answer is its own transaction in a write-ahead log, which is synced before the call returns, so neither a killed
server nor a power failure loses one that was acknowledged.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ...core.errors import VariegateError

APPLICATION = 0x76617269  # marks a database as one of a study
BUSY_TIMEOUT = 10  # seconds to wait for another process that writes
MOST_PARTICIPANTS = 10_000
DISK = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
TABLES = """
CREATE TABLE participants (
    id TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, plan TEXT NOT NULL, joined TEXT NOT NULL
);
CREATE TABLE answers (
    participant INTEGER NOT NULL REFERENCES participants (number), trial INTEGER NOT NULL, content TEXT NOT NULL,
    received TEXT NOT NULL, PRIMARY KEY (participant, trial)
);
"""


class CannotStore(VariegateError):
    """The disk is full or cannot be written; what was acknowledged before is untouched."""


class Busy(VariegateError):
    """Another process has been writing for too long."""


class Crowded(VariegateError):
    """No more participants are admitted."""


class Contradiction(VariegateError):
    """A trial was answered before, in another way."""


@dataclass(frozen=True)
class Participant:
    """Who takes part.

    Attributes:
        number: from 0, in the order in which participants joined.
        plan: the trials, as they were written down when the participant joined.
        answered: numbers of trials.
    """

    id: str
    number: int
    plan: str
    answered: tuple[int, ...] = ()


class StoredAnswer(NamedTuple):
    participant: int
    trial: int
    content: dict[str, Any]
    received: str


class Store:
    """A database of answers, for any number of threads; other processes may have it open, too."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            self.connection = connect(path)
            [marked] = self.connection.execute("PRAGMA application_id").fetchone()
        except sqlite3.DatabaseError as error:
            raise CannotStore(f"{path}: cannot be opened ({error}); restore it from a backup") from None
        if marked != APPLICATION:
            self.connection.close()
            raise CannotStore(f"{path}: is not a database of answers; restore it from a backup")

    @classmethod
    def create(cls, path: Path) -> Store:
        """A new, empty database."""
        connection = sqlite3.connect(path)
        with connection:
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.executescript(TABLES)
        connection.close()
        return cls(path)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            self.connection.close()

    def join(self, make_plan: Callable[[int], str]) -> Participant:
        """Admit a participant, whose plan is that of the next free number.

        Raises:
            Crowded: there are MOST_PARTICIPANTS.
            CannotStore, Busy: see there.
        """
        with self._writing():
            [number] = self.connection.execute("SELECT COALESCE(MAX(number) + 1, 0) FROM participants").fetchone()
            if number >= MOST_PARTICIPANTS:
                raise Crowded(f"this study has {MOST_PARTICIPANTS} participants and admits no more")
            joined = Participant(secrets.token_urlsafe(16), number, make_plan(number))
            row = (joined.id, joined.number, joined.plan, now())
            self.connection.execute("INSERT INTO participants VALUES (?, ?, ?, ?)", row)
        return joined

    def participant(self, identity: str) -> Participant | None:
        """The participant of an id; None if there is none."""
        with self._lock:
            query = "SELECT id, number, plan FROM participants WHERE id = ?"
            row = self.connection.execute(query, (identity,)).fetchone()
            if row is None:
                return None
            query = "SELECT trial FROM answers WHERE participant = ? ORDER BY trial"
            answered = tuple(trial for (trial,) in self.connection.execute(query, (row[1],)))
        return replace(Participant(*row), answered=answered)

    def add(self, participant: int, trial: int, content: dict[str, Any]) -> None:
        """Store an answer; once this returns, it is on the disk. The same answer again changes nothing.

        Raises:
            Contradiction: another answer to this trial is stored.
            CannotStore, Busy: see there; the answer is not stored, those before are.
        """
        text = json.dumps(content, sort_keys=True)
        with self._writing():
            query = "SELECT content FROM answers WHERE participant = ? AND trial = ?"
            before = self.connection.execute(query, (participant, trial)).fetchone()
            if before is None:
                row = (participant, trial, text, now())
                self.connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?)", row)
            elif before[0] != text:
                raise Contradiction("this trial has been answered before, differently; the first answer counts")

    def participants(self) -> list[Participant]:
        with self._lock:
            rows = self.connection.execute("SELECT id, number, plan FROM participants ORDER BY number").fetchall()
        return [Participant(*row) for row in rows]

    def answers(self) -> list[StoredAnswer]:
        """All answers, by participant and trial."""
        with self._lock:
            rows = self.connection.execute("SELECT * FROM answers ORDER BY participant, trial").fetchall()
        return [StoredAnswer(number, trial, json.loads(text), when) for number, trial, text, when in rows]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction that is committed and synced at the end, or leaves nothing behind."""
        with self._lock:
            try:
                self.connection.execute("BEGIN IMMEDIATE")
                yield
                self.connection.execute("COMMIT")
            except sqlite3.OperationalError as error:
                code = error.sqlite_errorcode & 0xFF
                if code in DISK:
                    raise CannotStore(
                        "the server's disk is full or cannot be written; your earlier answers are safe"
                    ) from error
                if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    raise Busy("the server is busy") from error
                raise
            finally:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")


def connect(path: Path) -> sqlite3.Connection:
    """Open an existing database, in which every commit is synced."""
    place = f"{path.absolute().as_uri()}?mode=rw"
    found = sqlite3.connect(place, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        found.execute("PRAGMA journal_mode = WAL")
        found.execute("PRAGMA synchronous = FULL")
    except sqlite3.DatabaseError:
        found.close()
        raise
    return found


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
