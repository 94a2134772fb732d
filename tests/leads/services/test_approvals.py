"""Above a limit somebody else decides: bound to what was shown, once, and by those who may at that moment."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from accounts.models import AuditEntry, Connection, User
from accounts.services import connections as credentials
from kartra_admin.lib.errors import AppError, Conflict, Denied, FormReused
from leads.access import Desk, desk_for, whose_for
from leads.models import Approval, Limit, Operation, Outcome
from leads.providers.base import LeadRef
from leads.providers.changes import RefundTransaction
from leads.providers.errors import NotFound, Refused
from leads.providers.kartra.sandbox.credentials import ACCOUNTS
from leads.selectors import approvals as selectors
from leads.services import approvals, money
from leads.services._operations import Locked
from leads.services.approvals import Over
from leads.services.money import Changed, Terms
from leads.wiring import provider_for
from tests.leads.conftest import NOTABLE, Sandbox
from tests.leads.helpers import together, writes

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]
JON, SALE = NOTABLE["jon"].id, "99601"  # 590.00, nothing refunded
REFUND = ("refund_transaction",)
ONCE = [REFUND]


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> None:
    settings.MONEY_HOLD = 0


@pytest.fixture
def support(desk_of: DeskOf) -> Desk:
    """Somebody who may refund 100.00 at a time."""
    desk = desk_of("support")
    Limit.objects.create(role="support", per_transaction=Decimal(100))
    return desk


@pytest.fixture
def manager(desk_of: DeskOf) -> Desk:
    return desk_of("manager")


def refund(desk: Desk, amount: str | None = "150", *, own_id: UUID | None = None, **also: Any) -> Operation | Approval:
    """What the dialog does: show the sale as it reads, then confirm."""
    whose = whose_for(desk, JON)
    sale = money.read_sale(provider_for(desk.connection), desk.account, whose, SALE)
    wanted = {
        "whose": whose,
        "transaction_id": SALE,
        "amount": Decimal(amount) if amount else None,
        "terms": Terms("Goodwill", "", sale.digest),
        "operation_id": own_id or uuid4(),
    }
    return approvals.refund_or_request(actor=desk.user, connection=desk.connection, **{**wanted, **also})


def ask(desk: Desk, amount: str | None = "150") -> Approval:
    made = refund(desk, amount)
    assert isinstance(made, Approval)
    return made


def approve(desk: Desk, approval: Approval, note: str = "") -> Operation | Approval:
    return approvals.approve(actor=desk.user, connection=desk.connection, approval=approval, note=note)


def sell_behind(desk: Desk, amount: str = "10.00") -> None:
    """A refund made in Kartra itself."""
    provider_for(desk.connection).send(LeadRef(id=JON), [RefundTransaction(SALE, amount=amount)])


def log(action: str) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action=action))


def as_role(desk: Desk, role: str) -> None:
    User.objects.filter(pk=desk.user.pk).update(role=role)
    desk.user.refresh_from_db()


# Asking


def test_within_the_limit_it_is_refunded_and_above_it_asked_for(support: Desk, sandbox: Sandbox) -> None:
    within = refund(support, "100")
    assert isinstance(within, Operation)
    assert within.outcome == Outcome.SUCCEEDED
    assert writes(sandbox) == ONCE
    approval = ask(support, "100.01")
    assert writes(sandbox) == []
    assert (approval.status, approval.amount, approval.requester_role) == ("waiting", Decimal("100.01"), "support")
    assert approval.above == "100.00 of one payment, of which 100.00 is used"
    assert approval.figures["Left"] == "490.00"
    [entry] = log("approval.request.requested")
    assert entry.detail == {
        "amount": "100.01",
        "subject": SALE,
        "reason": "Goodwill",
        "above": "100.00 of one payment, of which 100.00 is used",
        "requester": "Support Person",
    }


def test_a_replay_returns_the_first_request_and_asks_no_second_time(support: Desk) -> None:
    own_id = uuid4()
    first, second = refund(support, own_id=own_id), refund(support, own_id=own_id)
    assert first == second
    assert Approval.objects.count() == 1
    assert len(log("approval.request.requested")) == 1


def test_the_same_form_with_something_else_in_it_is_refused(support: Desk) -> None:
    own_id = uuid4()
    refund(support, "150", own_id=own_id)
    with pytest.raises(FormReused):
        refund(support, "160", own_id=own_id)


def test_a_payment_has_one_request_at_a_time(support: Desk, desk_of: DeskOf) -> None:
    ask(support)
    with pytest.raises(Conflict, match="Support Person asked for a refund of this payment already"):
        ask(support, "160")


def test_a_request_needs_the_right_the_figures_and_what_is_left(support: Desk, sandbox: Sandbox) -> None:
    with pytest.raises(Changed):
        refund(support, terms=Terms("Goodwill", "", "of another day"))
    with pytest.raises(Refused, match="Only"):
        refund(support, "590.01")
    as_role(support, "agent")
    with pytest.raises(Denied):
        refund(support)
    assert not Approval.objects.exists()
    assert writes(sandbox) == []


# Deciding


def test_approved_runs_at_once_in_both_names(support: Desk, manager: Desk, sandbox: Sandbox, settings: Any) -> None:
    settings.MONEY_HOLD = 10
    approval = ask(support)
    operation = approve(manager, approval, "Go on")
    assert isinstance(operation, Operation)
    assert writes(sandbox) == ONCE
    assert (operation.outcome, operation.actor, operation.approved_by) == ("succeeded", support.user, manager.user)
    approval.refresh_from_db()
    assert (approval.status, approval.decided_by, approval.operation) == ("approved", manager.user, operation)
    story = AuditEntry.objects.filter(operation_id=operation.pk).order_by("pk")
    assert [(entry.action, entry.actor_name) for entry in story] == [
        ("approval.request.requested", "Support Person"),
        ("approval.decide.approved", "Manager Person"),
        ("transaction.refund.requested", "Support Person"),
        ("transaction.refund.sent", "Support Person"),
        ("transaction.refund.succeeded", "Support Person"),
    ]
    assert story[1].detail["requester"] == "Support Person"
    assert story[4].detail["approved_by"] == "Manager Person"


def test_all_that_is_left_is_refunded_as_asked(support: Desk, manager: Desk, sandbox: Sandbox) -> None:
    operation = approve(manager, ask(support, None))
    assert isinstance(operation, Operation)
    assert operation.steps.get().change == RefundTransaction(SALE, everything=True)
    assert operation.steps.get().amount == Decimal("590.00")


def test_the_approver_s_own_limit_does_not_bind_him_nor_is_it_used_up(support: Desk, manager: Desk) -> None:
    Limit.objects.create(role="manager", per_transaction=Decimal(1), per_day=Decimal(1))
    operation = approve(manager, ask(support))
    assert isinstance(operation, Operation)
    assert operation.outcome == Outcome.SUCCEEDED


def test_a_second_click_returns_the_same_operation(support: Desk, manager: Desk, sandbox: Sandbox) -> None:
    approval = ask(support)
    assert approve(manager, approval) == approve(manager, approval)
    assert writes(sandbox) == ONCE


def test_a_second_approver_is_told_of_the_first(
    support: Desk, manager: Desk, desk_of: DeskOf, sandbox: Sandbox
) -> None:
    admin, approval = desk_of("admin"), ask(support)
    approve(manager, approval)
    with pytest.raises(Over, match="already approved by Manager Person"):
        approve(admin, approval)
    assert writes(sandbox) == ONCE


def test_who_may_not_decide_decides_nothing(support: Desk, desk_of: DeskOf, sandbox: Sandbox) -> None:
    approval = ask(support)
    for role in ("agent", "viewer", "auditor"):
        with pytest.raises(Denied):
            approve(desk_of(role), approval)
        with pytest.raises(Denied):
            approvals.decline(actor=desk_of(role).user, connection=support.connection, approval=approval, note="no")
    with pytest.raises(Denied):
        approve(support, approval)
    assert writes(sandbox) == []
    approval.refresh_from_db()
    assert approval.status == "waiting"


def test_nobody_approves_his_own_where_somebody_else_could(manager: Desk, desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk_of("admin")
    Limit.objects.create(role="manager", per_transaction=Decimal(100))
    approval = ask(manager)
    with pytest.raises(Denied, match="your own request"):
        approve(manager, approval)
    assert writes(sandbox) == []
    assert log("permission.denied")[0].detail["permission"] == "approve one's own request"


def test_nobody_declines_his_own(manager: Desk, sandbox: Sandbox) -> None:
    Limit.objects.create(role="manager", per_transaction=Decimal(100))
    approval = ask(manager)
    with pytest.raises(Denied, match="Take it back instead"):
        approvals.decline(actor=manager.user, connection=manager.connection, approval=approval, note="No")
    assert log("permission.denied")[0].detail["permission"] == "decline one's own request"


def test_a_request_of_another_account_is_not_found(support: Desk, desk_of: DeskOf, sandbox: Sandbox) -> None:
    approval = ask(support)
    with pytest.raises(NotFound):
        approve(desk_of("manager", account=1), approval)
    assert writes(sandbox) == []


def test_a_sale_that_changed_ends_the_request(support: Desk, manager: Desk, sandbox: Sandbox) -> None:
    approval = ask(support)
    sell_behind(manager)
    sandbox.calls()
    with pytest.raises(Over, match="The sale has changed"):
        approve(manager, approval)
    assert writes(sandbox) == []
    approval.refresh_from_db()
    assert (approval.status, approval.decision_note) == ("expired", "The sale has changed since it was asked for.")
    assert log("approval.decide.expired")[0].actor_name == "expiry"


@pytest.mark.parametrize(("role", "is_sent"), [("agent", False), ("viewer", False), ("manager", True)])
def test_a_requester_who_may_do_less_by_now_ends_it(
    support: Desk, desk_of: DeskOf, sandbox: Sandbox, role: str, is_sent: bool
) -> None:
    admin = desk_of("admin")
    approval = ask(support)
    as_role(support, role)
    if is_sent:
        approve(admin, approval)
        assert writes(sandbox) == ONCE
        return
    with pytest.raises(Over, match="Support Person may do less now"):
        approve(admin, approval)
    assert writes(sandbox) == []
    approval.refresh_from_db()
    assert approval.status == "expired"


def test_a_manager_who_became_support_has_a_lesser_role(manager: Desk, desk_of: DeskOf, sandbox: Sandbox) -> None:
    Limit.objects.create(role="manager", per_transaction=Decimal(100))
    admin = desk_of("admin")
    approval = ask(manager)
    as_role(manager, "support")
    with pytest.raises(Over, match="may do less now"):
        approve(admin, approval)
    assert writes(sandbox) == []


def test_a_requester_who_was_shut_out_ends_it(support: Desk, manager: Desk, sandbox: Sandbox) -> None:
    approval = ask(support)
    User.objects.filter(pk=support.user.pk).update(is_active=False)
    with pytest.raises(Over):
        approve(manager, approval)
    assert writes(sandbox) == []


def test_an_approver_whose_role_changed_meanwhile_is_stopped(support: Desk, manager: Desk, sandbox: Sandbox) -> None:
    """His session still carries the old role; the row does not."""
    approval = ask(support)
    User.objects.filter(pk=manager.user.pk).update(role="support")
    with pytest.raises(Denied):
        approve(manager, approval)
    assert writes(sandbox) == []
    approval.refresh_from_db()
    assert approval.status == "waiting"


def test_after_24_hours_it_is_over(support: Desk, manager: Desk, sandbox: Sandbox) -> None:
    approval = ask(support)
    Approval.objects.update(created_at=timezone.now() - timedelta(hours=24))
    with pytest.raises(Over, match="more than 24 hours ago"):
        approve(manager, approval)
    assert writes(sandbox) == []
    approval.refresh_from_db()
    assert approval.status == "expired"


def test_what_nobody_decided_expires_by_itself_once(support: Desk) -> None:
    approval = ask(support)
    assert approvals.expire_old() == 0
    Approval.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert [approvals.expire_old(), approvals.expire_old()] == [1, 0]
    assert len(log("approval.decide.expired")) == 1
    approval.refresh_from_db()
    assert approval.status == "expired"
    ask(support)  # and may be asked for anew


def test_it_waits_while_something_of_the_sale_is_in_doubt(support: Desk, manager: Desk, sandbox: Sandbox) -> None:
    approval = ask(support)
    sandbox.arm("refund_transaction", "junk")
    first = refund(support, "20")
    assert isinstance(first, Operation)
    assert first.outcome == Outcome.UNKNOWN
    sandbox.calls()
    with pytest.raises((Refused, Locked)):
        approve(manager, approval)
    assert writes(sandbox) == []
    approval.refresh_from_db()
    assert approval.status == "waiting"


def test_a_sale_that_cannot_be_read_leaves_it_waiting(support: Desk, manager: Desk, sandbox: Sandbox) -> None:
    approval = ask(support)
    sandbox.arm("*", "junk", 3)
    with pytest.raises(AppError):
        approve(manager, approval)
    approval.refresh_from_db()
    assert approval.status == "waiting"


def test_an_answer_in_doubt_is_an_operation_in_doubt(support: Desk, manager: Desk, sandbox: Sandbox) -> None:
    approval = ask(support)
    sandbox.arm("refund_transaction", "junk")
    operation = approve(manager, approval)
    assert isinstance(operation, Operation)
    assert operation.outcome == Outcome.UNKNOWN
    assert approve(manager, approval) == operation
    assert writes(sandbox) == ONCE


def test_declined_and_withdrawn_are_over_and_logged(support: Desk, manager: Desk, sandbox: Sandbox) -> None:
    approval = ask(support)
    with pytest.raises(AppError, match="Say why"):
        approvals.decline(actor=manager.user, connection=manager.connection, approval=approval, note=" ")
    declined = approvals.decline(
        actor=manager.user, connection=manager.connection, approval=approval, note="Offer a swap"
    )
    assert (declined.status, declined.decision_note) == ("declined", "Offer a swap")
    assert log("approval.decide.declined")[0].detail["note"] == "Offer a swap"
    with pytest.raises(Over, match="already declined by Manager Person"):
        approvals.withdraw(actor=support.user, approval=approval)
    second = ask(support)
    with pytest.raises(Denied):
        approvals.withdraw(actor=manager.user, approval=second)
    assert approvals.withdraw(actor=support.user, approval=second).status == "withdrawn"
    with pytest.raises(Over, match="already taken back"):
        approve(manager, second)
    assert writes(sandbox) == []


# Alone


@pytest.fixture
def alone(manager: Desk) -> Desk:
    """The only one who may approve, above whose limit something is."""
    Limit.objects.create(role="manager", per_transaction=Decimal(100))
    return manager


def cool(approval: Approval) -> None:
    Approval.objects.filter(pk=approval.pk).update(cools_until=timezone.now() - timedelta(seconds=1))


def test_the_only_approver_s_own_cools_before_it_is_sent(alone: Desk, sandbox: Sandbox) -> None:
    approval = ask(alone)
    cooling = approve(alone, approval, "Nobody else is here")
    assert isinstance(cooling, Approval)
    assert cooling.status == "cooling"
    assert cooling.cools_until is not None
    assert timedelta(minutes=14) < cooling.cools_until - timezone.now() <= timedelta(minutes=15)
    assert approvals.run_cooled() == 0
    assert writes(sandbox) == []
    cool(approval)
    assert [approvals.run_cooled(), approvals.run_cooled()] == [1, 0]
    assert writes(sandbox) == ONCE
    approval.refresh_from_db()
    assert approval.status == "approved"
    assert approval.operation is not None
    assert approval.operation.outcome == Outcome.SUCCEEDED
    assert log("approval.cool.requested")[0].detail["note"] == "Nobody else is here"
    assert log("approval.decide.approved")[0].detail["alone"]


def test_who_has_no_credentials_of_this_account_keeps_nobody_from_being_the_only_approver(
    alone: Desk, sandbox: Sandbox
) -> None:
    User.objects.create_user(email="none@example.com", name="No Credentials", role="manager")
    other = User.objects.create_user(email="other@example.com", name="Other Account", role="manager")
    keys = ACCOUNTS[1]
    credentials.place(actor=other, owner=other, api_key=keys.api_key, api_password=keys.api_password)
    assert list(selectors.others_who_decide(alone.user, alone.account)) == []
    cooling = approve(alone, ask(alone))
    assert isinstance(cooling, Approval)
    assert cooling.status == "cooling"


def test_whoever_can_decide_in_this_account_ends_that(alone: Desk, desk_of: DeskOf) -> None:
    other = desk_of("admin").user
    assert list(selectors.others_who_decide(alone.user, alone.account)) == [other]
    User.objects.filter(pk=other.pk).update(is_active=False)
    assert selectors.is_alone(alone.user, alone.account)


def test_it_can_be_withdrawn_while_it_cools(alone: Desk, sandbox: Sandbox) -> None:
    approval = ask(alone)
    approve(alone, approval)
    approvals.withdraw(actor=alone.user, approval=approval)
    cool(approval)
    assert approvals.run_cooled() == 0
    assert writes(sandbox) == []


def test_a_second_approver_who_joins_may_decline_but_does_not_stop_it(
    alone: Desk, desk_of: DeskOf, sandbox: Sandbox
) -> None:
    approval = ask(alone)
    approve(alone, approval)
    admin = desk_of("admin")
    with pytest.raises(Over, match="cooling"):
        approve(admin, approval)
    cool(approval)
    assert approvals.run_cooled() == 1
    assert writes(sandbox) == ONCE
    second = Approval.objects.create(
        **{
            **{
                field.attname: getattr(approval, field.attname)
                for field in Approval._meta.concrete_fields
                if field.attname not in ("id", "operation_id", "sealed")
            },
            **(approval.values_inside() or {}),
            "status": "cooling",
            "cools_until": timezone.now() + timedelta(minutes=5),
        }
    )
    approvals.decline(actor=admin.user, connection=admin.connection, approval=second, note="Not so")
    cool(second)
    assert approvals.run_cooled() == 0


def test_what_cools_is_not_sent_after_24_hours_either(alone: Desk, sandbox: Sandbox) -> None:
    """They count from when it was asked for: it could not be sent for a long time after it had cooled."""
    approval = ask(alone)
    approve(alone, approval)
    Approval.objects.update(created_at=timezone.now() - timedelta(hours=24))
    cool(approval)
    approval.refresh_from_db()
    assert (approval.is_late, approval.is_open) == (True, False)
    assert list(selectors.open_in(alone.account)) == []
    assert approvals.run_cooled() == 0
    assert writes(sandbox) == []
    assert approvals.expire_old() == 1
    assert log("approval.decide.expired")[0].detail["note"] == "Nobody could send it within 24 hours."


def test_what_would_cool_beyond_its_24_hours_does_not_begin_to(alone: Desk, sandbox: Sandbox) -> None:
    approval = ask(alone)
    Approval.objects.update(created_at=timezone.now() - timedelta(hours=23, minutes=50))
    with pytest.raises(Conflict, match="after this request expires"):
        approve(alone, approval)
    approval.refresh_from_db()
    assert approval.status == "waiting"


def test_what_cools_is_checked_again(alone: Desk, sandbox: Sandbox) -> None:
    approval = ask(alone)
    approve(alone, approval)
    sell_behind(alone)
    sandbox.calls()
    cool(approval)
    assert approvals.run_cooled() == 0
    assert writes(sandbox) == []
    approval.refresh_from_db()
    assert approval.status == "expired"


def test_who_lost_the_right_while_it_cools_sends_nothing(alone: Desk, sandbox: Sandbox) -> None:
    approval = ask(alone)
    approve(alone, approval)
    as_role(alone, "support")
    cool(approval)
    assert approvals.run_cooled() == 0
    assert writes(sandbox) == []


def test_what_cools_waits_for_kartra_and_for_his_own_credentials(alone: Desk, support: Desk, sandbox: Sandbox) -> None:
    """Support has credentials of the account too; they are not for what somebody else let through."""
    approval = ask(alone)
    approve(alone, approval)
    cool(approval)
    sandbox.arm("*", "junk", 3)
    assert approvals.run_cooled() == 0
    sandbox.disarm()
    Connection.objects.filter(user=alone.user).delete()
    assert approvals.run_cooled() == 0
    approval.refresh_from_db()
    assert (approval.status, writes(sandbox)) == ("cooling", [])
    keys = ACCOUNTS[0]
    credentials.place(actor=alone.user, owner=alone.user, api_key=keys.api_key, api_password=keys.api_password)
    assert approvals.run_cooled() == 1
    assert writes(sandbox) == ONCE


# At the same moment


def hire(number: int) -> Desk:
    """One more manager with credentials of the account."""
    person = User.objects.create_user(email=f"m{number}@example.com", name=f"Manager {number}", role="manager")
    keys = ACCOUNTS[0]
    credentials.place(actor=person, owner=person, api_key=keys.api_key, api_password=keys.api_password)
    return desk_for(person)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("clicks", [1, 2])
@pytest.mark.parametrize("approvers", [2, 8])
def test_many_approvers_at_once_send_one_refund(support: Desk, sandbox: Sandbox, approvers: int, clicks: int) -> None:
    desks = [hire(number) for number in range(approvers)]
    approval = ask(support)
    sandbox.calls()
    results = together(*[lambda desk=desk: approve(desk, approval) for desk in desks * clicks])
    assert writes(sandbox) == ONCE
    operation = Operation.objects.get()
    assert all(isinstance(result, Operation | AppError) for result in results), results
    assert {result.pk for result in results if isinstance(result, Operation)} == {operation.pk}
    assert len(log("approval.decide.approved")) == 1
    approval.refresh_from_db()
    assert (approval.status, approval.operation) == ("approved", operation)
    assert approval.decided_by == operation.approved_by


@pytest.mark.django_db(transaction=True)
def test_approving_declining_and_withdrawing_at_once_has_one_winner(
    support: Desk, desk_of: DeskOf, sandbox: Sandbox
) -> None:
    manager, admin = desk_of("manager"), desk_of("admin")
    approval = ask(support)
    sandbox.calls()
    together(
        lambda: approve(manager, approval),
        lambda: approvals.decline(actor=admin.user, connection=admin.connection, approval=approval, note="no"),
        lambda: approvals.withdraw(actor=support.user, approval=approval),
    )
    approval.refresh_from_db()
    assert writes(sandbox) == (ONCE if approval.status == "approved" else [])
    assert AuditEntry.objects.filter(action__startswith="approval.decide.").count() == 1


@pytest.mark.django_db(transaction=True)
def test_many_workers_run_what_has_cooled_once(alone: Desk, sandbox: Sandbox) -> None:
    approval = ask(alone)
    approve(alone, approval)
    cool(approval)
    sandbox.calls()
    results = together(*[approvals.run_cooled] * 6)
    assert sum(results) == 1, results
    assert writes(sandbox) == ONCE


@pytest.mark.django_db(transaction=True)
def test_the_same_form_twice_at_once_asks_once(support: Desk) -> None:
    own_id = uuid4()
    results = together(*[lambda: refund(support, own_id=own_id)] * 4)
    assert {result.pk for result in results} == {own_id}, results
    assert Approval.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_requests_for_one_payment_at_once_leave_one(support: Desk) -> None:
    together(*[lambda: refund(support)] * 4)
    assert Approval.objects.count() == 1
