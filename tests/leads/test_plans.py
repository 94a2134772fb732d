"""Operations are kept for good, and each lead of a bulk job is one: what is rare among them has an index to be found
by, and its queries are such that the database uses it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Account, User
from leads import unusual as rules
from leads.models import Entry, Operation, OperationStep
from leads.selectors import forgetting, operations, reports, unusual
from leads.services import limits, reading_back, reconcile
from tests.leads.helpers import ending

pytestmark = pytest.mark.django_db
TABLES = ('FROM "leads_operation', 'FROM "leads_entry"')


@pytest.fixture
def desk(user_of: Callable[[str], User]) -> tuple[Account, User]:
    """Somebody who has changed many leads at once, and many that are known."""
    account, person, now = Account.objects.create(fingerprint="a" * 64, name="Ours"), user_of("manager"), timezone.now()
    about = {"account": account, "actor": person, "outcome": "succeeded", "finished_at": now}
    done = Operation.objects.bulk_create([Operation(lead_id=f"{number}", **about) for number in range(500)])
    OperationStep.objects.bulk_create(
        [OperationStep(operation=each, position=0, kind="tag.assign", **ending("succeeded")) for each in done]
    )
    Entry.objects.bulk_create(
        [Entry(account=account, email=f"{number}@x.example", seen_at=now, changed_at=now) for number in range(500)]
    )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # so few rows are soonest read whole
            cursor.execute("ANALYZE")
            cursor.execute("SET LOCAL enable_seqscan = off")
    return account, person


def plans_of(work: Callable[[], object]) -> list[str]:
    """How the database does each query on operations and leads that is in this work."""
    asked: list[tuple[str, Any]] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: object) -> Any:
        if any(table in sql for table in TABLES):
            asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        work()
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    plans = []
    with connection.cursor() as cursor:
        for sql, params in asked:
            cursor.execute(f"{explain} {sql}", params)
            plans.append("\n".join(row[-1] for row in cursor.fetchall()))
    return plans


@pytest.mark.parametrize(
    ("work", "indexes"),
    [
        (lambda _, person: limits.spent_today(person), ["leads_step_money"]),
        (lambda account, _: limits.spent_on_payment(account, "1"), ["leads_step_of_lock"]),
        (lambda *_: reconcile.reconcile(only_due=True), ["leads_operation_unsettled", "leads_step_money"]),
        (lambda *_: reconcile.reconcile(), ["leads_operation_unsettled", "leads_step_money"]),
        (lambda *_: reading_back.read_back_due(), ["leads_step_read_back"]),
        (
            lambda *desk: list(operations.list_waiting(*desk)),
            ["leads_operation_unsettled", "leads_operation_held", "leads_operation_failed"],
        ),
        (lambda *_: list(Operation.objects.due(timezone.now())), ["leads_operation_held"]),
        *(
            (lambda *_, rule=rules.BY_NAME[name]: unusual.groups_of(rule, timezone.now()), ["leads_step_money"])
            for name in ("lead", "person", "hours", "limit")
        ),
        (lambda account, _: reports.list_months(account, reports.this_month()), ["leads_step_money"]),
        (lambda account, _: reports.month_in_detail(account, reports.this_month()), ["leads_step_money"]),
        (
            lambda account, _: forgetting.find_elsewhere(
                forgetting.Person(account, "1", frozenset({"ada@x.example", "a@x.example"}), frozenset())
            ),
            ["leads_entry_email"],
        ),
    ],
)
def test_what_is_rare_is_found_by_its_index(
    desk: tuple[Account, User], work: Callable[[Account, User], object], indexes: list[str]
) -> None:
    plans = plans_of(lambda: work(*desk))
    assert plans
    for plan in plans:
        assert [index for index in indexes if index not in plan] == [], plan
