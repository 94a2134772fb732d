"""The database refuses, whoever asks. Runs on whichever database the tests run on."""

import pytest
from django.db import DatabaseError, connection, transaction

from accounts import append_only
from accounts.models import AuditEntry
from accounts.models.audit import AppendOnly
from accounts.services import audit

REFUSED = "written once"


@pytest.fixture
def entry(db: None) -> AuditEntry:
    return audit.record(action="session.start.failed", outcome="failed", target_name="ann@example.com")


def refused(sql: str) -> bool:
    with pytest.raises(DatabaseError, match=REFUSED), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    return True


def test_update_and_delete_are_refused(entry: AuditEntry) -> None:
    assert refused("UPDATE accounts_auditentry SET actor_name = 'somebody else'")
    assert refused(f"UPDATE accounts_auditentry SET id = id + 100 WHERE id = {entry.pk}")
    assert refused(f"DELETE FROM accounts_auditentry WHERE id = {entry.pk}")
    assert refused("DELETE FROM accounts_auditentry")
    entry.refresh_from_db()
    assert entry.target_name == "ann@example.com"


def test_replacing_is_refused(entry: AuditEntry) -> None:
    columns = ", ".join(field.column for field in AuditEntry._meta.local_fields)
    if connection.vendor == "sqlite":
        copy = f"INTO accounts_auditentry ({columns}) SELECT {columns} FROM accounts_auditentry"
        assert refused(f"INSERT OR REPLACE {copy}")
        assert refused(f"REPLACE {copy}")
    else:
        assert refused("TRUNCATE accounts_auditentry")
        assert refused("TRUNCATE accounts_auditentry CASCADE")
        assert refused(
            f"INSERT INTO accounts_auditentry ({columns}) SELECT {columns} FROM accounts_auditentry "
            "ON CONFLICT (id) DO UPDATE SET actor_name = 'somebody else'"
        )
    assert AuditEntry.objects.count() == 1


def test_the_model_refuses_before_the_database_is_asked(entry: AuditEntry) -> None:
    entry.actor_name = "somebody else"
    for act in (
        entry.save,
        entry.delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(actor_name="somebody else"),
        lambda: AuditEntry.objects.bulk_update([entry], ["actor_name"]),
    ):
        with pytest.raises(AppendOnly):
            act()


def test_installing_again_changes_nothing(entry: AuditEntry) -> None:
    append_only.install(connection)
    append_only.install(connection)
    assert refused("DELETE FROM accounts_auditentry")


@pytest.mark.django_db(transaction=True)
def test_tables_are_emptied_after_this_test() -> None:
    audit.record(action="session.start.failed", outcome="failed")
    assert AuditEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_tables_were_emptied_and_the_triggers_are_back() -> None:
    assert AuditEntry.objects.count() == 0
    audit.record(action="session.start.failed", outcome="failed")
    assert refused("DELETE FROM accounts_auditentry")
