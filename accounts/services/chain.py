"""Appending to the audit log: each entry gets the next number, and a hash over itself and the one before it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, connection, connections, transaction

from accounts import audit_terms
from accounts.evidence.chain import START, hash_of
from accounts.models import AuditEntry, ChainHead, Subject

Statement = tuple[str, list[Any]]

# Every act of everybody waits for these, so they are written by hand: half the time of Django's own.
_COLUMNS = AuditEntry._meta.local_concrete_fields
_INSERT = (
    f'INSERT INTO "{AuditEntry._meta.db_table}" ({", ".join(str(field.column) for field in _COLUMNS)})'  # noqa: S608
    f" VALUES ({', '.join(['%s'] * len(_COLUMNS))})"
)
_HEAD = ChainHead._meta.db_table
_MOVE = f'UPDATE "{_HEAD}" SET number = %s, hash = %s WHERE id = 1'  # noqa: S608
_READ = f'SELECT number, hash FROM "{_HEAD}" WHERE id = 1'  # noqa: S608
_LOCK = {"sqlite": _READ, "postgresql": f"{_READ} FOR UPDATE"}  # SQLite's transactions lock as they begin


class Blocked(Exception):
    """The log does not take its next entry, so nothing that needs one is done: somebody wrote to it past the desk.

    Deliberately no `AppError`: no service takes it for a refusal of its own, and no job goes on to the next lead.
    """


@contextmanager
def _blocked_by_strays() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise Blocked("the number of the next entry of the audit log is taken: run manage.py auditverify") from error


def append(
    entry: AuditEntry, told: Mapping[str, Any], subject: Subject | None = None, terms: audit_terms.Terms = ()
) -> AuditEntry:
    """Write the entry at the end of the log, ``told`` sealed under the subject's key where there is one, and let it be
    found by ``terms``.

    The head stays locked until the caller's transaction ends, so that numbers have no gaps, whatever rolls back. An
    entry is therefore the last thing that a transaction writes: everybody takes his own locks first, this one last.
    Raises `Blocked`.
    """
    body = json.dumps(told, cls=DjangoJSONEncoder, separators=(",", ":"))
    with _blocked_by_strays(), transaction.atomic(savepoint=False), connection.cursor() as cursor:
        db = cursor.db  # not by way of Django's proxy, each time anew
        cursor.execute(_LOCK[db.vendor])
        if (head := cursor.fetchone()) is None:
            raise ChainHead.DoesNotExist("the log has lost its head: run manage.py migrate, then manage.py auditverify")
        entry.pk = head[0] + 1
        entry.subject = subject
        entry.body = subject.seal(body, bound_to=entry.sealed_for) if subject else body
        entry.hash = hash_of(entry.as_evidence(), head[1])
        values = [field.get_db_prep_save(getattr(entry, field.attname), db) for field in _COLUMNS]
        inserts = [(_INSERT, values), *([audit_terms.insert(entry.pk, terms)] if terms else [])]
        _write(cursor, inserts, (_MOVE, [entry.pk, entry.hash]))
    entry._state.adding, entry._state.db = False, connection.alias
    return entry


def _write(cursor: Any, inserts: Sequence[Statement], last: Statement) -> None:
    if cursor.db.vendor == "postgresql":  # all at once: the head is locked meanwhile
        parts = ", ".join(f"written{place} AS ({sql})" for place, (sql, _) in enumerate(inserts))
        cursor.execute(f"WITH {parts} {last[0]}", [value for _, values in (*inserts, last) for value in values])
    else:
        for statement in (*inserts, last):
            cursor.execute(*statement)


def lay_head(*, using: str, **kwargs: Any) -> None:
    """Receiver of ``post_migrate``: an empty log has a head. One that has entries had it from the first of them."""
    if ChainHead._meta.db_table not in connections[using].introspection.table_names():
        return
    if not ChainHead.objects.exists() and not AuditEntry.objects.exists():
        ChainHead.objects.get_or_create(pk=1, defaults={"number": 0, "hash": START})
