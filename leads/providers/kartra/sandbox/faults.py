"""Told to fail: for one command, n times, counted in the sandbox's file and so across processes.

In one process a broken connection is an exception out of the WSGI application; the server turns it into the real thing.

=========  ======================  =====================================================================
mode       is it done?             what the caller sees
=========  ======================  =====================================================================
lost       done                    ConnectionResetError, no reply
late       done                    `LateReply` (a TimeoutError) at once; from the server, the answer after ``seconds``
refused    not done                ConnectionRefusedError; from the server a reset connection, which a caller cannot
                                   tell from ``lost``
429        not done                HTTP 429 and a line of text
500        not done                HTTP 500 and a page
half       done                    HTTP 200 and the first half of the JSON
short      done                    of a call with several actions the answer, without an element of that command
junk       not done                HTTP 200 and a sign-in page
266        not done                error 266, for refund_transaction
266-done   done                    error 266 all the same, for refund_transaction
=========  ======================  =====================================================================
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leads.providers.kartra.sandbox.state import connect, writing

MODES = ("lost", "late", "refused", "429", "500", "half", "short", "junk", "266", "266-done")
ANY = "*"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one call. ``command`` is the one it was armed for."""

    command: str
    mode: str
    seconds: float


class LateReply(TimeoutError):
    """The work is done; ``body`` is the answer that comes after ``seconds``."""

    def __init__(self, body: bytes, seconds: float) -> None:
        super().__init__("The sandbox was told to answer late.")
        self.body = body
        self.seconds = seconds


def arm(path: Path, command: str, mode: str, times: int = 1, seconds: float = 5.0) -> None:
    """Let the next ``times`` calls that hold the command (``get_lead``, a cmd, or ``*`` for any) fail in this mode.

    Faults armed for the same command are used up in the order in which they were armed. Raises ValueError for a mode
    that does not exist, or does not fit the command.
    """
    if mode not in MODES:
        raise ValueError(f"There is no fault {mode}. There are {', '.join(MODES)}.")
    if mode.startswith("266") and command != "refund_transaction":
        raise ValueError("Only refund_transaction can answer 266.")
    if mode == "short" and command in (ANY, "get_lead"):
        raise ValueError("An answer comes short of one command of several, which has to be named.")
    if times < 1:
        raise ValueError("A fault is armed for one call at least.")
    with closing(connect(path)) as db, writing(db):
        db.execute(
            "INSERT INTO faults (command, mode, times, seconds) VALUES (?, ?, ?, ?)", (command, mode, times, seconds)
        )


def claim(db: sqlite3.Connection, commands: Sequence[str]) -> Fault | None:
    """Use up one of the faults armed for these commands, inside the caller's write transaction."""
    armed = db.execute("SELECT id, command, mode, seconds FROM faults ORDER BY id").fetchall()
    row = next(
        (row for row in armed if row["command"] in (ANY, *commands) and (row["mode"] != "short" or len(commands) > 1)),
        None,
    )
    if row is None:
        return None
    db.execute("UPDATE faults SET times = times - 1 WHERE id = ?", (row["id"],))
    db.execute("DELETE FROM faults WHERE id = ? AND times < 1", (row["id"],))
    return Fault(row["command"], row["mode"], row["seconds"])


def leave_out(body: dict[str, Any], command: str) -> None:
    """Take the first element of this command out of the answer to several actions."""
    elements = body["actions"]
    elements.remove(next(element for element in elements if command in element))
