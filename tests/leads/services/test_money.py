"""Refunds and changes of subscriptions: read anew, bound to what was shown, sent once, settled by reading."""

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import AuditEntry, Connection
from kartra_admin.lib.crypto import SealBroken
from kartra_admin.lib.errors import AppError, Conflict, Denied, FormReused
from leads.access import Desk
from leads.models import Operation, OperationStep, Outcome
from leads.providers import changes
from leads.providers.base import LeadRef
from leads.providers.errors import NotFound, Refused, Unavailable
from leads.providers.kartra.sandbox.commands.transactions import add_child
from leads.providers.kartra.sandbox.desk import Desk as SandboxDesk
from leads.providers.kartra.sandbox.state import connect, est_now, writing
from leads.services import _operations, held, money, outcomes, settling
from leads.services.money import Changed, Terms, Whose
from leads.services.reconcile import reconcile
from leads.wiring import provider_for
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import come_to_wait, grow_old, together, writes

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]
WHOSE = Whose(ADA.id, "Ada Moreno", ADA.email)
SALE, REBILL, SUBSCRIPTION = "99432", "99488", "14833"  # 9.95 of the 19.95 of the sale is refunded already
ONE_REFUND = [("refund_transaction",)]


@pytest.fixture
def desk(desk_of: DeskOf) -> Desk:
    return desk_of("manager")


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> None:
    settings.MONEY_HOLD = 0


def sale(desk: Desk, transaction_id: str = REBILL, whose: Whose = WHOSE) -> money.Sale:
    return money.read_sale(provider_for(desk.connection), desk.account, whose, transaction_id)


def plan(desk: Desk, subscription_id: str = SUBSCRIPTION, whose: Whose = WHOSE) -> money.Plan:
    return money.read_plan(provider_for(desk.connection), desk.account, whose, subscription_id)


def refund(desk: Desk, amount: str | None = "5.00", transaction_id: str = REBILL, **also: Any) -> Operation:
    whose = also.pop("whose", WHOSE)
    seen = also.pop("seen", None) or sale(desk, transaction_id, whose).digest
    wanted = {
        "actor": desk.user,
        "connection": desk.connection,
        "whose": whose,
        "transaction_id": transaction_id,
        "amount": Decimal(amount) if amount else None,
        "terms": Terms("Goodwill", "", seen),
        "operation_id": uuid4(),
    }
    return money.refund_transaction(**{**wanted, **also})


def change(desk: Desk, wanted: changes.Change, **also: Any) -> Operation:
    whose = also.pop("whose", WHOSE)
    seen = also.pop("seen", None) or plan(desk, wanted.subject, whose).digest
    terms = Terms("Goodwill", "", seen)
    values = {"operation_id": uuid4(), **also}
    return money.change_subscription(
        actor=desk.user, connection=desk.connection, whose=whose, change=wanted, terms=terms, **values
    )


def refunded(desk: Desk, transaction_id: str = REBILL) -> list[str]:
    return [str(row.amount) for row in sale(desk, transaction_id).payment.refunds]


def log(operation: Operation) -> list[str]:
    entries = AuditEntry.objects.filter(operation_id=operation.pk).order_by("id")
    return [entry.action.rpartition(".")[2] for entry in entries]


# Refunds


def test_a_part_is_refunded_and_told(desk: Desk, sandbox: Sandbox) -> None:
    operation = refund(desk, "5.00")
    step = operation.steps.get()
    assert operation.outcome == Outcome.SUCCEEDED
    assert (step.before, step.after) == (
        {"Refunded": "0.00", "Left": "19.95"},
        {"Refunded": "5.00", "Left": "14.95"},
    )
    assert log(operation) == ["requested", "sent", "succeeded"]
    assert writes(sandbox) == ONE_REFUND
    assert refunded(desk) == ["5.00"]


def test_a_full_refund_says_so_to_kartra(desk: Desk) -> None:
    operation = refund(desk, None)
    assert operation.steps.get().asked == {"transaction_id": REBILL, "amount": "", "everything": True}
    assert operation.steps.get().amount == Decimal("19.95")
    assert refunded(desk) == ["19.95"]


def test_the_rest_of_a_partly_refunded_sale_travels_as_an_amount(desk: Desk) -> None:
    operation = refund(desk, None, SALE)
    assert operation.steps.get().asked == {"transaction_id": SALE, "amount": "10.00", "everything": False}
    assert refunded(desk, SALE) == ["9.95", "10.00"]


def test_a_second_refund_goes_up_to_what_is_left(desk: Desk, sandbox: Sandbox) -> None:
    refund(desk, "15.00")
    sandbox.calls()
    with pytest.raises(Refused, match=r"Only 4\.95 is left"):
        refund(desk, "4.96")
    assert writes(sandbox) == []
    assert refund(desk, "4.95").outcome == Outcome.SUCCEEDED
    with pytest.raises(Refused, match="already been refunded"):
        refund(desk, "0.01")


def test_the_same_form_again_sends_nothing(desk: Desk, sandbox: Sandbox) -> None:
    seen, own_id = sale(desk).digest, uuid4()
    first = refund(desk, seen=seen, operation_id=own_id)
    assert refund(desk, seen=seen, operation_id=own_id) == first
    with pytest.raises(FormReused):
        refund(desk, "6.00", seen=seen, operation_id=own_id)
    assert writes(sandbox) == ONE_REFUND


def test_two_tabs_of_the_same_sale(desk: Desk, sandbox: Sandbox) -> None:
    seen = sale(desk).digest
    refund(desk, seen=seen)
    with pytest.raises(Changed):
        refund(desk, seen=seen)
    assert writes(sandbox) == ONE_REFUND


@pytest.mark.django_db(transaction=True)
def test_two_at_the_same_moment_are_one_call(desk: Desk, sandbox: Sandbox) -> None:
    seen = sale(desk).digest
    results = together(*[lambda: refund(desk, seen=seen)] * 4)
    assert sum(isinstance(result, Operation) for result in results) == 1
    assert all(isinstance(result, Operation | AppError) for result in results)
    assert writes(sandbox) == ONE_REFUND
    assert refunded(desk) == ["5.00"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("hold", [0, 10])
def test_a_double_click_at_the_same_moment_is_one_operation(
    desk: Desk, sandbox: Sandbox, settings: Any, hold: int
) -> None:
    settings.MONEY_HOLD = hold
    seen, own_id = sale(desk).digest, uuid4()
    results = together(*[lambda: refund(desk, seen=seen, operation_id=own_id)] * 6)
    assert [getattr(result, "pk", result) for result in results] == [own_id] * 6
    assert writes(sandbox) == ([] if hold else ONE_REFUND)
    assert log(Operation.objects.get()).count("requested") == 1


def test_a_sale_that_changed_since_it_was_shown_is_not_refunded(desk: Desk, sandbox: Sandbox) -> None:
    seen = sale(desk).digest
    provider_for(desk.connection).send(LeadRef(id=ADA.id), [changes.RefundTransaction(REBILL, amount="1.00")])
    sandbox.calls()
    with pytest.raises(Changed):
        refund(desk, seen=seen)
    assert writes(sandbox) == []
    assert not Operation.objects.exists()


@pytest.mark.parametrize("role", ["viewer", "agent", "auditor"])
def test_who_may_not_refund_sends_nothing(desk_of: DeskOf, desk: Desk, sandbox: Sandbox, role: str) -> None:
    other, seen = desk_of(role), sale(desk).digest
    with pytest.raises(Denied):
        refund(other, seen=seen)
    assert writes(sandbox) == []


def test_another_leads_or_accounts_transaction_is_not_found(desk_of: DeskOf, desk: Desk, sandbox: Sandbox) -> None:
    with pytest.raises(NotFound):
        refund(desk, seen="x", transaction_id="99601")  # Jon's
    with pytest.raises(NotFound):
        refund(desk_of("support", account=1), seen="x")
    assert writes(sandbox) == []


@pytest.mark.parametrize(("transaction_id", "number"), [("99603", "250"), ("99604", "250")])
def test_kartras_refusal_is_shown_in_plain_words(desk: Desk, transaction_id: str, number: str) -> None:
    operation = refund(desk, None, transaction_id, whose=Whose(NOTABLE["jon"].id))
    step = operation.steps.get()
    assert (operation.outcome, step.code) == (Outcome.FAILED, number)
    assert "refund" in step.sentence.lower()


# In doubt


@pytest.mark.parametrize(
    ("mode", "is_done"),
    [
        ("lost", True),
        ("late", True),
        ("half", True),
        ("266-done", True),
        ("500", False),
        ("junk", False),
        ("266", False),
    ],
)
def test_no_clear_answer_locks_the_payment(desk: Desk, sandbox: Sandbox, mode: str, is_done: bool) -> None:
    sandbox.arm("refund_transaction", mode)
    operation = refund(desk)
    assert operation.outcome == Outcome.UNKNOWN
    with pytest.raises((Refused, Changed)):
        refund(desk)
    assert "being checked" in sale(desk).why_not()
    grow_old(operation)
    settled = settling.settle(operation, connection=desk.connection)
    assert settled.outcome == (Outcome.SUCCEEDED if is_done else Outcome.UNKNOWN)
    assert writes(sandbox) == ONE_REFUND
    assert refunded(desk) == (["5.00"] if is_done else [])
    assert bool(sale(desk).why_not()) is not is_done


def test_a_refused_connection_moved_nothing(desk: Desk, sandbox: Sandbox) -> None:
    sandbox.arm("refund_transaction", "refused", times=9)
    operation = refund(desk)
    assert operation.outcome == Outcome.FAILED
    assert sale(desk).why_not() == ""
    assert refunded(desk) == []


def test_absence_never_means_that_no_money_moved(desk: Desk, sandbox: Sandbox, settings: Any) -> None:
    sandbox.arm("refund_transaction", "500")
    operation = refund(desk)
    grow_old(operation)
    for _ in range(settings.SETTLE_READINGS + 2):
        operation = settling.settle(operation, connection=desk.connection)
    assert operation.outcome == Outcome.UNKNOWN
    assert operation.waits_for_person
    assert log(operation).count("read") == settings.SETTLE_READINGS + 2


def test_an_older_refund_of_the_same_amount_proves_nothing(desk: Desk, sandbox: Sandbox) -> None:
    refund(desk, "5.00")
    sandbox.arm("refund_transaction", "500")
    operation = refund(desk, "5.00")
    grow_old(operation)
    assert settling.settle(operation, connection=desk.connection).outcome == Outcome.UNKNOWN


def decide(desk: Desk, operation: Operation, *, happened: bool) -> Operation:
    reason = "Stripe shows it" if happened else "Stripe shows nothing"
    return outcomes.decide(
        actor=desk.user, connection=desk.connection, operation=operation, happened=happened, reason=reason
    )


def test_nobody_decides_money_before_it_was_read_for_and_has_aged(desk: Desk, sandbox: Sandbox, settings: Any) -> None:
    sandbox.arm("refund_transaction", "500")
    operation = refund(desk)
    for change in ({"readings": 9}, {"readings": 1, "sent_at": timezone.now() - timedelta(hours=1)}):
        Operation.objects.filter(pk=operation.pk).update(**change)
        for happened in (False, True):
            with pytest.raises(Conflict, match="still being checked"):
                decide(desk, operation, happened=happened)
    assert sale(desk).why_not(), "it stays locked"


def test_a_no_is_not_taken_where_kartra_shows_the_refund(desk: Desk, sandbox: Sandbox) -> None:
    sandbox.arm("refund_transaction", "lost")
    operation = refund(desk)
    come_to_wait(operation)
    with pytest.raises(Conflict, match="settled as done"):
        decide(desk, operation, happened=False)
    operation.refresh_from_db()
    assert operation.outcome == Outcome.SUCCEEDED
    step = operation.steps.get()
    assert (step.settled_by, step.decided_by) == ("reading", None)


def test_a_no_is_not_taken_while_kartra_cannot_be_read(desk: Desk, sandbox: Sandbox) -> None:
    sandbox.arm("refund_transaction", "500")
    operation = refund(desk)
    come_to_wait(operation)
    sandbox.arm("*", "500", times=9)
    with pytest.raises(Unavailable):
        decide(desk, operation, happened=False)
    assert log(operation)[-1] == "unread"
    assert decide(desk, operation, happened=True).outcome == Outcome.SUCCEEDED


def test_a_refund_found_after_a_persons_no_is_set_right_and_logged(desk: Desk, sandbox: Sandbox, caplog: Any) -> None:
    sandbox.arm("refund_transaction", "500")
    operation = refund(desk)
    come_to_wait(operation)
    decide(desk, operation, happened=False)
    reconcile()
    operation.refresh_from_db()
    assert operation.outcome == Outcome.FAILED
    refund_behind(sandbox, REBILL, 500)
    reconcile()
    operation.refresh_from_db()
    assert operation.outcome == Outcome.SUCCEEDED
    entry = AuditEntry.objects.filter(operation_id=operation.pk).latest("id")
    assert (entry.action, entry.actor_name) == ("transaction.refund.succeeded", "reconcile")
    assert "although Manager Person said that it was not done" in entry.detail["sentence"]
    assert "person called not done" in caplog.text


def test_a_refund_made_after_a_persons_no_is_not_taken_for_the_first(desk: Desk, sandbox: Sandbox) -> None:
    sandbox.arm("refund_transaction", "500")
    operation = refund(desk)
    come_to_wait(operation)
    decide(desk, operation, happened=False)
    assert refund(desk).outcome == Outcome.SUCCEEDED
    reconcile()
    operation.refresh_from_db()
    assert operation.outcome == Outcome.FAILED


def test_a_refund_found_after_a_persons_no_and_another_try_proves_neither(desk: Desk, sandbox: Sandbox) -> None:
    sandbox.arm("refund_transaction", "500", times=2)
    first = refund(desk)
    come_to_wait(first)
    decide(desk, first, happened=False)
    second = refund(desk)
    refund_behind(sandbox, REBILL, 500)  # the first, which the person took for lost
    reconcile()
    second.refresh_from_db()
    assert second.outcome == Outcome.UNKNOWN
    refund_behind(sandbox, REBILL, 500)
    reconcile()
    second.refresh_from_db()
    assert second.outcome == Outcome.SUCCEEDED


@pytest.mark.django_db(transaction=True)
def test_a_reading_that_finds_it_while_a_person_says_no_sets_it_right(
    desk: Desk, sandbox: Sandbox, monkeypatch: Any
) -> None:
    sandbox.arm("refund_transaction", "266-done")
    operation = refund(desk)
    come_to_wait(operation)
    read = settling._read

    def slowly(*given: Any) -> Any:
        found = read(*given)
        OperationStep.objects.update(outcome=Outcome.FAILED, settled_by="person", decided_by=desk.user)
        Operation.objects.update(outcome=Outcome.FAILED, finished_at=timezone.now())
        return found

    monkeypatch.setattr(settling, "_read", slowly)
    assert settling.settle(operation, connection=desk.connection).outcome == Outcome.SUCCEEDED


def test_the_log_says_what_a_reading_saw(desk: Desk, sandbox: Sandbox) -> None:
    refund(desk, "5.00")
    sandbox.arm("refund_transaction", "500")
    operation = refund(desk, "4.00")
    grow_old(operation)
    settling.settle(operation, connection=desk.connection)
    [other] = sale(desk).payment.refunds
    entry = AuditEntry.objects.filter(operation_id=operation.pk).latest("id")
    assert entry.detail["seen"] == f"Refunds seen: #{other.id} of 5.00; left 14.95."
    assert entry.detail["seen"] in entry.sentence


def test_the_log_says_how_a_subscription_was_found(desk: Desk, sandbox: Sandbox) -> None:
    sandbox.arm("modify_subscription_status", "500")
    operation = change(desk, changes.CancelSubscription(SUBSCRIPTION))
    settling.settle(operation, connection=desk.connection)
    entry = AuditEntry.objects.filter(operation_id=operation.pk).latest("id")
    assert entry.detail["seen"] == "Status: active"


def test_a_reading_that_failed_is_logged_counts_as_an_attempt_and_proves_nothing(
    desk: Desk, sandbox: Sandbox, settings: Any
) -> None:
    sandbox.arm("refund_transaction", "500")
    operation = refund(desk)
    grow_old(operation)
    sandbox.arm("*", "500", times=99)
    for _ in range(settings.SETTLE_READINGS):
        assert reconcile(only_due=True).unread == 1
        assert reconcile(only_due=True).unread == 0, "the next is not due yet"
        Operation.objects.update(next_reading_at=timezone.now())
    operation.refresh_from_db()
    assert log(operation).count("unread") == settings.SETTLE_READINGS
    assert operation.outcome == Outcome.UNKNOWN
    assert operation.waits_for_person


def test_what_was_cut_off_comes_to_wait_for_a_person_though_kartra_is_down(
    desk: Desk, sandbox: Sandbox, settings: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(_operations, "send", lambda operation, connection, background: operation)
    operation = refund(desk)
    grow_old(operation)
    sandbox.arm("*", "500", times=99)
    for _ in range(settings.SETTLE_READINGS):
        reconcile()
    operation.refresh_from_db()
    assert operation.waits_for_person


def refund_behind(sandbox: Sandbox, transaction_id: str, cents: int) -> None:
    """A refund that shows in Kartra now."""
    with closing(connect(sandbox.path)) as db, writing(db):
        row = db.execute("SELECT * FROM transactions WHERE id = ?", (transaction_id,)).fetchone()
        add_child(SandboxDesk(db, 1, est_now(), False, {}), row, "partial_refund", cents)


def test_a_person_decides_and_unlocks(desk: Desk, sandbox: Sandbox, desk_of: DeskOf) -> None:
    sandbox.arm("refund_transaction", "500")
    operation = refund(desk)
    come_to_wait(operation)
    agent = desk_of("agent")
    with pytest.raises(Denied):
        decide(agent, operation, happened=False)
    decide(desk, operation, happened=False)
    operation.refresh_from_db()
    assert operation.outcome == Outcome.FAILED
    assert refund(desk).outcome == Outcome.SUCCEEDED


# Held back


def due(operation: Operation) -> Operation:
    Operation.objects.filter(pk=operation.pk).update(send_at=timezone.now() - timedelta(seconds=1))
    operation.refresh_from_db()
    return operation


@pytest.fixture
def _hold(settings: Any) -> None:
    settings.MONEY_HOLD = 10


@pytest.mark.usefixtures("_hold")
def test_what_is_withdrawn_never_leaves(desk: Desk, sandbox: Sandbox) -> None:
    operation = refund(desk)
    assert operation.outcome == Outcome.HELD
    outcomes.withdraw(actor=desk.user, operation=operation)
    outcomes.withdraw(actor=desk.user, operation=operation)  # a second click
    assert held.send_held(due(operation)).outcome == Outcome.WITHDRAWN
    assert writes(sandbox) == []
    assert log(operation) == ["requested", "withdrawn"]
    assert sale(desk).why_not() == ""


@pytest.mark.usefixtures("_hold")
def test_what_is_held_is_sent_once(desk: Desk, sandbox: Sandbox) -> None:
    operation = due(refund(desk))
    assert "is held back, and nothing was sent yet" in sale(desk).why_not()
    assert held.send_held(operation).outcome == Outcome.SUCCEEDED
    held.send_held(operation)
    assert writes(sandbox) == ONE_REFUND
    with pytest.raises(AppError, match="Too late"):
        outcomes.withdraw(actor=desk.user, operation=operation)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_hold")
def test_many_senders_and_one_who_takes_it_back(desk: Desk, sandbox: Sandbox) -> None:
    operation = due(refund(desk))
    copies = [Operation.objects.get(pk=operation.pk) for _ in range(4)]
    senders = [lambda copy=copy: held.send_held(copy) for copy in copies[:3]]
    together(*senders, lambda: outcomes.withdraw(actor=desk.user, operation=copies[3]))
    operation.refresh_from_db()
    assert len(writes(sandbox)) == (operation.outcome == Outcome.SUCCEEDED)
    assert operation.outcome in (Outcome.SUCCEEDED, Outcome.WITHDRAWN)


def test_nothing_is_recorded_where_the_credentials_do_not_open(desk: Desk, monkeypatch: Any) -> None:
    def broken(*given: Any, **also: Any) -> Any:
        raise SealBroken

    seen = sale(desk).digest
    monkeypatch.setattr(_operations, "provider_for", broken)
    with pytest.raises(SealBroken):
        refund(desk, seen=seen)
    assert not Operation.objects.exists()


@pytest.mark.usefixtures("_hold")
def test_what_changed_while_it_was_held_is_not_sent(desk: Desk, sandbox: Sandbox) -> None:
    operation = due(refund(desk))
    provider_for(desk.connection).send(LeadRef(id=ADA.id), [changes.RefundTransaction(REBILL, amount="1.00")])
    sandbox.calls()
    assert held.send_held(operation).outcome == Outcome.FAILED
    assert writes(sandbox) == []
    assert log(operation) == ["requested", "failed"]


@pytest.mark.parametrize("hold", [0, 10])
def test_the_log_does_not_say_sent_where_the_credentials_do_not_open(
    desk: Desk, sandbox: Sandbox, settings: Any, monkeypatch: pytest.MonkeyPatch, hold: int
) -> None:
    settings.MONEY_HOLD = hold

    opened: list[Connection] = []

    def once(connection: Connection, **also: Any) -> Any:
        opened.append(connection)
        if len(opened) > 1:
            raise SealBroken
        return provider_for(connection, **also)

    seen = sale(desk).digest
    monkeypatch.setattr(_operations, "provider_for", once)
    operation = refund(desk, seen=seen)
    if hold:
        operation = held.send_held(due(operation))
    assert operation.outcome == Outcome.FAILED
    assert log(operation) == ["requested", "failed"]
    assert writes(sandbox) == []


@pytest.mark.usefixtures("_hold")
def test_only_who_may_refund_takes_it_back(desk: Desk, desk_of: DeskOf) -> None:
    operation = refund(desk)
    with pytest.raises(Denied):
        outcomes.withdraw(actor=desk_of("agent").user, operation=operation)
    assert outcomes.withdraw(actor=desk_of("support").user, operation=operation).outcome == Outcome.WITHDRAWN


# Subscriptions

PAUSE, CANCEL = changes.PauseSubscription(SUBSCRIPTION), changes.CancelSubscription(SUBSCRIPTION)


def test_pause_resume_and_cancel(desk: Desk) -> None:
    for wanted, status in (
        (PAUSE, "paused"),
        (changes.ResumeSubscription(SUBSCRIPTION), "active"),
        (CANCEL, "cancelled"),
    ):
        assert change(desk, wanted).outcome == Outcome.SUCCEEDED
        assert plan(desk).group.the_subscription.status == status
    with pytest.raises(Refused, match="for good"):
        change(desk, PAUSE)


def test_an_edit_sends_only_what_was_asked(desk: Desk) -> None:
    wanted = changes.EditSubscription(SUBSCRIPTION, amount="24.50", installments_left="6")
    operation = change(desk, wanted)
    assert operation.steps.get().before == {"Price": "19.95", "Instalments left": "until cancelled"}
    after = plan(desk).group.the_subscription
    assert (str(after.next_amount), after.installments_left) == ("24.50", "6")


@pytest.mark.parametrize("wanted", [PAUSE, CANCEL, changes.EditSubscription(SUBSCRIPTION, amount="24.50")])
@pytest.mark.parametrize("mode", ["lost", "late", "half"])
def test_a_lost_answer_is_settled_by_the_status(
    desk: Desk, sandbox: Sandbox, wanted: changes.Change, mode: str
) -> None:
    sandbox.arm("edit_subscription" if wanted.kind == "subscription.edit" else "modify_subscription_status", mode)
    operation = change(desk, wanted)
    assert operation.outcome == Outcome.UNKNOWN
    with pytest.raises((Refused, Changed)):
        change(desk, PAUSE)
    assert settling.settle(operation, connection=desk.connection).outcome == Outcome.SUCCEEDED
    assert len(writes(sandbox)) == 1


def test_paypal_is_only_cancelled(desk: Desk, sandbox: Sandbox) -> None:
    jon = Whose(NOTABLE["jon"].id)
    with pytest.raises(Refused, match="PayPal"):
        change(desk, changes.PauseSubscription("14901"), whose=jon)
    assert writes(sandbox) == []
    assert change(desk, changes.CancelSubscription("14901"), whose=jon).outcome == Outcome.SUCCEEDED
