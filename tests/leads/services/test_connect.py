"""Credentials are tried before they are kept, and how they do is kept after."""

from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from uuid import uuid4

import pytest

from accounts.models import Account, AuditEntry, Connection, User
from kartra_admin.lib.errors import Conflict, Denied
from leads.access import Desk
from leads.models import Operation
from leads.providers.errors import Misconfigured, Refused, Unavailable
from leads.providers.kartra.sandbox.credentials import ACCOUNTS, CLOSED_ACCOUNT
from leads.providers.kartra.sandbox.state import connect as connect_to_sandbox
from leads.services import _operations, money
from leads.services.connections import connect, disconnect
from leads.services.money import Whose
from leads.wiring import provider_for
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import read, together

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]
UserOf = Callable[[str], User]

STUDIO, BINDERY = ACCOUNTS
WHOSE = Whose(ADA.id, "Ada Moreno", ADA.email)


def test_good_credentials_are_kept_and_the_catalogues_read(user_of: UserOf, sandbox: Sandbox) -> None:
    manager = user_of("manager")
    connection = connect(
        actor=manager,
        owner=manager,
        api_key=STUDIO.api_key,
        api_password=STUDIO.api_password,
        account_name="The Studio",
    )
    connection.refresh_from_db()
    assert connection.last_worked_at is not None
    assert not connection.is_failing
    assert Account.objects.get().name == "The Studio"
    assert connection.account.catalogues.count() == 5


@pytest.mark.parametrize(
    ("key", "password"),
    [
        ("nobody-knows-this", STUDIO.api_password),
        (STUDIO.api_key, "wrong"),
        (CLOSED_ACCOUNT.api_key, CLOSED_ACCOUNT.api_password),
        (STUDIO.api_password, STUDIO.api_key),
    ],
)
def test_refused_credentials_are_not_kept(user_of: UserOf, sandbox: Sandbox, key: str, password: str) -> None:
    agent = user_of("agent")
    with pytest.raises(Misconfigured) as caught:
        connect(actor=agent, owner=agent, api_key=key, api_password=password)
    assert caught.value.code in ("203", "204", "233")
    assert not Connection.objects.exists()
    assert not Account.objects.exists()


def test_refused_credentials_leave_the_old_ones(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    with pytest.raises(Misconfigured):
        connect(actor=desk.user, owner=desk.user, api_key="nobody-knows-this", api_password="x")
    assert read(desk).id


@pytest.mark.parametrize("mode", ["500", "junk", "refused"])
def test_nothing_is_kept_while_kartra_does_not_answer(user_of: UserOf, sandbox: Sandbox, mode: str) -> None:
    agent = user_of("agent")
    sandbox.arm("*", mode, times=3)
    with pytest.raises(Unavailable):
        connect(actor=agent, owner=agent, api_key=STUDIO.api_key, api_password=STUDIO.api_password)
    assert not Connection.objects.exists()


def test_another_key_is_another_account(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    moved = connect(actor=desk.user, owner=desk.user, api_key=BINDERY.api_key, api_password=BINDERY.api_password)
    assert moved.account != desk.account
    assert Connection.objects.get(user=desk.user).account == moved.account


def test_nobody_but_an_admin_places_credentials_for_others(desk_of: DeskOf, user_of: UserOf) -> None:
    owner = user_of("viewer")
    keys = {"api_key": STUDIO.api_key, "api_password": STUDIO.api_password}
    with pytest.raises(Denied):
        connect(actor=user_of("manager"), owner=owner, **keys)
    connection = connect(actor=user_of("admin"), owner=owner, **keys)
    assert (connection.user, connection.placed_by) == (owner, user_of("admin"))


def test_a_refusal_is_noted_and_forgotten_once_they_work(desk_of: DeskOf, sandbox: Sandbox) -> None:
    import sqlite3

    desk = desk_of("agent")
    before = desk.connection.last_worked_at

    def in_kartra(password: str) -> None:
        kartra = sqlite3.connect(sandbox.path)
        with kartra:
            kartra.execute("UPDATE accounts SET api_password = ? WHERE api_key = ?", (password, STUDIO.api_key))
        kartra.close()

    in_kartra("changed in Kartra")
    with pytest.raises(Misconfigured) as caught:
        read(desk)
    desk.connection.refresh_from_db()
    assert desk.connection.is_failing
    assert desk.connection.last_error == caught.value.sentence
    in_kartra(STUDIO.api_password)
    read(desk)
    desk.connection.refresh_from_db()
    assert not desk.connection.is_failing
    assert desk.connection.last_worked_at is not None
    assert before is None or desk.connection.last_worked_at >= before


@pytest.mark.parametrize("mode", ["500", "refused", "429"])
def test_a_bad_day_of_kartra_is_no_fault_of_the_credentials(desk_of: DeskOf, sandbox: Sandbox, mode: str) -> None:
    desk = desk_of("agent")
    sandbox.arm("get_lead", mode, times=2)
    read(desk)
    desk.connection.refresh_from_db()
    assert desk.connection.last_error == ""


def test_the_log_names_the_owner_and_no_secret(user_of: UserOf, sandbox: Sandbox) -> None:
    admin, agent = user_of("admin"), user_of("agent")
    connect(actor=admin, owner=agent, api_key=STUDIO.api_key, api_password=STUDIO.api_password)
    entry = AuditEntry.objects.get(action="connection.place.succeeded")
    assert (entry.actor_name, entry.target_name) == ("Admin Person", "Agent Person")
    assert STUDIO.api_key not in str(vars(entry))


def refund_in_doubt(desk: Desk, sandbox: Sandbox) -> Operation:
    sale = money.read_sale(provider_for(desk.connection), desk.account, WHOSE, "99488")
    step = money.refund_step(sale, Decimal("5.00"), seen=sale.digest)
    terms = money.Terms("Goodwill", "", "")
    intent = money.about(money.intent_of(uuid4(), desk.user, desk.connection, uuid4().hex, terms), WHOSE)
    sandbox.arm("refund_transaction", "500")
    refund = _operations.perform(intent, [step])
    assert refund.outcome == "unknown"
    return refund


@pytest.mark.parametrize("outcome", ["unknown", "held"])
def test_the_last_credentials_stay_while_money_is_not_settled(
    desk_of: DeskOf, user_of: UserOf, sandbox: Sandbox, outcome: str
) -> None:
    desk = desk_of("support")
    refund = refund_in_doubt(desk, sandbox)
    refund.steps.update(outcome=outcome)
    other = desk_of("agent")
    User.objects.filter(pk=other.user.pk).update(is_active=False)  # who is shut out looks after nothing
    for actor in (desk.user, user_of("admin")):
        with pytest.raises(Conflict, match=r"1 refund or subscription change of .* not settled"):
            disconnect(actor=actor, owner=desk.user)
    with pytest.raises(Denied):
        disconnect(actor=user_of("viewer"), owner=desk.user)
    assert Connection.objects.filter(user=desk.user).exists()
    assert not AuditEntry.objects.filter(action="connection.remove.succeeded").exists()

    User.objects.filter(pk=other.user.pk).update(is_active=True)
    assert disconnect(actor=desk.user, owner=desk.user)
    with pytest.raises(Conflict):
        disconnect(actor=other.user, owner=other.user)
    refund.steps.update(outcome="failed", settled_by="answer")
    assert disconnect(actor=other.user, owner=other.user)


@pytest.mark.django_db(transaction=True)
def test_the_last_two_at_once_leave_one(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desks = [desk_of("support"), desk_of("manager")]
    refund_in_doubt(desks[0], sandbox)
    together(*[lambda desk=desk: disconnect(actor=desk.user, owner=desk.user) for desk in desks])
    assert Connection.objects.count() == 1


def test_a_new_key_of_the_same_account_does_not_open_what_is_in_doubt(desk_of: DeskOf, sandbox: Sandbox) -> None:
    """The old key no longer works, so its credentials may go; what was in doubt under it stays locked."""
    desk = desk_of("support")
    refund_in_doubt(desk, sandbox)
    with closing(connect_to_sandbox(sandbox.path)) as kartra, kartra:
        kartra.execute("UPDATE accounts SET api_key = 'a-new-key' WHERE api_key = ?", (STUDIO.api_key,))
    with pytest.raises(Misconfigured):
        read(desk)
    assert disconnect(actor=desk.user, owner=desk.user)
    connection = connect(actor=desk.user, owner=desk.user, api_key="a-new-key", api_password=STUDIO.api_password)
    assert connection.account != desk.account
    sale = money.read_sale(provider_for(connection), connection.account, WHOSE, "99488")
    assert "being checked" in sale.why_not()
    with pytest.raises(Refused, match="being checked"):
        money.refund_step(sale, Decimal("5.00"), seen=sale.digest)
    other = money.read_sale(provider_for(connection), connection.account, WHOSE, "99432")
    assert other.why_not() == ""


def test_credentials_of_another_account_wait_until_money_is_settled(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("support")
    place = {"actor": desk.user, "owner": desk.user}
    refund = refund_in_doubt(desk, sandbox)

    with pytest.raises(Conflict, match=r"1 refund or subscription change of .* not settled"):
        connect(**place, api_key=BINDERY.api_key, api_password=BINDERY.api_password)
    assert Connection.objects.get().account == desk.account
    connect(**place, api_key=STUDIO.api_key, api_password=STUDIO.api_password)  # the same key again is no other account

    refund.outcome = "failed"
    refund.save()
    refund.steps.update(outcome="failed", settled_by="answer")
    connect(**place, api_key=BINDERY.api_key, api_password=BINDERY.api_password)
    assert Connection.objects.get().account != desk.account
