"""A row where the next entry is to stand: nothing is done, everybody is told, and the handbook says how to mend it."""

import re
from collections.abc import Callable

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts import append_only
from accounts.models import Account, AuditEntry, ChainHead, User
from accounts.services import audit, chain, users
from kartra_admin.settings import BASE_DIR
from tests.entries import insert_stray

pytestmark = pytest.mark.django_db


def write() -> AuditEntry:
    return audit.record(action="session.start.failed", outcome="failed", target_name="nobody")


def block() -> int:
    number = write().pk + 1
    insert_stray(number)
    return number


def said() -> list[tuple[str | None, bool]]:
    return [(message.id, message.is_serious()) for message in run_checks(tags=["kartra_admin"])]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_done_that_cannot_be_written_down(user_of: Callable[[str], User]) -> None:
    admin, agent = user_of("admin"), user_of("agent")
    block()
    with pytest.raises(chain.Blocked, match="the next entry of the audit log is taken"):
        users.deactivate_staff(actor=admin, user=agent)
    agent.refresh_from_db()
    assert agent.is_active


@pytest.mark.django_db(transaction=True)
def test_pages_say_so_and_health_names_it(client_of: Callable[[str], Client]) -> None:
    client, stranger = client_of("admin"), Client()
    number = block()
    for answer in (
        client.post(reverse("accounts:audit-sign")),
        stranger.post(reverse("account_login"), {"login": "nobody@example.com", "password": "x"}),
    ):
        page = answer.content.decode()
        assert (answer.status_code, "The audit log cannot take an entry, so nothing was done." in page) == (503, True)
    assert "nothing can be done" in client.get("/settings/health/").content.decode()
    assert said() == [("kartra_admin.blocked_log", True)]
    with pytest.raises(CommandError, match=f"Entry {number}: it is not of the chain"):
        call_command("auditverify")


@pytest.mark.parametrize("number", [-2, 50])
def test_a_row_elsewhere_stops_nothing_and_is_said(number: int) -> None:
    write()
    insert_stray(number)
    write()
    assert said() == [("kartra_admin.stray_entry", False)]


def test_a_log_without_its_head_is_refused_at_the_start() -> None:
    write()
    ChainHead.objects.all().delete()
    assert said() == [("kartra_admin.headless_log", True)]


@pytest.mark.django_db(transaction=True)
def test_what_the_handbook_says_mends_it() -> None:
    Account.objects.create(name="The Studio", fingerprint="f" * 64)
    last = block() - 1
    for number in (0, last + 7):
        insert_stray(number)
    handbook = (BASE_DIR / "docs" / "operations.md").read_text()
    name = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}[connection.vendor]
    found = re.search(rf"With {name}[^`]*(?:`desk migrate`[^`]*)?```sql\n(.*?)```", handbook, re.DOTALL)
    assert found
    with connection.cursor() as cursor:
        for statement in filter(None, map(str.strip, found[1].split(";"))):
            cursor.execute(statement)
    append_only.install(connection)  # as `migrate` does
    assert write().pk == last + 1
    assert said() == []
    with pytest.raises(Exception, match="written once"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_auditentry")
