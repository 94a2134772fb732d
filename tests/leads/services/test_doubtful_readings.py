"""A reading that leaves something open proves nothing, and starts nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from kartra_admin.lib import deadline
from leads.access import Desk
from leads.models import Operation, Outcome
from leads.providers.base import LeadRef, Money
from leads.providers.changes import EditSubscription
from leads.providers.errors import Unavailable
from leads.providers.kartra.client import KartraClient
from leads.services import _operations, money, settling
from leads.services.money import Terms, Whose
from leads.wiring import provider_for
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import grow_old, writes

pytestmark = pytest.mark.django_db
WHOSE = Whose(ADA.id, "Ada Moreno", ADA.email)
SALE, PAYMENT, SUBSCRIPTION = "99432", "99488", "14833"


@pytest.fixture
def desk(desk_of: Callable[..., Desk], settings: object) -> Desk:
    settings.MONEY_HOLD = 0  # type: ignore[attr-defined]
    return desk_of("manager")


def test_no_refund_while_the_details_of_an_earlier_one_are_missing(desk: Desk) -> None:
    read = provider_for(desk.connection).get_money(LeadRef(id=ADA.id))
    rows = tuple(
        replace(row, has_details=False, parent_id="", amount=None) if row.parent_id == SALE and row.id != SALE else row
        for row in read.transactions
    )
    assert rows != read.transactions

    def silent(*_: object) -> Money:
        raise Unavailable("Kartra did not answer.")

    lacking = SimpleNamespace(get_money=lambda ref: Money(rows, read.subscriptions), add_details=silent)
    with pytest.raises(Unavailable, match="what was refunded so far"):
        money.read_sale(lacking, desk.account, WHOSE, SALE)  # type: ignore[arg-type]
    newest = max((row for row in rows if row.kind in ("sale", "rebill")), key=lambda row: int(row.id))
    assert money.read_sale(lacking, desk.account, WHOSE, newest.id).payment.transaction == newest  # type: ignore[arg-type]


def test_an_edit_that_reads_the_same_before_and_after_is_left_to_a_person(desk: Desk, sandbox: Sandbox) -> None:
    provider = provider_for(desk.connection)
    price = provider.get_subscription(SUBSCRIPTION).next_amount
    sandbox.arm("edit_subscription", "500")
    operation = money.change_subscription(
        actor=desk.user,
        connection=desk.connection,
        whose=WHOSE,
        change=EditSubscription(SUBSCRIPTION, amount=f"{price:.2f}"),
        terms=Terms("Goodwill", "", money.read_plan(provider, desk.account, WHOSE, SUBSCRIPTION).digest),
        operation_id=uuid4(),
    )
    grow_old(operation)
    assert settling.settle(operation, connection=desk.connection).outcome == Outcome.UNKNOWN


def test_what_was_given_up_while_its_sender_slept_is_never_sent(desk: Desk, sandbox: Sandbox) -> None:
    sale = money.read_sale(provider_for(desk.connection), desk.account, WHOSE, PAYMENT)
    terms = Terms("Goodwill", "", "")
    intent = money.about(money.intent_of(uuid4(), desk.user, desk.connection, "asked", terms), WHOSE)
    operation, _ = _operations.record(intent, [money.refund_step(sale, Decimal("5.00"), seen=sale.digest)])
    ten_minutes_ago = timezone.now() - timedelta(minutes=10)
    Operation.objects.update(sent_at=ten_minutes_ago, created_at=ten_minutes_ago)
    settling.settle(Operation.objects.get(), connection=desk.connection)
    sandbox.calls()
    sent = _operations.send(operation, desk.connection)
    assert (sent.outcome, Operation.objects.get().outcome) == (Outcome.FAILED, Outcome.FAILED)
    assert "Nothing was sent" in sent.steps.get().sentence
    assert writes(sandbox) == []
    assert not AuditEntry.objects.filter(operation_id=operation.pk, outcome="sent").exists()


def test_who_sleeps_before_the_wire_sends_nothing(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine is suspended between the last look at the operation and the call."""
    sale = money.read_sale(provider_for(desk.connection), desk.account, WHOSE, PAYMENT)
    terms = Terms("Goodwill", "", "")
    intent = money.about(money.intent_of(uuid4(), desk.user, desk.connection, "asked", terms), WHOSE)
    operation, _ = _operations.record(intent, [money.refund_step(sale, Decimal("5.00"), seen=sale.digest)])
    awake, call = deadline.clock, KartraClient.call

    def suspended(self: KartraClient, *given: Any, **also: Any) -> Any:
        monkeypatch.setattr(deadline, "clock", lambda: awake() + _operations.LEAVES_WITHIN)
        return call(self, *given, **also)

    monkeypatch.setattr(KartraClient, "call", suspended)
    sandbox.calls()
    sent = _operations.send(operation, desk.connection)
    assert (sent.outcome, Operation.objects.get().outcome) == (Outcome.FAILED, Outcome.FAILED)
    assert "Nothing was sent" in sent.steps.get().sentence
    assert writes(sandbox) == []
