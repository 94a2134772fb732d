"""The report counts what happened, month by month, of one account, in a handful of queries."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import Account, User
from leads.models import Operation, OperationStep
from leads.selectors import reports
from tests.leads.helpers import ending

pytestmark = pytest.mark.django_db
UserOf = Callable[[str], User]
REFUND, CANCEL = reports.REFUND, reports.CANCEL


@pytest.fixture
def account() -> Account:
    return Account.objects.create(fingerprint="a" * 64, name="Ours")


@pytest.fixture
def made(account: Account, user_of: UserOf) -> Callable[..., OperationStep]:
    """``made("2026-10-31T23:59", "19.95")``: a refund of that moment (UTC); without an amount a cancellation."""

    def make(at: str, amount: str = "", *, role: str = "support", outcome: str = "succeeded", **also: Any) -> Any:
        operation = Operation.objects.create(
            **{
                "account": account,
                "actor": user_of(role),
                "request_digest": uuid4().hex,
                "outcome": outcome,
                "reason": "Goodwill",
                **also,
            }
        )
        Operation.objects.filter(pk=operation.pk).update(created_at=datetime.fromisoformat(at).replace(tzinfo=UTC))
        return OperationStep.objects.create(
            operation=operation,
            position=0,
            kind=REFUND if amount else CANCEL,
            subject="99488",
            asked={},
            lock=f"sale {uuid4()}",
            amount=Decimal(amount) if amount else None,
            **ending(outcome),
        )

    return make


def test_months_are_added_up_and_empty_ones_stand_with_zero(account: Account, made: Callable[..., Any]) -> None:
    made("2026-10-01T00:00", "19.95")
    made("2026-10-31T23:59", "5.05")
    made("2026-10-15T12:00")
    made("2026-10-15T12:00", "100.00", outcome="failed")
    made("2026-10-15T12:00", "7.00", outcome="unknown")
    made("2026-09-30T23:59", "1.00")
    made("2025-10-31T23:59", "50.00")
    rows = reports.list_months(account, date(2026, 10, 1))
    assert [row.month for row in rows] == [
        date(2025, 11, 1),
        date(2025, 12, 1),
        *(date(2026, m, 1) for m in range(1, 11)),
    ]
    assert [(row.refunds, row.refunded) for row in rows[:-2]] == [(0, Decimal(0))] * 10
    october = rows[-1]
    assert (october.refunds, october.refunded, october.cancelled) == (2, Decimal("25.00"), 1)
    assert (october.failed, october.waiting, october.not_done) == (1, 1, 2)
    assert (rows[-2].label, rows[-2].refunded) == ("September 2026", Decimal("1.00"))


def test_months_are_of_the_desks_time_zone(account: Account, made: Callable[..., Any]) -> None:
    made("2026-11-01T02:00", "10.00")
    with timezone.override("America/New_York"):
        rows = reports.list_months(account, date(2026, 11, 1))
        assert [row.refunded for row in rows[-2:]] == [Decimal("10.00"), Decimal(0)]
        assert reports.month_in_detail(account, date(2026, 10, 1)).total.refunded == Decimal("10.00")
    with timezone.override("UTC"):
        assert reports.list_months(account, date(2026, 11, 1))[-1].refunded == Decimal("10.00")


def test_a_month_by_person_reason_and_outcome(account: Account, made: Callable[..., Any]) -> None:
    made("2026-10-02T10:00", "10.00")
    made("2026-10-03T10:00", "20.00", role="manager", reason="Bought twice")
    made("2026-10-03T11:00", "30.00", role="manager", reason="")
    made("2026-10-04T10:00", role="manager")
    made("2026-10-05T10:00", "99.00", outcome="withdrawn")
    detail = reports.month_in_detail(account, date(2026, 10, 1))
    assert [(row.label, row.refunds, row.refunded, row.cancelled, row.not_done) for row in detail.people] == [
        ("Manager Person", 2, Decimal("50.00"), 1, 0),
        ("Support Person", 1, Decimal("10.00"), 0, 1),
    ]
    assert [(row.label, row.refunded, row.cancelled) for row in detail.reasons] == [
        ("", Decimal("30.00"), 0),
        ("Bought twice", Decimal("20.00"), 0),
        ("Goodwill", Decimal("10.00"), 1),
    ]
    assert {row.outcome: (row.refunds, row.amount, row.cancellations) for row in detail.outcomes} == {
        "succeeded": (3, Decimal("60.00"), 1),
        "withdrawn": (1, Decimal("99.00"), 0),
    }
    assert detail.total.refunded == sum(row.refunded for row in detail.people)


def test_people_of_the_same_name_are_two(account: Account, made: Callable[..., Any], user_of: UserOf) -> None:
    for role in ("support", "manager"):
        person = user_of(role)
        person.name = "Sam"
        person.save()
        made("2026-10-02T10:00", "10.00", role=role)
    assert len(reports.month_in_detail(account, date(2026, 10, 1)).people) == 2


def test_other_accounts_and_other_changes_do_not_count(account: Account, made: Callable[..., Any]) -> None:
    other = Account.objects.create(fingerprint="b" * 64, name="Theirs")
    made("2026-10-02T10:00", "10.00", account=other)
    tag = made("2026-10-02T10:00")
    OperationStep.objects.filter(pk=tag.pk).update(kind="tag.assign")
    detail = reports.month_in_detail(account, date(2026, 10, 1))
    assert (detail.total.asked, detail.people, detail.reasons, detail.outcomes) == (0, [], [], [])
    assert reports.count_rows(account, date(2026, 10, 1)) == 0
    assert list(reports.rows_of(account, date(2026, 10, 1))) == []
    assert reports.count_rows(other, date(2026, 10, 1)) == 1


def test_queries_do_not_grow_with_the_rows(
    account: Account, made: Callable[..., Any], django_assert_num_queries: Any
) -> None:
    for day in range(1, 21):
        made(f"2026-10-{day:02}T10:00", "10.00", role="support" if day % 2 else "manager")
    with django_assert_num_queries(1):
        reports.list_months(account, date(2026, 10, 1))
    with django_assert_num_queries(4):
        reports.month_in_detail(account, date(2026, 10, 1))
    with django_assert_num_queries(1):
        assert len({step.operation.actor.name for step in reports.rows_of(account, date(2026, 10, 1))}) == 2


@pytest.mark.parametrize(
    ("month", "months", "then"),
    [("2026-11-01", 1, "2026-12-01"), ("2026-12-01", 1, "2027-01-01"), ("2026-01-01", -1, "2025-12-01"),
     ("2026-11-01", -11, "2025-12-01"), ("2026-11-01", 0, "2026-11-01")],
)  # fmt: skip
def test_months_are_counted_over_new_year(month: str, months: int, then: str) -> None:
    assert reports.after(date.fromisoformat(month), months) == date.fromisoformat(then)
