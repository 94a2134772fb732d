"""What went back of a payment is known before more goes: charged back, refunded here, or listed oddly."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import pytest

from leads.access import Desk
from leads.models import Operation, OperationStep, Outcome, Playbook
from leads.providers.base import LeadRef, Money, Transaction
from leads.providers.errors import Refused, Unavailable
from leads.providers.kartra.provider import KartraProvider
from leads.selectors.money import arrange, match
from leads.services import money, settling
from leads.services.money import Changed, Terms, Whose
from leads.services.playbook_preview import CANNOT, preview_playbook
from leads.wiring import provider_for
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import ending, grow_old, writes

pytestmark = pytest.mark.django_db
WHOSE, CARL = Whose(ADA.id, "Ada Moreno", ADA.email), NOTABLE["chargeback"]
SALE, PAYMENT = "99432", "99488"  # 9.95 of the 19.95 of the sale is refunded already


@pytest.fixture
def desk(desk_of: Callable[..., Desk], settings: object) -> Desk:
    settings.MONEY_HOLD = 0  # type: ignore[attr-defined]
    return desk_of("manager")


def read(desk: Desk, lead_id: str = ADA.id) -> Money:
    return provider_for(desk.connection).get_money(LeadRef(id=lead_id))


def sale(desk: Desk, transaction_id: str = PAYMENT, whose: Whose = WHOSE) -> money.Sale:
    return money.read_sale(provider_for(desk.connection), desk.account, whose, transaction_id)


def refund(
    desk: Desk, amount: str | None, seen: str = "", transaction_id: str = PAYMENT, whose: Whose = WHOSE
) -> Operation:
    return money.refund_transaction(
        actor=desk.user,
        connection=desk.connection,
        whose=whose,
        transaction_id=transaction_id,
        amount=Decimal(amount) if amount else None,
        terms=Terms("Goodwill", "", seen or sale(desk, transaction_id, whose).digest),
        operation_id=uuid4(),
    )


def list_as(monkeypatch: pytest.MonkeyPatch, found: Money) -> None:
    """Let Kartra's lists say this from now on."""
    monkeypatch.setattr(KartraProvider, "get_money", lambda self, ref: found)


def changed(found: Money, **values: object) -> Money:
    """The refunds with these values instead."""
    rows = (replace(row, **values) if row.kind == "partial_refund" else row for row in found.transactions)  # type: ignore[arg-type]
    return Money(tuple(rows), found.subscriptions)


# Charged back


def carls_sale(desk: Desk) -> Transaction:
    return next(row for row in read(desk, CARL.id).transactions if row.kind == "sale")


def test_a_sale_that_was_charged_back_is_not_refunded(desk: Desk, sandbox: Sandbox) -> None:
    number = carls_sale(desk).id
    found = sale(desk, number, Whose(CARL.id))
    assert (found.payment.state[0], found.payment.left) == ("Charged back", None)
    sandbox.calls()
    with pytest.raises(Refused, match="charged back"):
        refund(desk, None, found.digest, number, Whose(CARL.id))
    assert writes(sandbox) == []


def test_a_playbook_does_not_refund_what_was_charged_back(desk: Desk) -> None:
    playbook = Playbook.objects.create(account=desk.account, name="Refund", steps=[{"act": "refund"}])
    preview = preview_playbook(actor=desk.user, connection=desk.connection, playbook=playbook, lead_id=CARL.id)
    (line,) = preview.lines
    assert (line.state, line.note[:19]) == (CANNOT, "It was charged back")


def test_a_chargeback_that_came_since_it_was_shown_is_noticed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    now, number = read(desk, CARL.id), carls_sale(desk).id
    before = Money(tuple(row for row in now.transactions if row.kind != "chargeback"), now.subscriptions)
    list_as(monkeypatch, before)
    seen = sale(desk, number, Whose(CARL.id))
    assert seen.why_not() == ""
    list_as(monkeypatch, now)
    with pytest.raises(Changed):
        refund(desk, None, seen.digest, number, Whose(CARL.id))


# Made here, and not listed


def test_what_a_person_knows_was_refunded_stays_refunded(desk: Desk, sandbox: Sandbox) -> None:
    sandbox.arm("refund_transaction", "266")  # Kartra lists nothing, the processor has it
    operation = refund(desk, None)
    OperationStep.objects.filter(operation=operation).update(**ending(Outcome.SUCCEEDED))
    Operation.objects.filter(pk=operation.pk).update(outcome=Outcome.SUCCEEDED)
    found = sale(desk)
    assert (found.payment.refunded, found.payment.left, found.payment.state[0]) == (Decimal("19.95"), 0, "Refunded")
    sandbox.calls()
    with pytest.raises(Refused, match="already been refunded"):
        refund(desk, None)
    assert writes(sandbox) == []


def test_a_list_that_lags_behind_does_not_let_a_second_tab_refund(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = sale(desk).digest
    list_as(monkeypatch, read(desk))
    refund(desk, "5.00", seen)
    assert sale(desk).payment.left == Decimal("14.95")
    with pytest.raises(Changed):
        refund(desk, "5.00", seen)
    assert writes(sandbox) == [("refund_transaction",)]


def test_a_refund_counts_once_when_its_row_comes_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read(desk)
    with monkeypatch.context() as patch:
        list_as(patch, before)
        refund(desk, "5.00")
        assert [step.amount for step in sale(desk).payment.unlisted] == [Decimal("5.00")]
    found = sale(desk).payment
    assert (found.unlisted, found.refunded, found.left) == ((), Decimal("5.00"), Decimal("14.95"))


def test_a_late_row_settles_no_later_refund_of_the_same_amount(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        list_as(patch, read(desk))
        refund(desk, "5.00")
        sandbox.arm("refund_transaction", "266")
        second = refund(desk, "5.00")
    grow_old(second)
    assert settling.settle(second, connection=desk.connection).outcome == Outcome.UNKNOWN


def test_each_listed_refund_belongs_to_one_operation() -> None:
    row = Transaction("7", "partial_refund", amount=Decimal("5.00"))
    first, second, failed = (
        OperationStep(kind="transaction.refund", amount=Decimal("5.00"), outcome=outcome)
        for outcome in (Outcome.SUCCEEDED, Outcome.SUCCEEDED, Outcome.FAILED)
    )
    made_by, unlisted = match([row], [failed, first, second])
    assert made_by["7"] is first
    assert [step is second for step in unlisted] == [True]


# Listed oddly


@pytest.mark.parametrize("kind", ["refund", "partial_refund", "chargeback"])
def test_no_refund_while_a_row_does_not_tell_its_payment(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    list_as(monkeypatch, changed(read(desk), parent_id="", kind=kind))
    found = sale(desk, SALE)
    assert found.payment.left is None
    sandbox.calls()
    with pytest.raises(Refused, match="without saying which payment"):
        refund(desk, None, found.digest, SALE)
    assert writes(sandbox) == []


UNTOLD: dict[str, object] = {"kind": "", "has_details": False, "amount": None, "parent_id": "", "subscription_id": ""}


def test_what_does_not_say_that_it_is_a_refund_is_asked_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    list_as(monkeypatch, changed(read(desk), **UNTOLD))
    found = sale(desk, SALE).payment
    assert (found.refunded, found.left) == (Decimal("9.95"), Decimal("10.00"))


def test_a_payment_that_does_not_say_what_it_is_either_is_told_with_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = changed(read(desk), **UNTOLD)
    rows = (replace(row, kind="", has_details=False) if row.id == SALE else row for row in found.transactions)
    list_as(monkeypatch, Money(tuple(rows), found.subscriptions))
    assert sale(desk, SALE).payment.left == Decimal("10.00")


@pytest.mark.parametrize("parent", ["", SALE])
def test_no_refund_while_it_is_not_told_what_a_row_is(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, parent: str
) -> None:
    list_as(monkeypatch, changed(read(desk), kind="", parent_id=parent))
    found = sale(desk, SALE)
    assert found.payment.left is None
    sandbox.calls()
    with pytest.raises(Refused, match="without saying what it is"):
        refund(desk, None, found.digest, SALE)
    assert writes(sandbox) == []
    assert bool(sale(desk).why_not()) == (parent == ""), "which may be of this payment only where it names no other"


def test_what_cannot_be_told_now_is_no_refund_of_none(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The details of the payment itself are there, so that only those of the other row are asked for."""
    list_as(monkeypatch, changed(read(desk), **UNTOLD))
    asked: list[list[str]] = []

    def away(self: KartraProvider, found: Money, rows: list[Transaction]) -> Money:
        asked.append([row.kind for row in rows])
        raise Unavailable("Away")

    monkeypatch.setattr(KartraProvider, "add_details", away)
    with pytest.raises(Unavailable, match="what was refunded so far"):
        sale(desk, SALE)
    assert asked == [[""]]


def test_never_more_is_left_than_was_paid(desk: Desk) -> None:
    found = read(desk)
    minus = changed(found, amount=Decimal("-9.95"))
    rows = [row for group in arrange(minus) for row in group.payments if row.transaction.id == SALE]
    assert [row.left for row in rows] == [Decimal("10.00")]


def test_a_part_that_is_all_travels_as_an_amount(desk: Desk) -> None:
    asked = refund(desk, "19.95").steps.get().asked
    assert asked == {"transaction_id": PAYMENT, "amount": "19.95", "everything": False}
