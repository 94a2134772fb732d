"""Where the limiter's slots lie. Never in a transaction of the desk, where a rollback would give a used slot back."""

import fcntl
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from kartra_admin.lib.pacing import Execute, NoTurn, Rows

_TABLE = """
    pacing_slots (
        name TEXT NOT NULL, number BIGINT NOT NULL, due DOUBLE PRECISION NOT NULL, made DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (name, number)
    )
"""
# The lock of PostgreSQL under which the table is made, and the first half of those under which slots are taken.
_LOCK = 7_226_001
_LOOK_AGAIN_AFTER = 10.0  # seconds; two clocks drift apart by less than a millisecond meanwhile
_LOOK_EVERY, _LOOKS_AT_FIRST = 0.2, 10
_CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float8"


class FileSlots:
    """In an SQLite file of its own, for the threads and processes of one machine."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self.clock = clock

    @contextmanager
    def transaction(self, name: str) -> Iterator[tuple[Execute, float]]:
        with self._open() as connection:

            def execute(sql: str, *values: Any) -> Rows:
                return connection.execute(sql, values).fetchall()

            connection.execute("BEGIN IMMEDIATE")
            try:
                yield execute, self.clock()
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def read(self, sql: str, *values: Any) -> Rows:
        with self._open() as connection:
            return connection.execute(sql, values).fetchall()

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock:
                if self._connection is None:
                    self._connection = _connect(self._path)
                yield self._connection
        except (sqlite3.Error, OSError) as error:  # opening the lock beside it may fail, too
            raise NoTurn(f"the file of slots: {error}") from None


def _connect(path: Path) -> sqlite3.Connection:
    """Open the file, made on first use; under a lock, since two that turn it to WAL at once get in each other's way."""
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"CREATE TABLE IF NOT EXISTS {_TABLE} WITHOUT ROWID")
    return connection


class DatabaseSlots:
    """In PostgreSQL, for the processes of any number of machines, by the database's own clock.

    ``connect`` opens a connection of psycopg's that commits by itself. The table is kept out of the log of the server:
    after a crash it is empty, and a crash takes longer than a second.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._connection: Any = None
        self._ahead = 0.0  # of this process's own clock, as looked at so quickly, then
        self._looked = (float("inf"), 0.0)
        self._last_look = float("-inf")

    @contextmanager
    def transaction(self, name: str) -> Iterator[tuple[Execute, float]]:
        """In few round trips, since all others wait meanwhile: what gives no rows travels with what comes after it."""
        with self._open() as connection:
            self._look_at_clock(connection)
            with connection.pipeline(), connection.transaction():
                execute = _execute(connection)
                connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_LOCK, name))
                yield execute, float(execute(_CLOCK)[0][0])

    def read(self, sql: str, *values: Any) -> Rows:
        with self._open() as connection:
            return _execute(connection)(sql, *values)

    def clock(self) -> float:
        """As far as it is known from here, to half of what the quickest look of the last seconds took."""
        return time.monotonic() + self._ahead

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _look_at_clock(self, connection: Any) -> None:
        """Now and then, and without a lock, for waiting would pass for the way to the server."""
        if time.monotonic() - self._last_look < _LOOK_EVERY:
            return
        for _ in range(1 if self._last_look > 0 else _LOOKS_AT_FIRST):
            before = time.monotonic()
            now = float(_execute(connection)(_CLOCK)[0][0])
            after = time.monotonic()
            quickest, at = self._looked
            if after - before <= quickest or after - at > _LOOK_AGAIN_AFTER:
                self._ahead, self._looked = now - (before + after) / 2, (after - before, after)
        self._last_look = after

    @contextmanager
    def _open(self) -> Iterator[Any]:
        import psycopg  # late: not needed where everything lies in files

        with self._lock:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = self._connect()
                    _make_table(self._connection)
                yield self._connection
            except psycopg.Error as error:
                self._drop()
                raise NoTurn(f"the table of slots: {type(error).__name__}") from None

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(Exception):
                self._connection.close()
            self._connection = None


def _execute(connection: Any) -> Execute:
    def execute(sql: str, *values: Any) -> Rows:
        cursor = connection.execute(sql.replace("%", "%%").replace("?", "%s"), values)
        return list(cursor.fetchall()) if sql.startswith("SELECT") else []

    return execute


def _make_table(connection: Any) -> None:
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        connection.execute(f"CREATE UNLOGGED TABLE IF NOT EXISTS {_TABLE}")
