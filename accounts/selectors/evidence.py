"""The log as evidence: rows as they stand in the chain, straight from the table, a few at a time."""

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import DatabaseError, connection
from django.db.models import F, Q, Subquery

from accounts.evidence.chain import FIELDS
from accounts.evidence.verify import Broken, Row
from accounts.models import AuditEntry, ChainHead, Checkpoint

_AT_ONCE = 2000
# How SQLite keeps times, ids of operations and amounts. It lets anything stand in any column, and reads much of it as
# if it were sound; so what does not look exactly like this is taken as the text of it, which no entry was hashed with.
_DAY, _CLOCK = "-".join(["[0-9]" * 4, "[0-9]" * 2, "[0-9]" * 2]), ":".join(["[0-9]" * 2] * 3)
_BYTES = "length(CAST({} AS BLOB))"  # a text's length ends at its first zero byte
_SECONDS = f"typeof(at) = 'text' AND {_BYTES.format('at')} = 19 AND at GLOB '{_DAY} {_CLOCK}'"
_MICROSECONDS = f"typeof(at) = 'text' AND {_BYTES.format('at')} = 26 AND at GLOB '{_DAY} {_CLOCK}.{'[0-9]' * 6}'"
_OPERATION = f"typeof(operation_id) = 'text' AND {_BYTES.format('operation_id')} = 32"
_AMOUNT = "typeof(amount) IN ('integer', 'real') AND amount = CAST(printf('%.2f', amount) AS REAL)"
_OTHERWISE = {
    "sqlite": {
        "at": f"CASE WHEN {_MICROSECONDS} THEN substr(at, 1, 10) || 'T' || substr(at, 12) || 'Z'"
        f" WHEN {_SECONDS} THEN substr(at, 1, 10) || 'T' || substr(at, 12) || '.000000Z' ELSE quote(at) END",
        "operation_id": "CASE WHEN operation_id IS NULL THEN NULL"
        f" WHEN {_OPERATION} THEN substr(operation_id, 1, 8) || '-' || substr(operation_id, 9, 4) || '-' ||"
        " substr(operation_id, 13, 4) || '-' || substr(operation_id, 17, 4) || '-' || substr(operation_id, 21)"
        " ELSE quote(operation_id) END",
        "amount": "CASE WHEN amount IS NULL THEN NULL"
        f" WHEN {_AMOUNT} THEN printf('%.2f', amount) ELSE quote(amount) END",
    },
    "postgresql": {
        "at": """to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
        " || CASE WHEN at < '0001-01-01 00:00:00+00' THEN ' BC' ELSE '' END",
        "operation_id": "operation_id::text",
        "amount": "amount::text",
    },
}
# Of one text that is no UTF-8 SQLite makes an error of all rows that are read with it.
_UNREADABLE = (DatabaseError, sqlite3.Error)


def rows(*, after: int = 0, upto: int) -> Iterator[Row]:
    """The entries of these numbers in order. The database writes times, ids and amounts as the chain has them.

    Each query asks for so few numbers that no plan is a bad one: PostgreSQL, where it knows nothing of the table yet,
    as after a restore, would otherwise sort all the rest for each. Raises `Broken` for one that cannot be read.
    """
    columns = ", ".join(_OTHERWISE[connection.vendor].get(name, name) for name in FIELDS)
    at_once = _AT_ONCE
    while after < upto:
        last = min(after + at_once, upto)
        try:
            found = _read(f"{columns}, hash", after, last)
        except _UNREADABLE:
            if connection.vendor != "sqlite":
                raise
            if at_once == 1:
                raise Broken(last, "it cannot be read") from None
            at_once = 1
            continue
        for row in found:
            yield dict(zip(FIELDS, row, strict=False)), row[-1]
        if found:
            after = last
        elif (first := _first(last, upto)) is not None:
            after = first - 1
        else:
            return


def _first(after: int, upto: int) -> int | None:
    """The number behind a gap."""
    behind = AuditEntry.objects.filter(pk__gt=after, pk__lte=upto).order_by("pk")
    return behind.values_list("pk", flat=True).first()


def _read(columns: str, after: int, upto: int) -> list[tuple[Any, ...]]:
    table = AuditEntry._meta.db_table
    with connection.cursor() as cursor:
        cursor.cursor.execute(
            f"SELECT {columns} FROM {table} WHERE id > {int(after)} AND id <= {int(upto)} ORDER BY id"  # noqa: S608 (constants, numbers)
        )
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def stray() -> int | None:
    """The first entry whose number the chain never gave: below 1, or beyond the head as it is when that is asked."""
    head = Subquery(ChainHead.objects.filter(pk=1).values("number"))
    for outside in (Q(pk__lt=1), Q(pk__gt=head)):
        found = AuditEntry.objects.filter(outside).order_by("pk").values_list("pk", flat=True).first()
        if found is not None:
            return found
    return None


def is_blocked() -> bool:
    """Whether an entry stands where the next one is to stand, so that none can be written."""
    return AuditEntry.objects.filter(pk=Subquery(ChainHead.objects.filter(pk=1).values(next=F("number") + 1))).exists()


def is_headless() -> bool:
    """Whether there are entries, and no head to write the next one after."""
    return not ChainHead.objects.filter(pk=1).exists() and AuditEntry.objects.exists()


def checkpoints(*, upto: int) -> Iterator[dict[str, object]]:
    """Those up to this one, in order. One that cannot be read raises what reading it raises."""
    after = 0
    while ids := list(Checkpoint.objects.filter(pk__gt=after, pk__lte=upto).order_by("pk").values_list("pk")[:500]):
        after = ids[-1][0]
        try:
            found: Iterable[Checkpoint] = list(Checkpoint.objects.filter(pk__in=[pk for (pk,) in ids]).order_by("pk"))
        except Exception:  # noqa: BLE001  (each database fails in its own way: see which of them it is)
            found = (Checkpoint.objects.get(pk=pk) for (pk,) in ids)
        for checkpoint in found:
            yield checkpoint.as_evidence()
