"""The record of calls, and the limit of calls a second that is counted from it.

The record holds what was asked and when; never who asked with which credentials.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from leads.providers.kartra.sandbox.state import connect

KEPT = 5_000
RECENT = 500  # among these lie all calls of the last second, refused ones too


class Call(NamedTuple):
    """One call that arrived, whether it was admitted or answered 429. ``at`` is in seconds since 1970."""

    at: float
    account: str
    commands: tuple[str, ...]


def admit(
    db: sqlite3.Connection, app: str, account: str, commands: Sequence[str], per_second: int, arrived: float
) -> bool:
    """Record a call inside the caller's write transaction, and say whether the App is within its limit.

    A call counts when it ``arrived``, however long it waited for others since. Refused calls do not count.
    """
    admitted = True
    if per_second:
        recent = db.execute(
            "SELECT count(*) AS calls FROM (SELECT at, app, admitted FROM calls ORDER BY id DESC LIMIT ?)"
            " WHERE app = ? AND admitted AND at > ? AND at < ?",
            (RECENT, app, arrived - 1, arrived + 1),
        ).fetchone()
        admitted = recent["calls"] < per_second
    last = db.execute(
        "INSERT INTO calls (at, app, account, commands, admitted) VALUES (?, ?, ?, ?, ?)",
        (arrived, app, account, " ".join(commands), admitted),
    ).lastrowid
    db.execute("DELETE FROM calls WHERE id <= ?", ((last or 0) - KEPT,))
    return admitted


def calls(path: Path) -> list[Call]:
    """The calls that arrived, oldest first, the last `KEPT` of them."""
    with closing(connect(path)) as db:
        rows = db.execute("SELECT at, account, commands FROM calls ORDER BY at, id").fetchall()
    return [Call(row["at"], row["account"], tuple(row["commands"].split())) for row in rows]
