"""What a command works with: the open state, the account, the posted lead."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from leads.providers.kartra.sandbox.errors import Declined
from leads.providers.kartra.sandbox.form import Array, Value
from leads.providers.kartra.sandbox.state import NO_DATE


@dataclass
class Desk:
    """One call being served. ``lead_id`` is set once the lead is found, or made."""

    db: sqlite3.Connection
    account_id: int
    now: datetime
    test_mode: bool
    lead: Array
    fault: str = ""
    lead_id: int | None = None

    def named(self, table: str, name: str) -> int | None:
        """The id of what has this exact name in the account."""
        row = self.db.execute(
            f"SELECT id FROM {table} WHERE account_id = ? AND name = ?",  # noqa: S608  (a table of ours)
            (self.account_id, name),
        ).fetchone()
        return row["id"] if row else None

    def owned(self, table: str, number: str) -> sqlite3.Row | None:
        """The row with this id, where it belongs to the account."""
        if not number.isascii() or not number.isdigit() or len(number) > 18:
            return None
        row: sqlite3.Row | None = self.db.execute(
            f"SELECT * FROM {table} WHERE account_id = ? AND id = ?",  # noqa: S608
            (self.account_id, int(number)),
        ).fetchone()
        return row


Handler = Callable[[Desk, Array], dict[str, Any]]


@dataclass(frozen=True)
class Command:
    """A cmd. ``single`` is where the result of a call with this one action stands in the envelope "actions", ``bare``
    where it stands in the envelope "bare": in ``actions``, as a ``fragment`` ``{cmd: result}``, or ``flat``."""

    run: Handler
    needs_lead: bool = True
    writes: bool = True
    single: Literal["actions", "flat"] = "actions"
    bare: Literal["actions", "fragment", "flat"] = "flat"


def text(params: Array, key: str) -> str:
    """The parameter as trimmed text; an array or a missing one is ""."""
    value = params.get(key, "")
    return value.strip() if isinstance(value, str) else ""


def values(array: Value) -> list[Value] | None:
    """The items of an array in order, or None for a scalar."""
    return list(array.values()) if isinstance(array, dict) else None


def done(message: str, number: int | None = None) -> dict[str, Any]:
    """The usual answer of a command that did its work."""
    body = {"status": "Success", "message": message}
    return body if number is None else {**body, "type": str(number)}


def find_lead(desk: Desk, wanted: Array, *, missing: int) -> sqlite3.Row:
    """The lead named by id or email; the id wins. Raises `Declined` 206, ``missing`` or 245."""
    number, email = text(wanted, "id"), text(wanted, "email")
    if not number and not email:
        raise Declined(206)
    if number:
        row = desk.owned("leads", number)
    else:
        row = desk.db.execute(
            "SELECT * FROM leads WHERE account_id = ? AND email_key = ?", (desk.account_id, email.lower())
        ).fetchone()
    if row is None:
        raise Declined(missing)
    if row["deleted"]:
        raise Declined(245)
    return row


def or_not_available(value: object) -> str:
    return "N/A" if value is None or value == "" else str(value)


def or_no_date(value: str | None) -> str:
    return value or NO_DATE
