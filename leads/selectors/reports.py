"""Refunds and cancellations of an account, month by month. Counted and added up by the database.

Amounts are added as the provider gives them, whatever their currency, which it does not tell. Months are of the desk's
time zone, and an operation counts in the month in which it was asked for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import TruncMonth
from django.utils import timezone

from accounts.models import Account
from leads.models import OPEN, OperationStep, Outcome

REFUND, CANCEL = "transaction.refund", "subscription.cancel"
MONTHS = 12
EARLIEST = date(2000, 1, 1)

_COUNTS: dict[str, Any] = {
    "asked": Count("pk"),
    "refunds": Count("pk", filter=Q(kind=REFUND, outcome=Outcome.SUCCEEDED)),
    "refunded": Sum("amount", filter=Q(kind=REFUND, outcome=Outcome.SUCCEEDED)),
    "cancelled": Count("pk", filter=Q(kind=CANCEL, outcome=Outcome.SUCCEEDED)),
    "failed": Count("pk", filter=Q(outcome=Outcome.FAILED)),
    "waiting": Count("pk", filter=Q(outcome__in=OPEN)),
}


@dataclass(frozen=True)
class Row:
    """One line of a table: how much was asked for, what was refunded and cancelled, what failed or is not settled."""

    label: str
    asked: int = 0
    refunds: int = 0
    refunded: Decimal = Decimal(0)
    cancelled: int = 0
    failed: int = 0
    waiting: int = 0

    @property
    def not_done(self) -> int:
        """Failed, taken back, or not settled yet."""
        return self.asked - self.refunds - self.cancelled


@dataclass(frozen=True)
class MonthRow(Row):
    month: date = EARLIEST


@dataclass(frozen=True)
class OutcomeRow:
    """How many of both kinds came to this end, and the money of the refunds among them."""

    outcome: str
    refunds: int
    amount: Decimal
    cancellations: int


@dataclass(frozen=True)
class MonthDetail:
    month: date
    total: Row
    people: list[Row]
    reasons: list[Row]
    outcomes: list[OutcomeRow]


def this_month() -> date:
    return timezone.localdate().replace(day=1)


def after(month: date, months: int = 1) -> date:
    """The first day of the month so many months later, or earlier."""
    count = month.year * 12 + month.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def list_months(account: Account, until: date) -> list[MonthRow]:
    """The twelve months that end with this one, oldest first, empty ones too. One query."""
    first = after(until, 1 - MONTHS)
    rows = (
        _between(account, first, after(until))
        .annotate(month=TruncMonth("operation__created_at", tzinfo=timezone.get_current_timezone()))
        .values("month")
        .annotate(**_COUNTS)
        .order_by("month")
    )
    found = {row["month"].date(): row for row in rows}
    months = [after(first, place) for place in range(MONTHS)]
    return [MonthRow(f"{month:%B %Y}", **_numbers(found.get(month, {})), month=month) for month in months]


def month_in_detail(account: Account, month: date) -> MonthDetail:
    """Three queries for the tables, one for the sum."""
    steps = _between(account, month, after(month))
    total = Row(f"{month:%B %Y}", **_numbers(steps.aggregate(**_COUNTS)))
    return MonthDetail(
        month,
        total,
        _by(steps, "operation__actor__name", also="operation__actor"),
        _by(steps, "operation__reason"),
        _outcomes(steps),
    )


def count_rows(account: Account, month: date) -> int:
    return _between(account, month, after(month)).count()


def rows_of(account: Account, month: date) -> Iterator[OperationStep]:
    """Each refund and cancellation of the month, oldest first, read a few at a time."""
    steps = _between(account, month, after(month)).select_related(
        "operation__actor", "operation__approved_by", "operation__whose"
    )
    return steps.order_by("operation__created_at", "pk").iterator(chunk_size=500)


def _between(account: Account, first: date, end: date) -> QuerySet[OperationStep]:
    return OperationStep.objects.filter(
        operation__account=account,
        operation__created_at__gte=_midnight(first),
        operation__created_at__lt=_midnight(end),
        kind__in=(REFUND, CANCEL),
    ).exclude(lock="")


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime(day.year, day.month, day.day))  # noqa: DTZ001  (made aware at once)


def _by(steps: QuerySet[OperationStep], field: str, *, also: str = "") -> list[Row]:
    """Most money first. ``also`` tells apart what has the same name."""
    rows = steps.order_by().values(*filter(None, [also]), label=F(field)).annotate(**_COUNTS)
    found = [Row(row["label"], **_numbers(row)) for row in rows]
    return sorted(found, key=lambda row: (-row.refunded, -row.refunds - row.cancelled, row.label))


def _outcomes(steps: QuerySet[OperationStep]) -> list[OutcomeRow]:
    rows = (
        steps.order_by()
        .values("outcome")
        .annotate(
            refunds=Count("pk", filter=Q(kind=REFUND)),
            amount=Sum("amount", filter=Q(kind=REFUND)),
            cancellations=Count("pk", filter=Q(kind=CANCEL)),
        )
    )
    found = {row["outcome"]: row for row in rows}
    return [
        OutcomeRow(outcome.value, row["refunds"], row["amount"] or Decimal(0), row["cancellations"])
        for outcome in Outcome
        if (row := found.get(outcome.value))
    ]


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row.get(name) or (Decimal(0) if name == "refunded" else 0) for name in _COUNTS}
