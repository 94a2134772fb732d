"""Run by `test_upgrade.py` in a process of its own: a log from before it was chained is brought up to date."""

import os
import sys
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import django
import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

NOW = datetime(2026, 1, 1, 12, 30, 0, 250, tzinfo=UTC)
OPERATION = uuid.UUID(int=7)
WORDS = "Zwickelbäu"
JANE = {"target_kind": "lead", "target_name": f"{WORDS} <jane@example.com>", "account_id": 4, "account_name": "Studio"}
# The log as it stood: numbers with gaps, entries about a lead before and after its id was known, and about none.
ROWS: list[dict[str, Any]] = [
    {"id": 2, "action": "session.start.failed", "outcome": "failed", "target_name": "nobody@example.com", "ip": "::1"},
    {"id": 3, "action": "lead.create.requested", "outcome": "requested", "operation_id": OPERATION, **JANE},
    {"id": 7, "action": "lead.create.succeeded", "outcome": "succeeded", "operation_id": OPERATION, "target_id": "77",
     "after": {"Name": WORDS}, "actor_id": 5, "actor_name": "Agent", "actor_role": "agent", "request_id": "r", **JANE},
    {"id": 8, "action": "transaction.refund.succeeded", "outcome": "succeeded", "target_id": "77",
     "before": {"Left": "20.00"}, "after": {"Left": "0.00"}, "detail": {"amount": "20.00", "reason": WORDS}, **JANE},
    {"id": 9, "action": "staff.edit.succeeded", "outcome": "succeeded", "target_kind": "user", "target_id": "5",
     "target_name": "Agent", "detail": {"amount": "no number"}},
    *({"id": 20 + 2 * number, "action": "lead.view.viewed", "outcome": "viewed", "target_id": f"{number % 30}",
       **JANE, "target_name": ""} for number in range(1100)),
]  # fmt: skip


def fill(old: Any) -> None:
    entries = old.get_model("accounts", "AuditEntry")
    entries.objects.bulk_create(
        entries(**{"at": NOW + timedelta(seconds=place), **row}) for place, row in enumerate(ROWS)
    )


def check() -> None:
    from accounts import subjects
    from accounts.models import AuditEntry, ChainHead

    made = list(AuditEntry.objects.readable().order_by("pk"))
    assert [entry.pk for entry in made] == list(range(1, len(ROWS) + 1))
    for place, (entry, row) in enumerate(zip(made, ROWS, strict=True)):
        is_lead = row.get("target_kind") == "lead"
        assert entry.at == NOW + timedelta(seconds=place)
        for name in ("action", "outcome", "actor_id", "actor_name", "actor_role", "account_id", "account_name", "ip"):
            assert getattr(entry, name) == row.get(name, None if name.endswith("_id") else ""), (row, name)
        assert (entry.operation_id, entry.request_id) == (row.get("operation_id"), row.get("request_id", ""))
        assert entry.told == {
            "target_id": row.get("target_id", ""), "target_name": row.get("target_name", ""),
            "before": row.get("before"), "after": row.get("after"), "detail": row.get("detail", {}),
        }  # fmt: skip
        assert entry.target_id == ("" if is_lead else row.get("target_id", ""))
        assert (entry.subject_id is not None) == is_lead
        assert entry.amount == (Decimal("20.00") if "refund" in entry.action else None)
        assert not (is_lead and any(word in entry.body for word in ("Zwickel", "jane@", "\\u00e4")))
    jane = subjects.find_lead(4, "77")
    assert jane
    assert [entry.subject_id for entry in made[2:4]] == [jane.pk] * 2
    assert made[1].subject
    assert made[1].subject.part_of_id == jane.pk
    assert sorted(subjects.find("jane@example.com")) == sorted([jane.pk, made[1].subject_id])
    head = ChainHead.objects.get()
    assert (head.number, head.hash) == (len(ROWS), made[-1].hash)
    for table in ("accounts_auditentry", "accounts_keyvoucher", "accounts_checkpoint"):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table}")
            assert "Zwickel" not in str(cursor.fetchall()), table
    with pytest.raises(Exception, match="written once"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_auditentry SET ip = '192.0.2.1' WHERE id = 3")


def state(*at: tuple[str, str]) -> Any:
    return MigrationExecutor(connection).loader.project_state(list(at)).apps


os.environ["DJANGO_SETTINGS_MODULE"] = "kartra_admin.settings"
django.setup()
call_command("migrate", "accounts", "0005", verbosity=0)
fill(state(("accounts", "0005_subjects")))
call_command("migrate", "accounts", "0009", verbosity=0)
state(("accounts", "0009_anchors")).get_model("accounts", "SigningKey").objects.create(public="ab" * 32)
call_command("migrate", verbosity=0)
check()
from accounts.services.checkpoints import sign  # noqa: E402  (there are no models before)

sign()
call_command("auditverify")
sys.stdout.flush()
