"""The record of calls, and the limit of calls a second that is counted from it.

The record holds what was asked and when; never who asked with which credentials.
"""

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from leads.providers.kartra.sandbox.state import connect

KEPT = 5_000


class Call(NamedTuple):
    """One call that arrived, whether it was admitted or answered 429. ``at`` is in seconds since 1970."""

    at: float
    account: str
    commands: tuple[str, ...]


def admit(db: sqlite3.Connection, app: str, account: str, commands: Sequence[str], per_second: int) -> bool:
    """Record a call inside the caller's write transaction, and say whether the App is within its limit.

    Refused calls do not count towards the limit.
    """
    now = time.time()
    admitted = True
    if per_second:
        recent = db.execute(
            "SELECT at FROM calls WHERE app = ? AND admitted ORDER BY id DESC LIMIT 1 OFFSET ?", (app, per_second - 1)
        ).fetchone()
        admitted = recent is None or recent["at"] <= now - 1
    last = db.execute(
        "INSERT INTO calls (at, app, account, commands, admitted) VALUES (?, ?, ?, ?, ?)",
        (now, app, account, " ".join(commands), admitted),
    ).lastrowid
    db.execute("DELETE FROM calls WHERE id <= ?", ((last or 0) - KEPT,))
    return admitted


def calls(path: Path) -> list[Call]:
    """The calls that arrived, oldest first, the last `KEPT` of them."""
    with closing(connect(path)) as db:
        rows = db.execute("SELECT at, account, commands FROM calls ORDER BY id").fetchall()
    return [Call(row["at"], row["account"], tuple(row["commands"].split())) for row in rows]
