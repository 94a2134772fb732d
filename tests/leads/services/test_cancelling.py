"""Cancel and refund the last payment, as one act: recorded whole, the refund only after a sure cancellation, once."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from accounts.models import AuditEntry, User
from accounts.services import connections
from kartra_admin.lib.errors import AppError, Conflict, Denied
from leads.access import Desk
from leads.models import Approval, Limit, Operation, Outcome, PlaybookRun
from leads.playbook_steps import attempt_id
from leads.providers import changes
from leads.providers.base import LeadRef
from leads.providers.errors import Refused
from leads.selectors.playbooks import list_unfinished, list_waiting, progress_of
from leads.services import _operations, approvals, held, money, outcomes, runs, settling
from leads.services.cancelling import LastPayment, cancel_and_refund
from leads.services.money import Changed, Terms, Whose
from leads.wiring import provider_for
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import come_to_wait, grow_old, together, writes

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]
WHOSE = Whose(ADA.id, "Ada Moreno", ADA.email)
PAYMENT, SUBSCRIPTION = "99488", "14833"  # 19.95, nothing refunded
CANCEL, REFUND = ("modify_subscription_status",), ("refund_transaction",)


@pytest.fixture
def desk(desk_of: DeskOf) -> Desk:
    return desk_of("support")


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> None:
    settings.MONEY_HOLD = 0


@pytest.fixture
def _hold(settings: Any) -> None:
    settings.MONEY_HOLD = 10


def shown(desk: Desk) -> dict[str, Any]:
    """What the dialog shows, as it comes back when it is confirmed."""
    provider = provider_for(desk.connection)
    plan = money.read_plan(provider, desk.account, WHOSE, SUBSCRIPTION)
    sale = money.read_sale(provider, desk.account, WHOSE, PAYMENT)
    return {"terms": Terms("Goodwill", "", plan.digest), "last": LastPayment(PAYMENT, sale.digest), "run_id": uuid4()}


def end(desk: Desk, **confirmed: Any) -> PlaybookRun:
    wanted = {**(confirmed or shown(desk))}
    return cancel_and_refund(
        actor=desk.user, connection=desk.connection, whose=WHOSE, subscription_id=SUBSCRIPTION, **wanted
    )


def states(run: PlaybookRun) -> list[str]:
    return [row.state for row in progress_of(run).steps]


def operation_of(run: PlaybookRun, part: int) -> Operation:
    return Operation.objects.get(pk=attempt_id(run.pk, part, 1))


def refunds(desk: Desk) -> list[str]:
    sale = money.read_sale(provider_for(desk.connection), desk.account, WHOSE, PAYMENT)
    return [str(row.amount) for row in sale.payment.refunds]


def do_in_kartra(desk: Desk, *wanted: changes.Change) -> None:
    for change in wanted:
        provider_for(desk.connection).send(LeadRef(id=ADA.id), [change])


def fresh(run: PlaybookRun) -> PlaybookRun:
    return PlaybookRun.objects.get(pk=run.pk)


# In one go


def test_the_cancellation_goes_first_and_the_refund_after_it(desk: Desk, sandbox: Sandbox) -> None:
    run = end(desk)
    assert writes(sandbox) == [CANCEL, REFUND]
    assert states(run) == ["done", "done"]
    assert refunds(desk) == ["19.95"]
    assert fresh(run).ended_at is not None
    assert {operation.reason for operation in run.operations.all()} == {"Goodwill"}


def test_the_same_form_again_sends_nothing(desk: Desk, sandbox: Sandbox) -> None:
    confirmed = shown(desk)
    first = end(desk, **confirmed)
    sandbox.calls()
    assert end(desk, **confirmed) == first
    with pytest.raises(Conflict):
        end(desk, **{**confirmed, "terms": Terms("Bought twice", "", confirmed["terms"].seen)})
    assert writes(sandbox) == []


@pytest.mark.django_db(transaction=True)
def test_a_double_click_is_one_run(desk: Desk, sandbox: Sandbox) -> None:
    confirmed = shown(desk)
    sandbox.calls()
    results = together(*[lambda: end(desk, **confirmed)] * 4)
    assert {getattr(result, "pk", result) for result in results} == {confirmed["run_id"]}
    assert writes(sandbox) == [CANCEL, REFUND]


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (changes.RefundTransaction(PAYMENT, amount="1.00"), Changed),
        (changes.RefundTransaction(PAYMENT, everything=True), Changed),
        (changes.PauseSubscription(SUBSCRIPTION), Changed),
    ],
)
def test_what_is_not_as_it_was_shown_starts_nothing(
    desk: Desk, sandbox: Sandbox, wanted: changes.Change, why: type[AppError]
) -> None:
    confirmed = shown(desk)
    do_in_kartra(desk, wanted)
    sandbox.calls()
    with pytest.raises(why):
        end(desk, **confirmed)
    assert writes(sandbox) == []
    assert not PlaybookRun.objects.exists()


def test_another_payment_than_the_last_is_not_refunded_with_it(desk: Desk, sandbox: Sandbox) -> None:
    older = money.read_sale(provider_for(desk.connection), desk.account, WHOSE, "99432")
    confirmed = {**shown(desk), "last": LastPayment("99432", older.digest)}
    sandbox.calls()
    with pytest.raises(Changed):
        end(desk, **confirmed)
    assert writes(sandbox) == []


@pytest.mark.parametrize("role", ["viewer", "agent", "auditor"])
def test_who_may_not_starts_nothing(desk: Desk, desk_of: DeskOf, sandbox: Sandbox, role: str) -> None:
    confirmed = shown(desk)
    with pytest.raises(Denied):
        end(desk_of(role), **confirmed)
    assert writes(sandbox) == []


# A cancellation that is not sure


@pytest.mark.parametrize("mode", ["lost", "late", "half"])
def test_a_cancellation_settled_by_reading_is_followed_by_the_refund(desk: Desk, sandbox: Sandbox, mode: str) -> None:
    sandbox.arm("modify_subscription_status", mode)
    run = end(desk)
    assert states(run) == ["checking", "open"]
    assert progress_of(run).badge[0] == "Waiting for the cancellation"
    runs.attend_all()
    assert writes(sandbox) == [CANCEL], "nothing is refunded while it is in doubt"
    settling.settle(operation_of(run, 0), connection=desk.connection)
    for _ in range(2):
        runs.attend_all()
    assert writes(sandbox) == [REFUND]
    assert states(run) == ["done", "done"]
    assert refunds(desk) == ["19.95"]
    assert list_unfinished(desk.account) == []


@pytest.mark.django_db(transaction=True)
def test_many_workers_refund_once(desk: Desk, sandbox: Sandbox) -> None:
    sandbox.arm("modify_subscription_status", "lost")
    run = end(desk)
    settling.settle(operation_of(run, 0), connection=desk.connection)
    sandbox.calls()
    together(*[runs.attend_all] * 4)
    assert writes(sandbox) == [REFUND]
    assert Operation.objects.filter(run=run).count() == 2
    assert not AuditEntry.objects.filter(action="playbook.stop.failed").exists()


@pytest.mark.parametrize("mode", ["429", "refused"])
def test_a_cancellation_that_failed_is_followed_by_nothing(desk: Desk, sandbox: Sandbox, mode: str) -> None:
    sandbox.arm("modify_subscription_status", mode, times=30)
    run = end(desk)
    assert operation_of(run, 0).outcome == Outcome.FAILED
    runs.attend_all()
    assert REFUND not in writes(sandbox)
    assert fresh(run).is_closed
    assert AuditEntry.objects.filter(action="playbook.close.succeeded", operation_id=run.pk).count() == 1
    assert list_unfinished(desk.account) == []
    with pytest.raises(Refused, match="closed"):
        runs.resume_run(
            actor=desk.user, connection=desk.connection, run=run, next_id=UUID(str(progress_of(run).next_id))
        )


def test_a_cancellation_that_a_person_says_was_not_done_is_followed_by_nothing(desk: Desk, sandbox: Sandbox) -> None:
    sandbox.arm("modify_subscription_status", "junk")
    run = end(desk)
    come_to_wait(operation_of(run, 0))
    outcomes.decide(
        actor=desk.user,
        connection=desk.connection,
        operation=operation_of(run, 0),
        happened=False,
        reason="Kartra shows it running",
    )
    runs.attend_all()
    assert writes(sandbox) == [CANCEL]
    assert fresh(run).is_closed


def test_after_a_persons_word_that_it_was_done_the_refund_waits_for_a_person(desk: Desk, sandbox: Sandbox) -> None:
    sandbox.arm("modify_subscription_status", "junk")
    run = end(desk)
    come_to_wait(operation_of(run, 0))
    outcomes.decide(
        actor=desk.user,
        connection=desk.connection,
        operation=operation_of(run, 0),
        happened=True,
        reason="The gateway shows it ended",
    )
    assert [progress.run for progress in list_waiting(desk.account)] == [run]
    runs.attend_all()
    assert writes(sandbox) == [CANCEL]
    assert (states(run), progress_of(run).badge[0]) == (["done", "open"], "Can continue")
    next_id = progress_of(run).next_id
    assert next_id
    runs.resume_run(actor=desk.user, connection=desk.connection, run=run, next_id=next_id)
    assert writes(sandbox) == [REFUND]
    assert fresh(run).ended_at is not None


def test_whoever_waited_for_the_answer_meanwhile_does_not_follow_a_persons_word(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held up after the first part, until somebody had decided."""
    sandbox.arm("modify_subscription_status", "junk")
    honest = runs._attempt

    def slow(run: PlaybookRun, part: Any, *rest: Any) -> None:
        honest(run, part, *rest)
        if not part.part.number:
            come_to_wait(operation_of(run, 0))
            settling.decide(
                operation=operation_of(run, 0),
                actor=desk.user,
                connection=desk.connection,
                happened=True,
                reason="The gateway shows it ended",
            )

    monkeypatch.setattr(runs, "_attempt", slow)
    run = end(desk)
    assert writes(sandbox) == [CANCEL]
    assert not fresh(run).goes_on


def test_a_cancellation_that_a_reading_finds_undone_is_followed_by_nothing(desk: Desk, sandbox: Sandbox) -> None:
    sandbox.arm("modify_subscription_status", "500")
    run = end(desk)
    operation = operation_of(run, 0)
    grow_old(operation)
    assert settling.settle(operation, connection=desk.connection).outcome == Outcome.FAILED
    runs.attend_all()
    assert writes(sandbox) == [CANCEL]
    assert fresh(run).is_closed
    assert list_unfinished(desk.account) == []


class Killed(BaseException):
    """The process is gone."""


def test_killed_between_the_two_the_worker_goes_on(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = runs._attempt

    def dying(run: PlaybookRun, part: Any, *rest: Any) -> None:
        if part.part.number:
            raise Killed
        honest(run, part, *rest)

    monkeypatch.setattr(runs, "_attempt", dying)
    with pytest.raises(Killed):
        end(desk)
    monkeypatch.undo()
    assert writes(sandbox) == [CANCEL]
    runs.attend_all()
    assert writes(sandbox) == [REFUND]


def test_killed_before_the_first_nothing_is_sent_by_itself(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever confirmed it saw an error: he may have done something else by now."""
    monkeypatch.setattr(runs, "_go_on", lambda *given: (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
        end(desk)
    monkeypatch.undo()
    runs.attend_all()
    assert writes(sandbox) == []
    run = PlaybookRun.objects.get()
    runs.resume_run(actor=desk.user, connection=desk.connection, run=run, next_id=attempt_id(run.pk, 0, 1))
    assert writes(sandbox) == [CANCEL, REFUND]


# Held back


@pytest.mark.usefixtures("_hold")
def test_it_is_held_back_once_and_then_both_are_sent(desk: Desk, sandbox: Sandbox) -> None:
    run = end(desk)
    assert operation_of(run, 0).outcome == Outcome.HELD
    runs.attend_all()
    assert writes(sandbox) == []
    Operation.objects.update(send_at=timezone.now() - timedelta(seconds=1))
    held.send_due_operations()
    runs.attend_all()
    assert writes(sandbox) == [CANCEL, REFUND]
    assert states(run) == ["done", "done"]


@pytest.mark.usefixtures("_hold")
def test_what_is_withdrawn_takes_the_refund_with_it(desk: Desk, sandbox: Sandbox) -> None:
    run = end(desk)
    outcomes.withdraw(actor=desk.user, operation=operation_of(run, 0))
    assert fresh(run).is_closed
    runs.attend_all()
    assert writes(sandbox) == []
    assert states(run) == ["withdrawn", "open"]


# What stands against the refund by then


def until_settled(desk: Desk, sandbox: Sandbox) -> PlaybookRun:
    """A run whose cancellation was in doubt, and was settled just now."""
    sandbox.arm("modify_subscription_status", "lost")
    run = end(desk)
    settling.settle(operation_of(run, 0), connection=desk.connection)
    sandbox.calls()
    return run


def test_other_figures_than_were_shown_are_left_to_a_person(desk: Desk, sandbox: Sandbox) -> None:
    run = until_settled(desk, sandbox)
    do_in_kartra(desk, changes.RefundTransaction(PAYMENT, amount="1.00"))
    sandbox.calls()
    runs.attend_all()
    assert "has changed in Kartra" in progress_of(run).stopped
    assert [progress.run for progress in list_waiting(desk.account)] == [run]
    runs.attend_all()
    assert writes(sandbox) == []
    assert AuditEntry.objects.filter(action="playbook.stop.failed").count() == 1


def test_what_somebody_refunded_meanwhile_is_not_refunded_again(desk: Desk, sandbox: Sandbox) -> None:
    run = until_settled(desk, sandbox)
    do_in_kartra(desk, changes.RefundTransaction(PAYMENT, everything=True))
    sandbox.calls()
    runs.attend_all()
    assert writes(sandbox) == []
    assert states(run) == ["done", "skipped"]


def test_the_limits_of_that_moment_count(desk: Desk, desk_of: DeskOf, sandbox: Sandbox) -> None:
    run = until_settled(desk, sandbox)
    Limit.objects.create(role="support", per_transaction=Decimal(10))
    runs.attend_all()
    assert writes(sandbox) == []
    assert states(run) == ["done", "approval"]
    with pytest.raises(Refused, match="waiting for approval"):
        runs.close_run(actor=desk.user, run=run, note="No more of it")
    manager = desk_of("manager")
    approvals.approve(actor=manager.user, connection=manager.connection, approval=Approval.objects.get())
    runs.attend_all()
    assert writes(sandbox) == [REFUND]
    assert fresh(run).ended_at is not None


@pytest.mark.parametrize("change", [{"role": "agent"}, {"is_active": False}])
def test_who_may_not_any_more_refunds_nothing(desk: Desk, sandbox: Sandbox, change: dict[str, Any]) -> None:
    run = until_settled(desk, sandbox)
    User.objects.filter(pk=desk.user.pk).update(**change)
    runs.attend_all()
    assert writes(sandbox) == []
    assert progress_of(run).stopped


def test_after_a_day_nothing_goes_on_by_itself(desk: Desk, sandbox: Sandbox) -> None:
    run = until_settled(desk, sandbox)
    PlaybookRun.objects.update(created_at=timezone.now() - runs.GOES_ON_FOR)
    runs.attend_all()
    assert writes(sandbox) == []
    assert [progress.run for progress in list_waiting(desk.account)] == [run]
    next_id = progress_of(run).next_id
    assert next_id
    runs.resume_run(actor=desk.user, connection=desk.connection, run=run, next_id=next_id)
    assert writes(sandbox) == [REFUND]


def test_a_kartra_that_cannot_be_read_is_asked_again(desk: Desk, sandbox: Sandbox) -> None:
    run = until_settled(desk, sandbox)
    sandbox.arm("*", "junk", 3)
    runs.attend_all()
    assert (writes(sandbox), progress_of(run).stopped) == ([], "")
    runs.attend_all()
    assert writes(sandbox) == [REFUND]


def test_without_his_credentials_it_is_left_to_a_person(desk: Desk, desk_of: DeskOf, sandbox: Sandbox) -> None:
    run = until_settled(desk, sandbox)
    desk_of("admin")  # whose credentials are not for this
    sandbox.calls()
    connections.remove(actor=desk.user, owner=desk.user)
    runs.attend_all()
    assert writes(sandbox) == []
    assert "credentials" in progress_of(run).stopped


def test_a_refund_in_doubt_is_settled_and_never_sent_again(desk: Desk, sandbox: Sandbox) -> None:
    sandbox.arm("refund_transaction", "lost")
    run = end(desk)
    assert states(run) == ["done", "checking"]
    runs.attend_all()
    operation = operation_of(run, 1)
    grow_old(operation)
    settling.settle(operation, connection=desk.connection)
    runs.attend_all()
    assert writes(sandbox) == [CANCEL, REFUND]
    assert fresh(run).ended_at is not None


def test_a_refund_that_failed_is_not_tried_again_by_itself(desk: Desk, sandbox: Sandbox) -> None:
    sandbox.arm("refund_transaction", "429", times=30)
    run = end(desk)
    sandbox.disarm()
    runs.attend_all()
    assert states(run) == ["done", "failed"]
    assert Operation.objects.filter(run=run).count() == 2
    assert not fresh(run).goes_on


# Closed by a person


def test_a_closed_run_refunds_nothing_even_at_that_moment(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed after the worker has read and before it records."""
    run = until_settled(desk, sandbox)
    honest = _operations.record

    def slow(*given: Any, **also: Any) -> tuple[Operation, bool]:
        runs.close_run(actor=desk.user, run=run, note="She keeps the last month")
        return honest(*given, **also)

    monkeypatch.setattr(_operations, "record", slow)
    runs.attend_all()
    assert writes(sandbox) == []
    assert states(run) == ["done", "open"]
    assert not AuditEntry.objects.filter(action="playbook.stop.failed").exists()
