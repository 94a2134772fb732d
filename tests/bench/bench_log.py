"""The page of the audit log over many entries, beside the same page over 100,000, and beside Django admin's own log.

``python3 run.py bench log 10000000`` says over how many; a million without a number. The two logs stand in databases
of their own, and are asked in turns, so that both meet the same machine; whole answers of the view, the median counts.
Page 1,000 is asked for by its cursor. Admin's is the changelist of its `LogEntry` over as many rows, its counts and its
page of 50, without what drawing it would take. Building takes some minutes and some GB.
"""

import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench import stage
from tests.bench.table import Line, say

ROWS, FEW = 1_000_000, 100_000
PAGE, DEEP = 50, 1000
ROUNDS, TURNS = 8, 6
AT_ONCE = 1_000_000

# Most of what is done is done by one person, so that page 1,000 of hers is there in both logs.
_BUSY = "CASE WHEN i % 10 < 6 THEN 1 ELSE 1 + i % 40 END"
_HOUR = {
    "postgresql": "timestamptz '2020-01-01 00:00:00+00' + i * interval '15 seconds'",
    "sqlite": "datetime('2020-01-01', '+' || (i * 15) || ' seconds')",
}
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) "
_LOG = """
    INSERT INTO accounts_auditentry (id, at, action, outcome, actor_id, actor_name, actor_role, account_id,
        account_name, target_kind, target_id, subject_id, operation_id, amount, ip, request_id, body, hash)
    {numbers} SELECT i, {hour}, 'lead.view.viewed', 'viewed', {busy}, 'Clerk ' || ({busy}), 'agent', 1,
        'The Studio', 'lead', '', 1 + i % 5000, NULL, NULL, '10.0.0.' || (i % 200), '{word}',
        '{word}{word}{word}{word}{word}{word}{word}', '{word}' FROM n
"""
_ADMIN = """
    INSERT INTO django_admin_log (id, action_time, object_id, object_repr, action_flag, change_message,
        content_type_id, user_id)
    {numbers} SELECT i, {hour}, i % 5000, 'Lead ' || (i % 5000), 2, '{word}', {kind}, {person} FROM n
"""


def measure(lane: str, folder: Path, rows: int) -> None:
    url = os.environ["DATABASE_URL"]
    stage.open_desk(folder, DJANGO_SETTINGS_MODULE="tests.bench.settings", TEST_DATABASE_URL=url)
    from django.test import Client

    person = stage.seat("manager")
    client = Client(headers={"host": "localhost"})
    client.force_login(person)
    few, many = _two_databases(folder)
    try:
        logs = {name: _build_in(name, count, person) for name, count in ((few, FEW), (many, rows))}
        _compare(lane, client, logs, few, many, rows)
    finally:
        _drop(few)


def _build_in(name: str, count: int, person: Any) -> dict[str, str]:
    _turn_to(name)
    start = time.monotonic()
    addresses = _build(count, person)
    print(f"    {count:,} entries, built in {(time.monotonic() - start) / 60:.1f} min", flush=True)
    return addresses


def _compare(lane: str, client: Any, logs: dict[str, dict[str, str]], few: str, many: str, rows: int) -> None:
    took: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        for name in (few, many):
            _turn_to(name)
            for what, query in logs[name].items():
                ask = partial(_page, client, query)
                ask()
                took.setdefault((name, what), []).extend(_seconds(ask) for _ in range(TURNS))
    median = {key: statistics.median(times) for key, times in took.items()}
    _turn_to(many)
    admin = {page: statistics.median(_seconds(partial(_admin_page, page)) for _ in range(3)) for page in (1, DEEP)}
    goal = 1.5 if lane == "PostgreSQL" else None
    for what in logs[many]:
        how = f"whole answers, median of {ROUNDS * TURNS} in turns with as many over {FEW:,}"
        line = f"log: {what} of {rows:,}, to that of {FEW:,}, {lane}"
        say(Line(line, median[many, what] / median[few, what], how, goal))
        page = DEEP if what.startswith("page") else 1
        how = "whole answers, to admin's changelist of LogEntry over as many rows, not drawn"
        say(Line(f"log: {what} of {rows:,}, to Django admin's, {lane}", median[many, what] / admin[page], how))
        print(f"    ours {1000 * median[many, what]:.1f} ms, admin's {1000 * admin[page]:.1f} ms", flush=True)


def _build(count: int, person: Any) -> dict[str, str]:
    """Fill both logs, indexes made afterwards. The addresses of the pages that are asked for."""
    from django.contrib.admin.models import LogEntry
    from django.contrib.contenttypes.models import ContentType
    from django.db import connection

    from accounts import append_only
    from accounts.models import AuditEntry, ChainHead

    append_only.lift(connection)
    AuditEntry.objects.all()._raw_delete(connection.alias)
    with connection.schema_editor() as editor:
        for index in AuditEntry._meta.indexes:
            editor.remove_index(AuditEntry, index)
    given = {
        "hour": _HOUR[connection.vendor], "busy": _BUSY, "word": "0123456789abcdef" * 4,
        "kind": ContentType.objects.get_for_model(LogEntry).pk, "person": person.pk,
    }  # fmt: skip
    with connection.cursor() as cursor:
        for first in range(1, count + 1, AT_ONCE):
            for sql in (_LOG, _ADMIN):
                numbers = _NUMBERS.format(first=first, last=min(count, first + AT_ONCE - 1))
                cursor.execute(sql.format(numbers=numbers, **given))
    with connection.schema_editor() as editor:
        for index in AuditEntry._meta.indexes:
            editor.add_index(AuditEntry, index)
    ChainHead.objects.update(number=count)
    queries = {}
    for what, query, entries in (
        ("", "", AuditEntry.objects.all()),
        (" by one person", f"person={person.pk}&", AuditEntry.objects.filter(actor_id=person.pk)),
    ):
        numbers = list(entries.order_by("-pk").values_list("pk", flat=True)[: DEEP * PAGE])
        queries[f"first page{what}"] = query
        queries[f"page {DEEP:,}{what}"] = f"{query}cursor=b{numbers[-PAGE - 1]}"
        _seal(numbers[:PAGE] + numbers[-PAGE:], person.connection.account)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
    append_only.install(connection)
    return queries


def _seal(numbers: list[int], account: Any) -> None:
    """What is shown is opened, each under its lead's own key."""
    from django.db.models import QuerySet

    from accounts import subjects
    from accounts.models import AuditEntry

    for number in numbers:
        name = random.Random(number).choice(("Ada Moreno <ada@example.com>", "Ben Adeyemi <ben@example.com>"))
        told = {"target_id": str(number), "target_name": name, "before": None, "after": None, "detail": {}}
        subject = subjects.of_lead(account.pk, str(number))
        body = subject.seal(json.dumps(told), bound_to=f"entry:{number}")
        QuerySet.update(AuditEntry.objects.filter(pk=number), subject=subject, body=body)


def _page(client: Any, query: str) -> None:
    answer = client.get(f"/audit/?{query}")
    assert answer.status_code == 200
    assert answer.content.count(b'data-label="No."') == PAGE
    assert b"does not open" not in answer.content


def _admin_page(page: int) -> None:
    from django.contrib.admin import AdminSite, ModelAdmin
    from django.contrib.admin.models import LogEntry
    from django.test import RequestFactory

    class LogAdmin(ModelAdmin):  # type: ignore[type-arg]
        list_per_page = PAGE
        actions = None

        def has_change_permission(self, request: object, obj: object = None) -> bool:
            return True

    request = RequestFactory().get("/", {"p": page})
    shown = list(LogAdmin(LogEntry, AdminSite()).get_changelist_instance(request).result_list)
    assert len(shown) == PAGE


def _seconds(ask: Callable[[], object]) -> float:
    start = time.perf_counter()
    ask()
    return time.perf_counter() - start


def _two_databases(folder: Path) -> tuple[str, str]:
    """The names of a copy of the database as it stands, and of itself."""
    import shutil

    from django.db import connection

    name = str(connection.settings_dict["NAME"])
    connection.close()
    if connection.vendor == "sqlite":
        shutil.copy(name, folder / "few.sqlite3")
        return str(folder / "few.sqlite3"), name
    with _server() as server:
        server.execute(f"CREATE DATABASE {name}_few TEMPLATE {name}")
    return f"{name}_few", name


def _turn_to(name: str) -> None:
    from django.db import connection

    connection.close()
    connection.settings_dict["NAME"] = name


def _drop(name: str) -> None:
    from django.db import connection

    connection.close()
    if connection.vendor == "postgresql":
        with _server() as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _server() -> Any:
    import psycopg

    return psycopg.connect(os.environ["TEST_POSTGRES_URL"], autocommit=True)


if __name__ == "__main__":
    sys.exit(stage.on_each_database(partial(measure, rows=int(sys.argv[1]) if sys.argv[1:] else ROWS)))
