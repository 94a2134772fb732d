"""Limits: what may be refunded without asking, whatever the order and however many at once."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.models import AuditEntry, User
from kartra_admin.lib.errors import Conflict, Denied
from leads.access import Desk, whose_for
from leads.models import Approval, Limit, Operation, OperationStep, Outcome, lock_of
from leads.providers.base import LeadRef
from leads.services import approvals, limits, money
from leads.services.limits import AboveLimit, remove_limit, require_within, save_limit
from leads.services.money import Terms
from leads.wiring import provider_for
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import ending, together, writes

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]
JON = NOTABLE["jon"].id
CENT = Decimal("0.01")


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> None:
    settings.MONEY_HOLD = 0


def limit(**figures: Any) -> Limit:
    return Limit.objects.create(**{"role": "support", **figures})


def spend(
    desk: Desk, amount: Decimal | str, *, of: str = "1", outcome: str = "succeeded", lead_id: str = JON, **also: Any
) -> Operation:
    """A refund that stands in the books."""
    operation = Operation.objects.create(
        account=desk.account, actor=desk.user, lead_id=lead_id, request_digest="x", outcome=outcome, **also
    )
    OperationStep.objects.create(
        operation=operation,
        position=0,
        kind="transaction.refund",
        subject="1",
        asked={"transaction_id": "1", "everything": True},
        amount=Decimal(amount),
        **ending(outcome),
        lock=lock_of(desk.account.pk, "transaction", of),
    )
    return operation


def above(desk: Desk, amount: Decimal | str, lead_id: str = JON, *, of: str = "1") -> str:
    return limits.why_above(
        actor=desk.user, account=desk.account, lead_id=lead_id, transaction_id=of, amount=Decimal(amount)
    )


@pytest.mark.parametrize(
    ("figures", "spent", "amount", "said"),
    [
        ({}, [], "1000000", ""),
        ({"per_transaction": 100}, [], "100", ""),
        ({"per_transaction": 100}, [], "100.01", "100.00 per payment"),
        ({"per_transaction": 0}, [], "0.01", "0.00 per payment"),
        ({"per_transaction": 100}, ["60", "39.99"], "0.01", ""),
        ({"per_transaction": 100}, ["60", "39.99"], "0.02", "100.00 per payment, of which 99.99 is used"),
        ({"per_day": 300}, ["299.99"], "0.01", ""),
        ({"per_day": 300}, ["299.99"], "0.02", "300.00 per day, of which 299.99 is used"),
        ({"per_lead": 200}, ["150"], "50", ""),
        ({"per_lead": 200}, ["150"], "50.01", "200.00 per lead in 30 days, of which 150.00 is used"),
        ({"count_per_day": 2}, ["1"], "1", ""),
        ({"count_per_day": 2}, ["1", "1"], "1", "2 refunds per day"),
        ({"count_per_day": 0}, [], "1", "0 refunds per day"),
    ],
    ids=repr,
)
def test_each_limit_at_and_above_its_edge(
    desk_of: DeskOf, figures: dict[str, int], spent: list[str], amount: str, said: str
) -> None:
    desk, row = desk_of("support"), limit(**figures)
    row.refresh_from_db()
    for before in spent:
        spend(desk, before)
    assert above(desk, amount) == said


@pytest.mark.parametrize("outcome", [outcome.value for outcome in Outcome])
def test_what_may_yet_move_money_counts(desk_of: DeskOf, outcome: str) -> None:
    desk = desk_of("support")
    limit(per_day=100)
    spend(desk, "100", outcome=outcome)
    assert bool(above(desk, "0.01")) == (outcome not in ("failed", "withdrawn"))


def test_the_day_ends_at_midnight_and_the_lead_s_window_after_30_days(desk_of: DeskOf) -> None:
    desk = desk_of("support")
    limit(per_day=100, per_lead=150)
    spent = spend(desk, "100")
    Operation.objects.filter(pk=spent.pk).update(created_at=timezone.now() - timedelta(days=1))
    assert above(desk, "50") == ""
    assert "per lead" in above(desk, "50.01")
    assert above(desk, "100", lead_id="another") == ""
    Operation.objects.filter(pk=spent.pk).update(created_at=timezone.now() - timedelta(days=31))
    assert above(desk, "100") == ""


def test_a_lead_s_window_counts_everybody_s_refunds_and_a_day_only_one_s_own(desk_of: DeskOf) -> None:
    desk, other = desk_of("support"), desk_of("manager")
    limit(per_day=100, per_lead=150)
    spend(other, "100")
    assert above(desk, "50") == ""
    assert "per lead" in above(desk, "51")


def test_what_somebody_approved_does_not_use_up_the_day(desk_of: DeskOf) -> None:
    desk = desk_of("support")
    limit(per_day=100)
    spend(desk, "500", approved_by=desk_of("manager").user)
    assert above(desk, "100") == ""


@pytest.mark.parametrize("outcome", [outcome.value for outcome in Outcome])
def test_what_went_back_of_a_payment_counts_whoever_did_or_approved_it(desk_of: DeskOf, outcome: str) -> None:
    """Whenever it was; of another payment it counts for nothing."""
    desk, other = desk_of("support"), desk_of("manager")
    limit(per_transaction=100)
    spent = spend(other, "99.99", outcome=outcome, approved_by=other.user)
    Operation.objects.filter(pk=spent.pk).update(created_at=timezone.now() - timedelta(days=400))
    assert bool(above(desk, "0.02")) == (outcome not in ("failed", "withdrawn"))
    assert above(desk, "100", of="2") == ""


def test_one_s_own_limit_replaces_the_role_s(desk_of: DeskOf) -> None:
    desk = desk_of("support")
    limit(per_transaction=100)
    Limit.objects.create(role="", person=desk.user, per_transaction=500)
    assert above(desk, "500") == ""
    assert above(desk, "500.01") == "500.00 per payment"


def test_a_limit_lowered_meanwhile_counts_at_once(desk_of: DeskOf) -> None:
    """The session's copy of the person is old; the row is asked."""
    desk = desk_of("manager")
    limit(per_transaction=1)
    User.objects.filter(pk=desk.user.pk).update(role="support")
    with transaction.atomic(), pytest.raises(AboveLimit):
        require_within(actor=desk.user, account=desk.account, lead_id=JON, transaction_id="1", amount=Decimal(2))


AMOUNTS = st.decimals(min_value=CENT, max_value=Decimal(120), places=2)
MAYBE = st.none() | st.decimals(min_value=Decimal(0), max_value=Decimal(150), places=2)


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    figures=st.fixed_dictionaries(
        {"per_transaction": MAYBE, "per_day": MAYBE, "per_lead": MAYBE, "count_per_day": st.none() | st.integers(0, 6)}
    ),
    wanted=st.lists(st.tuples(AMOUNTS, st.sampled_from(["1", "2"]), st.sampled_from(["a", "b"])), max_size=12),
)
def test_no_sequence_of_refunds_ever_passes_a_limit(
    desk_of: DeskOf, figures: dict[str, Any], wanted: list[tuple[Decimal, str, str]]
) -> None:
    """``wanted`` are amounts of two payments of each of two leads."""
    desk = desk_of("support")
    OperationStep.objects.all().delete()
    Operation.objects.all().delete()
    Limit.objects.all().delete()
    limit(**figures)
    done: list[tuple[Decimal, str, str]] = []
    for amount, lead_id, payment in wanted:
        if above(desk, amount, lead_id, of=lead_id + payment):
            continue
        spend(desk, amount, lead_id=lead_id, of=lead_id + payment)
        done.append((amount, lead_id, payment))
    for lead_id in ("1", "2"):
        on_lead = sum((amount for amount, whose, _ in done if whose == lead_id), Decimal(0))
        assert figures["per_lead"] is None or on_lead <= figures["per_lead"]
        for payment in ("a", "b"):
            of_payment = sum((amount for amount, *which in done if which == [lead_id, payment]), Decimal(0))
            assert figures["per_transaction"] is None or of_payment <= figures["per_transaction"]
    assert figures["per_day"] is None or sum((amount for amount, _, _ in done), Decimal(0)) <= figures["per_day"]
    assert figures["count_per_day"] is None or len(done) <= figures["count_per_day"]
    if all(value is None for value in figures.values()):
        assert done == wanted


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("figures", [{"per_day": 10}, {"per_lead": 10}, {"count_per_day": 2}], ids=repr)
def test_refunds_at_once_do_not_pass_a_limit_together(
    desk_of: DeskOf, sandbox: Sandbox, figures: dict[str, int]
) -> None:
    """Five different payments of one lead, 5.00 of each, where two fit, also while they are in doubt."""
    desk = desk_of("support")
    sandbox.arm("refund_transaction", "junk", 9)
    limit(**figures)
    sales = _sales(desk)
    sandbox.calls()
    results = together(*[lambda sale=sale: _refund(desk, sale) for sale in sales])
    sent = [result for result in results if isinstance(result, Operation)]
    asked = [result for result in results if isinstance(result, Approval)]
    assert [operation.outcome for operation in sent] == ["unknown"] * 2, results
    assert len(asked) == len(sales) - 2 > 1, results
    assert len(writes(sandbox)) == 2


def test_a_refund_is_not_cut_into_small_ones_to_pass_the_limit(desk_of: DeskOf, sandbox: Sandbox) -> None:
    """5.00 may go back of a payment: the second 5.00 of the same one is asked for, of another it is sent."""
    desk = desk_of("support")
    limit(per_transaction=5)
    first, other, *_ = _sales(desk)
    assert isinstance(_refund(desk, first), Operation)
    again = next(sale for sale in _sales(desk) if sale.lock == first.lock)
    asked = _refund(desk, again)
    assert isinstance(asked, Approval)
    assert asked.above == "5.00 per payment, of which 5.00 is used"
    assert isinstance(_refund(desk, other), Operation)
    assert len(writes(sandbox)) == 2


def _sales(desk: Desk) -> list[money.Sale]:
    """Payments of Ada's of which 5.00 is left at least."""
    whose = whose_for(desk, ADA.id)
    groups = money.arrange_for(desk.account, provider_for(desk.connection).get_money(LeadRef(id=ADA.id)))
    payments = [(group, payment) for group in groups for payment in group.payments]
    return [money.Sale(whose, desk.account, group, payment) for group, payment in payments if (payment.left or 0) >= 5]


def _refund(desk: Desk, sale: money.Sale) -> Operation | Approval:
    return approvals.refund_or_request(
        actor=desk.user,
        connection=desk.connection,
        whose=sale.whose,
        transaction_id=sale.payment.transaction.id,
        amount=Decimal(5),
        terms=Terms("Goodwill", "", sale.digest),
        operation_id=uuid4(),
    )


# Setting them


def test_saved_and_removed_with_before_and_after_in_the_log(user_of: Callable[[str], User]) -> None:
    admin = user_of("admin")
    Limit.objects.all().delete()
    row = save_limit(actor=admin, limit=Limit(role="support", per_day=Decimal("300.00"), count_per_day=10))
    row.per_day = None
    save_limit(actor=admin, limit=row)
    remove_limit(actor=admin, limit=row)
    made, changed, removed = AuditEntry.objects.filter(action__startswith="limit.").order_by("pk")
    assert (made.before, made.after["Per day"], made.after["Per payment"]) == ({}, "300.00", "no limit")
    assert (changed.before["Per day"], changed.after["Per day"]) == ("300.00", "no limit")
    assert (removed.before["Refunds per day"], removed.after) == ("10", {})
    assert made.target_name == "Support"
    assert not Limit.objects.exists()


@pytest.mark.parametrize("role", ["viewer", "agent", "support", "manager", "auditor"])
def test_only_an_admin_sets_them(user_of: Callable[[str], User], role: str) -> None:
    Limit.objects.all().delete()
    with pytest.raises(Denied):
        save_limit(actor=user_of(role), limit=Limit(role="support"))
    row = limit()
    with pytest.raises(Denied):
        remove_limit(actor=user_of(role), limit=row)
    assert Limit.objects.count() == 1


def test_a_role_and_a_person_have_one_each(user_of: Callable[[str], User]) -> None:
    Limit.objects.all().delete()
    admin = user_of("admin")
    for whose in ({"role": "support"}, {"role": "", "person": admin}):
        save_limit(actor=admin, limit=Limit(**whose))
        with pytest.raises(Conflict, match="already has limits"):
            save_limit(actor=admin, limit=Limit(**whose))
    assert Limit.objects.count() == 2
