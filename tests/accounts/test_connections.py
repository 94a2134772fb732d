"""Credentials at rest: sealed, bound to their owner, never read back."""

import logging
from collections.abc import Callable

import pytest
from cryptography.fernet import Fernet
from django.db import connection as database
from pytest_django import Settings

from accounts.models import Account, AuditEntry, Connection, User
from accounts.selectors import connections as selectors
from accounts.services import connections
from kartra_admin.lib.crypto import SealBroken
from kartra_admin.lib.errors import Denied

UserOf = Callable[[str], User]
KEY, PASSWORD = "canary-api-key", "canary-api-password"


def place(user: User, key: str = KEY, password: str = PASSWORD) -> Connection:
    return connections.place(actor=user, owner=user, api_key=key, api_password=password)


def test_what_was_placed_opens(user_of: UserOf) -> None:
    agent = user_of("agent")
    place(agent)
    stored = selectors.for_user(agent)
    assert stored is not None
    opened = connections.open_credentials(stored)
    assert (opened.key, opened.password) == (KEY, PASSWORD)
    assert selectors.for_user(user_of("viewer")) is None


def test_nothing_shows_or_stores_the_credentials(user_of: UserOf, caplog: pytest.LogCaptureFixture) -> None:
    opened = connections.open_credentials(place(user_of("agent")))
    logging.getLogger("x").warning("%s %r", opened, opened)
    assert "canary" not in f"{opened} {opened!r} {caplog.text}"
    with database.cursor() as cursor:
        for table in database.introspection.table_names():
            cursor.execute(f"SELECT * FROM {database.ops.quote_name(table)}")
            assert "canary" not in str(cursor.fetchall())


def test_a_row_copied_to_another_person_does_not_open(user_of: UserOf) -> None:
    agent, viewer = place(user_of("agent")), place(user_of("viewer"))
    Connection.objects.filter(pk=viewer.pk).update(sealed_key=agent.sealed_key, sealed_password=agent.sealed_password)
    with pytest.raises(SealBroken):
        connections.open_credentials(Connection.objects.get(pk=viewer.pk))


def test_a_row_given_to_another_person_does_not_open(user_of: UserOf) -> None:
    agent = place(user_of("agent"))
    Connection.objects.filter(pk=agent.pk).update(user=user_of("viewer"))
    with pytest.raises(SealBroken):
        connections.open_credentials(Connection.objects.get(pk=agent.pk))


def test_key_and_password_swapped_do_not_open(user_of: UserOf) -> None:
    row = place(user_of("agent"))
    Connection.objects.filter(pk=row.pk).update(sealed_key=row.sealed_password, sealed_password=row.sealed_key)
    with pytest.raises(SealBroken):
        connections.open_credentials(Connection.objects.get(pk=row.pk))


def test_without_its_key_a_connection_says_what_to_do(user_of: UserOf, settings: Settings) -> None:
    row = place(user_of("agent"))
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(SealBroken, match="Enter them again"):
        connections.open_credentials(row)


def test_one_account_for_one_key_whoever_holds_it(user_of: UserOf) -> None:
    one, two, other = place(user_of("agent")), place(user_of("viewer"), password="x"), place(user_of("admin"), key="y")
    assert one.account == two.account != other.account
    assert one.account.tail == one.account.fingerprint[-4:]
    assert KEY not in one.account.fingerprint
    assert Account.objects.count() == 2


def test_placing_again_replaces_and_keeps_which_account_it_was(user_of: UserOf) -> None:
    agent = user_of("agent")
    first = place(agent)
    connections.note_failed(first, "Kartra refused them.")
    second = place(agent, key="another key")
    assert Connection.objects.get() == second
    assert (second.last_error, second.last_error_at, second.last_worked_at) == ("", None, None)
    entry = AuditEntry.objects.latest("pk")
    assert entry.action == "connection.place.succeeded"
    assert entry.before == {"account": str(first.account)}
    assert entry.after == {"account": str(second.account)}
    assert entry.account_id == second.account_id


def test_an_admin_places_and_removes_for_somebody_else(user_of: UserOf) -> None:
    admin, agent = user_of("admin"), user_of("agent")
    row = connections.place(actor=admin, owner=agent, api_key=KEY, api_password=PASSWORD)
    assert (row.user, row.placed_by) == (agent, admin)
    assert connections.open_credentials(row).key == KEY
    assert connections.remove(actor=admin, owner=agent)
    assert not connections.remove(actor=admin, owner=agent)
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.target_id, entry.actor_id) == ("connection.remove.succeeded", str(agent.pk), admin.pk)


@pytest.mark.parametrize("role", ["viewer", "agent", "support", "manager", "auditor"])
def test_nobody_else_touches_anothers_credentials(user_of: UserOf, role: str) -> None:
    other = User.objects.create_user(email="other@example.com", name="Other", role="agent")
    place(other)
    for act in (
        lambda: connections.place(actor=user_of(role), owner=other, api_key="x", api_password="y"),
        lambda: connections.remove(actor=user_of(role), owner=other),
    ):
        with pytest.raises(Denied):
            act()
    assert connections.open_credentials(Connection.objects.get()).key == KEY
    assert AuditEntry.objects.filter(action="permission.denied", actor_id=user_of(role).pk).count() == 2


def test_working_is_noted_once_a_minute_and_after_an_error_at_once(user_of: UserOf) -> None:
    row = place(user_of("agent"))

    def fresh() -> Connection:
        return Connection.objects.get(pk=row.pk)

    connections.note_worked(row)
    first = fresh().last_worked_at
    assert first is not None
    connections.note_worked(row)
    assert fresh().last_worked_at == first
    connections.note_failed(row, "Kartra refused them. " + "x" * 600)
    assert fresh().is_failing
    assert len(fresh().last_error) == 500
    connections.note_worked(row)
    assert not fresh().is_failing
    assert fresh().last_worked_at != first


def test_what_old_credentials_met_says_nothing_of_new_ones(user_of: UserOf) -> None:
    old = place(user_of("agent"))
    place(user_of("agent"), key="another key")
    connections.note_failed(old, "Kartra refused them.")
    assert Connection.objects.get().last_error == ""
