"""At most so many calls in any second, over all threads and processes of this machine.

Each call takes the next numbered slot of its name. A slot is due `_SECOND` after the slot N places before it, and who
wakes later than `_LATE` after that throws his slot away and takes another. So any N + 1 calls lie at least a second
apart, whatever the scheduler does, and an idle name gives N calls at once.

People reserve ahead and are served in order. Background work never reserves: it takes a slot that is due now, which
none is while a person waits for his. In a quarter of a second it takes at most a quarter of a second's calls, so that
a person who comes never has a whole second's burst before him.

The slots live in an SQLite file of their own, never in the main database, where a rollback would give a used slot back.
Only calls from this machine are counted: a second machine needs its own share of the rate.
"""

import fcntl
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_SECOND = 1.008  # a second and the time a call may be late
_LATE = 0.0075
_SLACK = 0.004  # so far back a slot taken now may be dated, so that waking late does not add up
_CLOCK_WENT_BACK = 1.0  # a slot made this far in the future was made before the clock was set back

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS slots (
        name TEXT NOT NULL, number INTEGER NOT NULL, due REAL NOT NULL, made REAL NOT NULL, PRIMARY KEY (name, number)
    ) WITHOUT ROWID
"""


class _Slot(NamedTuple):
    number: int
    due: float
    made: float


class Limiter:
    """Paces the calls of each name through the file at ``path``. Threads may share one; make it after a fork."""

    def __init__(
        self,
        path: Path,
        calls_per_second: int,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._calls = calls_per_second
        self._quarter = max(1, calls_per_second // 4)
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def wait(self, name: str, *, background: bool = False) -> None:
        """Return when one call may be made, and make it at once. Call it outside any database transaction."""
        while True:
            slot, is_mine = self._take(name, background=background)
            if is_mine:
                if self._wait_for(name, slot):
                    return
            else:
                self._sleep(max(0.0, slot.due - self._clock()))

    def pause(self, name: str, seconds: float) -> None:
        """Let nobody call for so long, nor those who wait already; their order stays. Never shortens a pause."""
        with self._transaction() as (connection, now):
            last = _last(connection, name, now)
            waiting = connection.execute(
                "UPDATE slots SET due = due + max(0, :until - ("
                "  SELECT min(due) FROM slots WHERE name = :name AND due > :now"
                ")) WHERE name = :name AND due > :now",
                {"name": name, "now": now, "until": now + seconds},
            )
            if not waiting.rowcount:  # a slot that nobody uses holds the place
                _insert(connection, name, _Slot(last.number + 1, now + seconds, now))

    def close(self) -> None:
        """Close the file. The next call opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _take(self, name: str, *, background: bool) -> tuple[_Slot, bool]:
        """The next slot, and whether it is taken now; background work does not take one that is not due."""
        with self._transaction() as (connection, now):
            last = _last(connection, name, now)
            due = max(last.due, _due(connection, name, last.number + 1 - self._calls) + _SECOND)
            if background:
                share = _due(connection, name, last.number + 1 - self._quarter) + self._quarter / self._calls
                due = max(due, share)
            slot = _Slot(last.number + 1, max(due, now - _SLACK), now)
            if background and slot.due > now:
                return slot, False
            _insert(connection, name, slot)
            connection.execute(
                "DELETE FROM slots WHERE name = ? AND number <= ? AND due < ?",
                (name, slot.number - self._calls, now - _SECOND),
            )
            return slot, True

    def _wait_for(self, name: str, slot: _Slot) -> bool:
        """Sleep until the slot is due. False where it was missed, or the clock was set back meanwhile."""
        while (now := self._clock()) < slot.due:
            self._sleep(slot.due - now)
            with self._open() as connection:  # a pause moves the slot
                row = connection.execute(
                    "SELECT number, due, made FROM slots WHERE name = ? AND number = ?", (name, slot.number)
                ).fetchone()
            if row is None or row[2] > self._clock() + _CLOCK_WENT_BACK:
                return False
            slot = _Slot(*row)
        return now - slot.due <= _LATE

    @contextmanager
    def _transaction(self) -> Iterator[tuple[sqlite3.Connection, float]]:
        """A write transaction, and the time read inside it, so that times follow the order of the slots."""
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection, self._clock()
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._connection is None:
                self._connection = _connect(self._path)
            yield self._connection


def _connect(path: Path) -> sqlite3.Connection:
    """Open the file, made on first use; under a lock, since two that turn it to WAL at once get in each other's way."""
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(_SCHEMA)
    return connection


def _last(connection: sqlite3.Connection, name: str, now: float) -> _Slot:
    """The newest slot. Where the clock was set back, all slots give way to one that keeps a second of silence."""
    row = connection.execute(
        "SELECT number, due, made FROM slots WHERE name = ? ORDER BY number DESC LIMIT 1", (name,)
    ).fetchone()
    if row is None:
        return _Slot(0, 0.0, 0.0)
    last = _Slot(*row)
    if last.made <= now + _CLOCK_WENT_BACK:
        return last
    connection.execute("DELETE FROM slots WHERE name = ?", (name,))
    silence = _Slot(last.number + 1, now + _SECOND, now)
    _insert(connection, name, silence)
    return silence


def _due(connection: sqlite3.Connection, name: str, number: int) -> float:
    """When that slot was due; long ago where it is gone."""
    row = connection.execute("SELECT due FROM slots WHERE name = ? AND number = ?", (name, number)).fetchone()
    return float(row[0]) if row else 0.0


def _insert(connection: sqlite3.Connection, name: str, slot: _Slot) -> None:
    connection.execute("INSERT INTO slots VALUES (?, ?, ?, ?)", (name, *slot))
