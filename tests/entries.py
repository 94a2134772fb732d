"""The log in tests: what it says about one lead, or in its details, and the rule that an entry is written last."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.transaction import Atomic

from accounts import subjects
from accounts.models import Account, AuditEntry, AuditTerm, ChainHead, Subject, User
from accounts.services import chain


def entries_about(lead_id: str) -> QuerySet[AuditEntry]:
    """Everything about the lead, in whichever account, in order."""
    accounts = {entry.account_id for entry in AuditEntry.objects.exclude(account_id=None)}
    found = (subjects.find_lead(account, lead_id) for account in accounts)
    return AuditEntry.objects.filter(subject__in=subjects.family(one.pk for one in found if one)).order_by("pk")


def entries_with(action: str, **detail: object) -> list[AuditEntry]:
    """The entries of that action whose details hold these."""
    entries = AuditEntry.objects.filter(action=action).order_by("pk")
    return [entry for entry in entries if detail.items() <= entry.detail.items()]


def append(*, about_id: str = "", **fields: Any) -> AuditEntry:
    """An entry with any time and action, as the desk may have written it once."""
    told = {"target_id": about_id, "target_name": "", "before": None, "after": None, "detail": {}}
    return chain.append(
        AuditEntry(**{"outcome": "succeeded", "target_kind": "lead" if about_id else ""} | fields), told
    )


class WrittenAfterAnEntry(AssertionError):
    """An entry holds the end of the log until its transaction ends, so everything else comes before it."""


class LockedAgainstReferences(AssertionError):
    """Rows that name a person or an account are checked as their transaction commits, when it holds the end of the log:
    whoever locked that person or account with its key, and waits for the end of the log, would wait for ever."""


_WITH_KEY = re.compile(rf'FROM "({User._meta.db_table}|{Account._meta.db_table})" .*FOR UPDATE')
_LOCKS = re.compile("FOR (NO KEY )?UPDATE")


@contextmanager
def entries_written_last() -> Iterator[None]:
    """Fail whatever writes or locks, in one transaction of the code under test, after an entry was appended, or locks
    people or accounts against those who refer to them."""
    log = (AuditEntry._meta.db_table, ChainHead._meta.db_table)
    told: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        verb = sql.lstrip()[:6].upper()
        locks = verb in ("INSERT", "UPDATE", "DELETE", "WITH W") or _LOCKS.search(sql)
        if _WITH_KEY.search(sql) and _blocks():
            raise LockedAgainstReferences(sql[:200])
        if locks and _blocks():
            if any(f'"{table}"' in sql for table in log):
                told.append(sql)
            elif told and f'"{AuditTerm._meta.db_table}"' not in sql:  # the words of an entry follow it
                raise WrittenAfterAnEntry(sql[:200])
        return execute(sql, params, many, context)

    def leave(block: Atomic, *error: Any) -> None:
        try:
            original(block, *error)
        finally:
            if not _blocks():
                told.clear()

    original = Atomic.__exit__
    Atomic.__exit__ = leave  # type: ignore[method-assign]
    try:
        with connection.execute_wrapper(watch):
            yield
    finally:
        Atomic.__exit__ = original  # type: ignore[method-assign]


def _blocks() -> list[Atomic]:
    """The transactions of the code under test that are open on this thread's connection."""
    return [block for block in connection.atomic_blocks if not block._from_testcase]


def forget(subject: Subject) -> None:
    """Destroy the key, as forgetting a person does in the end."""
    subjects.destroy([subject.pk])


def insert_stray(number: int) -> None:
    """A copy of the last entry under that number, past the program. The triggers let new rows in."""
    columns = [field.column for field in AuditEntry._meta.local_concrete_fields]
    names, rest = ", ".join(columns), ", ".join(columns[1:])
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO accounts_auditentry ({names}) "
            f"SELECT %s, {rest} FROM accounts_auditentry ORDER BY id DESC LIMIT 1",
            [number],
        )
