"""A page asks the database as often for many rows as for few."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Account, User
from leads.access import Desk
from leads.acts import attempt_id
from leads.models import (
    Approval,
    Event,
    Limit,
    Note,
    Operation,
    OperationStep,
    Outcome,
    Playbook,
    PlaybookRun,
    Reason,
    Recent,
    Recipe,
)
from tests.leads.conftest import ADA

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]


def fill(account: Account, people: list[User], rows: int) -> None:
    """Operations of all outcomes, some undone, with several steps; recents, notes and recipes."""
    now = timezone.now()
    for number in range(rows):
        actor = people[number % len(people)]
        made = Operation.objects.create(
            account=account,
            actor=actor,
            lead_id=ADA.id,
            lead_name="Ada",
            request_digest="x",
            outcome=list(Outcome)[number % 4],
            undoes=Operation.objects.filter(undone_by=None, undoes=None).first() if number % 3 == 2 else None,
        )
        for position in range(3):
            OperationStep.objects.create(
                operation=made,
                position=position,
                kind="lead.edit" if position else "tag.assign",
                subject="" if position else "vip",
                asked={"tag": "vip"} if not position else {"profile": {"city": "x"}},
                before={"City": "a"},
                after={"City": "b"},
                inverse={"kind": "tag.unassign", "asked": {"tag": "vip"}},
                outcome=made.outcome,
            )
        Event.objects.create(
            account=account, form="json", action="x", about="told", lead_id=ADA.id, digest=str(uuid4()), received_at=now
        )
        Note.objects.create(account=account, lead_id=ADA.id, author=actor, text=f"note {number}")
        Recipe.objects.create(account=account, name=f"recipe {uuid4()}", give_tag="vip")
        for person in people:
            Recent.objects.create(
                account=account,
                user=person,
                lead_id=str(number + 1000 + rows * 1000),
                email="x@example.com",
                opened_at=now + timedelta(seconds=number),
            )


def fill_money(account: Account, people: list[User], rows: int) -> None:
    """Refunds and cancellations of every outcome, requests in every state, runs that stopped, waited or were closed,
    limits, reasons, playbooks."""
    steps = [{"act": "cancel", "subject": "14833"}, {"act": "refund", "subject": "99488", "amount": "19.95"}]
    for number in range(rows):
        actor, other = people[number % len(people)], people[(number + 1) % len(people)]
        owner = {"account": account, "lead_id": ADA.id, "lead_name": "Ada", "reason": f"reason {number % 5}"}
        run = PlaybookRun.objects.create(
            actor=actor, name="Leave", steps=steps, figures_digest="x", goes_on=number % 2 == 1, **owner
        )
        if number % 3 == 2:
            run.ended_at, run.is_closed, run.closed_by, run.closed_note = timezone.now(), True, other, "Not any more"
            run.save()
        for part, kind in enumerate(("subscription.cancel", "transaction.refund")[: 1 + number % 2]):
            made = Operation.objects.create(
                id=attempt_id(run.pk, part, 1),
                actor=actor,
                approved_by=other,
                request_digest="x",
                run=run,
                outcome=list(Outcome)[number % len(Outcome)],
                readings=number % 5,
                **owner,
            )
            OperationStep.objects.create(
                operation=made,
                position=0,
                kind=kind,
                subject=steps[part]["subject"],
                asked={"transaction_id": "99488", "amount": "5.00"} if part else {"subscription_id": "14833"},
                amount=Decimal("0.10") if part else None,  # so that something of the payment is left, however many
                lock=f"{uuid4()}",
                outcome=made.outcome,
            )
        for status in Approval.Status:
            Approval.objects.create(
                requester=actor,
                kind="transaction.refund",
                asked={"transaction_id": f"{number}", "amount": "5.00"},
                amount=5,
                status=status,
                cools_until=timezone.now(),
                decided_by=other,
                **owner,
            )
        mark = uuid4().hex
        person = User.objects.create_user(email=f"{mark}@example.com", name=mark, role="support")
        Limit.objects.create(person=person, per_transaction=5)
        Reason.objects.create(text=mark)
        Playbook.objects.create(account=account, name=mark, steps=[{"act": "cancel"}, {"act": "refund"}])


@pytest.mark.parametrize(
    "url",
    [
        "/",
        "/leads/",
        f"/leads/{ADA.id}/",
        f"/leads/{ADA.id}/activity/",
        f"/leads/{ADA.id}/edit/",
        "/recipes/",
        "/settings/catalogues/",
        f"/leads/{ADA.id}/money/",
        f"/leads/{ADA.id}/transactions/99488/",
        f"/leads/{ADA.id}/transactions/99488/refund/",
        f"/leads/{ADA.id}/subscriptions/14833/",
        f"/leads/{ADA.id}/subscriptions/14833/cancel/",
        "/approvals/",
        "/playbooks/",
        "/report/",
        "/report/csv/",
        "/settings/limits/",
        "/settings/limits/new/",
        "/settings/reasons/",
    ],
)
def test_as_many_queries_for_many_rows_as_for_few(at_desk: AtDesk, desk_of: Callable[..., Desk], url: str) -> None:
    client, desk = at_desk("admin"), desk_of("admin")
    people = [desk.user, desk_of("agent").user, desk_of("support").user]

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(url)
            assert answer.status_code == 200
            assert b"".join(answer) if answer.streaming else answer.content
        return len([query for query in captured if "RELEASE" not in query["sql"] and "SAVEPOINT" not in query["sql"]])

    for make in (fill, fill_money):
        make(desk.account, people, 3)
    client.get(url)
    few = queries()
    for make in (fill, fill_money):
        make(desk.account, people, 30)
    assert queries() == few
    assert few <= 30
